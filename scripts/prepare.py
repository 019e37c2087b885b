"""Makes speech ready: a source -> a sharded set on disk, or, where OUT ends with .jsonl, a manifest.

SOURCE is a configuration (its train, valid and test), a manifest, a corpus as it was downloaded (LibriSpeech, LJSpeech,
Common Voice, Kaldi, Speech Commands, CSV, texts beside audio), or tfds:NAME. In a configuration the set is then
{kind: tfds, path: OUT, split: train}."""

import itertools
import json
import logging
import sys
from pathlib import Path

import command

_UNREAD = {"kind": "manifest", "path": "valid.jsonl"}  # a configuration has to name something to validate on


def main(arguments) -> None:
    command.load_tensorflow()
    from pipeline.data.prepared import prepare

    logging.basicConfig(format="%(message)s", level=logging.WARNING, stream=sys.stderr, force=True)
    out = Path(arguments.out)
    if out.suffix == ".jsonl":
        _write_manifest(arguments, out)
        return
    settings, splits = _splits(arguments)
    beam = _beam_options(arguments)
    rate, most_skipped = settings.features.sample_rate, settings.data.most_skipped
    with command.progress_bar(sum(map(len, splits.values())), "utterance") as bar:
        prepared, skipped = prepare(splits, out, rate, most_skipped, beam, arguments.shards, bar.update)
    for split in prepared:
        if arguments.json:
            print(json.dumps({"split": split.split, "utterances": split.utterances, "hours": round(split.hours, 4)}))
        else:
            print(f"{out}: {split.split}, {split.utterances} utterances, {split.hours:.2f} hours")
    if len(skipped):
        print(skipped.summary(sum(map(len, splits.values()))), file=sys.stderr)
        skipped.save(out / "skipped.jsonl")


def _splits(arguments):
    """A configuration, and the utterances of each split that SOURCE has."""
    from pipeline.config import load_config
    from pipeline.data import sources
    from pipeline.data.prepared import check_recordings
    from pipeline.data.utterances import Skipped

    if Path(arguments.source).suffix in (".yaml", ".yml"):
        settings = load_config(arguments.source, ["data.cache=none", *arguments.overrides])
        named = {"train": settings.data.train, "valid": settings.data.valid, "test": settings.data.test}
    else:
        settings = _settings_of(arguments)
        split = getattr(settings.data.train[0], "split", None)  # key=value may name it as well
        named = {split or arguments.split or "train": settings.data.train}
    check_recordings(itertools.chain(*named.values()), settings, arguments.source)
    skipped = Skipped()
    splits = {split: sources.read(of, settings, split, skipped)(0) for split, of in named.items() if of}
    if len(skipped):
        logging.getLogger().warning(skipped.summary(len(skipped) + sum(map(len, splits.values()))))
    return settings, splits


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
    for text in arguments.overrides:
        override(entry, text)
    values = {"name": "prepared", "data": {"train": [entry], "valid": [_UNREAD], "cache": "none"}}
    values["features"] = {"sample_rate": arguments.rate, "n_fft": max(512, arguments.rate // 32)}
    return config_of(values, source)


def _write_manifest(arguments, out: Path) -> None:
    from pipeline.data.corpora import read_corpus, write_manifest

    entries = read_corpus(Path(arguments.source), arguments.format, arguments.split)
    write_manifest(entries, out)
    print(json.dumps({"utterances": len(entries)}) if arguments.json else f"{out}: {len(entries)} utterances")


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
arguments.add_argument("--rate", type=int, default=16000, metavar="HERTZ", help="without a configuration: 16000")
arguments.add_argument("--shards", type=int, metavar="N", help="files a split")
arguments.add_argument("--beam", action="store_true", help="do the work by Apache Beam")
arguments.add_argument(
    "--beam-options", default="", metavar="'...'", help="Beam's own, such as '--runner=FlinkRunner --parallelism=64'"
)
arguments.add_argument("--json", action="store_true", help="one JSON object a split")

if __name__ == "__main__":
    command.run(main, arguments)
