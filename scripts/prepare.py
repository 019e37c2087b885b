"""Makes speech ready: a source -> a sharded set on disk, or, where OUT ends with .jsonl, a manifest.

SOURCE is a configuration (its train, valid and test), a manifest, a corpus as it was downloaded (LibriSpeech, LJSpeech,
Common Voice, Kaldi, Speech Commands, CSV, texts beside audio), or tfds:NAME. In a configuration the set is then
{kind: tfds, path: OUT, split: train}. A manifest is made of a corpus only."""

import itertools
import json
import logging
import sys
from pathlib import Path

import command
import skipping

_UNREAD = {"kind": "manifest", "path": "valid.jsonl"}  # a configuration has to name something to validate on


def main(arguments) -> None:
    command.load_tensorflow()
    from pipeline.data.prepared import SKIPPED, is_free, is_whole, prepare
    from pipeline.data.utterances import Skipped

    logging.basicConfig(format="%(message)s", level=logging.WARNING, stream=sys.stderr, force=True)
    out = Path(arguments.out)
    if out.suffix == ".jsonl":
        _write_manifest(arguments, out)
        return
    skipped, was_whole = Skipped(), is_whole(out)
    with skipped.listed_in(out / SKIPPED if is_free(out) else None):
        settings, splits, bad = _splits(arguments, skipped)
        beam = _beam_options(arguments)
        rate, most = settings.features.sample_rate, skipping.most_skipped(arguments, settings)
        totals = {split: len(splits[split]) + len(bad[split]) for split in splits}
        with command.progress_bar(sum(map(len, splits.values())), "utterance") as bar:
            prepared = prepare(splits, out, rate, most, beam, arguments.shards, bar.update, bad)
    for split, total in zip(prepared, totals.values(), strict=True):
        lost = total - split.utterances
        if arguments.json:
            values = {"split": split.split, "utterances": split.utterances, "hours": round(split.hours, 4)}
            print(json.dumps({**values, "skipped": lost}))
        else:
            left_out = f", {lost} skipped" if lost else ""
            print(f"{out}: {split.split}, {split.utterances} utterances, {split.hours:.2f} hours{left_out}")
    if was_whole:
        told = "was whole already, no recording was read; to prepare it anew, delete that folder"
        print(f"{out}: {told}. What was left out is listed in {out / SKIPPED}", file=sys.stderr)
        return
    if len(skipped):
        print(skipped.summary(sum(totals.values())), file=sys.stderr)
    skipped.save(out / SKIPPED)


def _splits(arguments, skipped):
    """A configuration, and of each split that SOURCE has the utterances and the lines that are none."""
    from pipeline.config import load_config
    from pipeline.data import sources
    from pipeline.data.prepared import check_recordings
    from pipeline.errors import InputError

    if Path(arguments.source).suffix in (".yaml", ".yml"):
        if arguments.rate is not None:
            raise InputError("--rate: not with a configuration, whose features.sample_rate it is")
        _check_format(arguments)
        settings = load_config(
            arguments.source, ["data.cache=none", *arguments.overrides, *skipping.overrides(arguments)]
        )
        named = {"train": settings.data.train, "valid": settings.data.valid, "test": settings.data.test}
    else:
        settings = _settings_of(arguments)
        split = getattr(settings.data.train[0], "split", None)  # key=value may name it as well
        named = {split or arguments.split or "train": settings.data.train}
    check_recordings(itertools.chain(*named.values()), settings, arguments.source)
    splits, bad = {}, {}
    for split, of in named.items():
        if of:
            skips = skipping.Skipping(skipping.most_skipped(arguments, settings), f"data.{split}", skipped)
            utterances = sources.read(_whole(of, split), settings, split, skips.skipped)(0)
            _name(skips.skipped)
            splits[split], bad[split] = skips.start(utterances), skips.skipped
    return settings, splits, bad


def _whole(sources, split):
    """Each of the sources once, whatever share of it an epoch has."""
    for number, source in enumerate(sources):
        if source.join is not None:
            logging.getLogger().warning(
                "data.%s.%d: the strings that `join` makes for the first epoch are kept, and no others", split, number
            )
    return [source.model_copy(update={"weight": 1.0}) for source in sources]


def _name(skipped) -> None:
    for name, reason in skipped:
        logging.getLogger().warning("skipped %s: %s", name, reason)


def _settings_of(arguments):
    """A configuration with SOURCE as its training data; overrides are keys of its entry."""
    from pipeline.config import config_of, override

    source, split = arguments.source, arguments.split
    if source.startswith("tfds:"):
        entry = {"kind": "tfds", "name": source.removeprefix("tfds:"), "split": split or "train"}
    elif Path(source).suffix == ".jsonl":
        entry = {"kind": "manifest", "path": source}
    else:
        entry = {"kind": "corpus", "path": source, "format": arguments.format, "split": split}
    if entry["kind"] != "corpus":
        _check_format(arguments)
    for text in arguments.overrides:
        override(entry, text)
    values = {"name": "prepared", "data": {"train": [entry], "valid": [_UNREAD], "cache": "none"}}
    rate = 16000 if arguments.rate is None else arguments.rate
    values["features"] = {"sample_rate": rate, "n_fft": max(512, rate // 32)}
    return config_of(values, source)


def _check_format(arguments) -> None:
    from pipeline.errors import InputError

    if arguments.format is not None:
        raise InputError(f"--format: a corpus as SOURCE wanted with it, found {arguments.source}")


def _write_manifest(arguments, out: Path) -> None:
    from pipeline.data.corpora import read_corpus, write_manifest
    from pipeline.errors import InputError

    of_sets = {
        "--rate": arguments.rate is not None,
        "--shards": arguments.shards is not None,
        "--beam": arguments.beam or arguments.beam_options,
    }
    given = [*arguments.overrides, *(name for name, is_given in of_sets.items() if is_given)]
    if given:
        raise InputError(f"{given[0]}: a folder as OUT wanted with it, found a manifest, {out}")
    source = arguments.source
    if source.startswith("tfds:") or Path(source).suffix in (".yaml", ".yml", ".jsonl"):
        raise InputError(f"{source}: a corpus as it was downloaded wanted to make a manifest of")
    skips = skipping.Skipping(skipping.most_skipped(arguments), arguments.source)
    entries = read_corpus(Path(arguments.source), arguments.format, arguments.split, skips.skipped)
    _name(skips.skipped)
    write_manifest(skips.start(entries), out)
    skips.tell()
    lost = len(skips.skipped)
    if arguments.json:
        print(json.dumps({"utterances": len(entries), "skipped": lost}))
    else:
        print(f"{out}: {len(entries)} utterances{f', {lost} skipped' if lost else ''}")


def _beam_options(arguments):
    if not (arguments.beam or arguments.beam_options):
        return None
    from pipeline.errors import InputError

    try:
        from apache_beam.options.pipeline_options import PipelineOptions
    except ImportError as error:
        raise InputError("--beam: Apache Beam wanted; pip install -r requirements-beam.txt") from error
    return PipelineOptions(arguments.beam_options.split())


arguments = command.parser(__doc__, "python scripts/prepare.py LibriSpeech/ prepared/clean --split train-clean-100")
arguments.add_argument("source", metavar="SOURCE", help="a configuration, manifest, corpus, or tfds:NAME")
arguments.add_argument("out", metavar="OUT", help="the folder, or the manifest, to write")
arguments.add_argument(
    "overrides",
    metavar="key=value",
    nargs="*",
    help="settings that override the configuration's; without one, keys of SOURCE's entry in `data.train`",
)
arguments.add_argument("--format", metavar="NAME", help="of a corpus (default: what it looks like)")
arguments.add_argument(
    "--split", metavar="NAME", help="of a corpus (default: everything, as train) or a set (train), as 'train[:5%%]'"
)
arguments.add_argument("--rate", type=int, metavar="HERTZ", help="without a configuration (default: 16000)")
arguments.add_argument("--shards", type=int, metavar="N", help="files a split")
arguments.add_argument("--beam", action="store_true", help="do the work by Apache Beam")
arguments.add_argument(
    "--beam-options", default="", metavar="'...'", help="Beam's own, such as '--runner=FlinkRunner --parallelism=64'"
)
skipping.add_options(arguments)
arguments.add_argument("--json", action="store_true", help="one JSON object a split")

if __name__ == "__main__":
    command.run(main, arguments)
