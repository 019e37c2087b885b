"""Utterances -> a set of TensorFlow Datasets on disk: sharded, read at random, made here or by Apache Beam."""

import contextlib
import hashlib
import io
import json
import logging
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.config import Config, ManifestSource, Source
from pipeline.data.alone import alone_in
from pipeline.data.prepared_beam import BeamWork
from pipeline.data.prepared_examples import example
from pipeline.data.tfds_source import index_of, write_index
from pipeline.data.utterances import Skipped, Utterance, reason_of
from pipeline.errors import InputError, PipelineError, UnreadableError

log = logging.getLogger(__name__)

_NAME, _VERSION = "speech", "1.0.0"
_NOTE = "source.json"

SKIPPED = "skipped.jsonl"
"""In a set's folder, for what is left out of it."""


@dataclass(frozen=True)
class Prepared:
    """One split of a set that was written: how much it holds."""

    split: str
    utterances: int
    hours: float


def prepare(
    splits: dict[str, Sequence[Utterance]],
    out: Path,
    sample_rate: int,
    most_skipped: float,
    beam: Any | None = None,
    shards: int | None = None,
    tell: Callable[[], None] = lambda: None,
    skipped: dict[str, Skipped] | None = None,
) -> list[Prepared]:
    """Writes a set that `{kind: tfds, path: OUT}` reads; a set that is whole already stays as it is.

    An example is {"audio": int16 [samples], "text", "speaker", "id": string}. The same utterances give the same
    examples in the same order, on however many machines; what an interruption left is begun anew.

    Args:
        splits: the utterances of each, by name.
        out: the folder to write.
        sample_rate: of the audio, in hertz.
        most_skipped: the share of a split's utterances that may be left out.
        beam: options of a Beam pipeline; default: this process does the work.
        shards: files a split; default: as TFDS thinks fit.
        tell: called after each utterance that this process has read.
        skipped: of each split, what was left out before, and counts as well; what cannot be read is added.

    Returns:
        What each split holds.

    Raises:
        InputError: too much cannot be read, `out` holds another set, or there would be shards with nothing in them.
        PipelineError: it cannot be written, or another process is about to.
    """
    import tensorflow_datasets as tfds

    fewest = min(map(len, splits.values()))
    if shards is not None and not 1 <= shards <= fewest:
        raise InputError(f"shards: 1 to {fewest} wanted, as many as the smallest split has utterances, got {shards}")
    tfds.disable_progress_bar()
    names = {split: _split_name(split) for split in splits}
    by_name = {names[split]: utterances for split, utterances in splits.items()}
    note, was_whole = _checked_note(out, by_name, sample_rate), is_whole(out)
    lost = {names[split]: (skipped or {}).get(split, Skipped()) for split in splits}
    totals = {split: len(utterances) + len(lost[split]) for split, utterances in by_name.items()}
    with _disk_trouble_told(out):
        out.mkdir(parents=True, exist_ok=True)
    with alone_in(out, lambda: _refuse(out)), BeamWork(out / "beam") as work:
        with _disk_trouble_told(out):
            (out / _NOTE).write_text(json.dumps(note) + "\n", encoding="utf-8")
        for left in out.glob(f"{_NAME}/*incomplete*"):
            shutil.rmtree(left, ignore_errors=True)

        def generate(split: str) -> Any:
            if beam is not None:
                return work.examples(split, by_name[split])
            return _examples(by_name[split], lost[split], lambda: check_lost(split), tell)

        def add_workers() -> None:
            for split in by_name:
                for name, reason in work.skipped(split):
                    log.warning("skipped %s: %s", name, reason)
                    lost[split].add(name, reason)

        def check_lost(split: str, missing: int = 0) -> None:
            _check_lost(split, lost[split], totals[split], most_skipped, missing)

        builder = _builder(out, sample_rate, list(by_name), generate)
        options = {} if beam is None else {"beam_options": beam}
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # it tells sizes that it does not know
                builder.download_and_prepare(download_config=tfds.download.DownloadConfig(num_shards=shards, **options))
        except (InputError, KeyboardInterrupt):
            raise
        except Exception as error:  # TFDS's and Beam's, and the disk's
            add_workers()
            for split in by_name:  # nothing may be left of one
                check_lost(split)
            raise PipelineError(f"{out}: cannot be written ({_last_line(error)})") from error
        add_workers()
    found = []
    for split in by_name:
        file = Path(builder.data_dir) / f"index-{split}.jsonl"
        if not file.exists():
            write_index(file, index_of(builder.as_data_source(split), "audio", "text", "speaker"))
        samples = [json.loads(line)["samples"] for line in file.read_text(encoding="utf-8").splitlines()]
        try:
            check_lost(split, totals[split] - len(samples))
        except InputError:
            if not was_whole:
                shutil.rmtree(builder.data_dir)
            raise
        found.append(Prepared(split, len(samples), sum(samples) / sample_rate / 3600))
    return found


def is_whole(out: Path) -> bool:
    """Whether a set was prepared there."""
    return any(out.glob(f"{_NAME}/*/dataset_info.json"))


def is_free(out: Path) -> bool:
    """Whether a set may be begun there: nothing is, or what an earlier one left that came to nothing."""
    if (out / _NOTE).exists():
        return not is_whole(out)
    return not out.exists() or (out.is_dir() and all(file.name == SKIPPED for file in out.iterdir()))


def _check_lost(split: str, lost: Skipped, of: int, most_skipped: float, missing: int = 0) -> None:
    """Raises: InputError: more are lost, or missing for a reason that an earlier run told, than may be."""
    count = max(len(lost), missing)
    if count > most_skipped * of:
        told = lost.summary(of, count) if len(lost) else f"{missing} of {of} utterances"
        raise InputError(f"{split}: {told}; at most {most_skipped:.0%} may be left out")


def check_recordings(sources: Iterable[Source], settings: Config, told: str) -> None:
    """Raises: InputError: a source is a manifest of features, or the configuration, called `told`, wants such."""
    advice = "there is nothing to prepare in files of features, a training reads them as they are"
    if settings.features.input == "features":
        raise InputError(f"{told}: features.input = audio wanted, found features; {advice}")
    for source in sources:
        if isinstance(source, ManifestSource):
            first = _first_object(path := Path(settings.data.folder) / source.path)
            if "features_filepath" in first and "audio_filepath" not in first:
                raise InputError(f"{path}: recordings (audio_filepath) wanted, found features_filepath; {advice}")


def _first_object(manifest: Path) -> dict:
    """An empty one where there is none, which its reader will tell."""
    with contextlib.suppress(OSError, ValueError, RecursionError), manifest.open(encoding="utf-8-sig") as lines:
        found = json.loads(next((line for line in lines if line.strip()), ""))
        return found if isinstance(found, dict) else {}
    return {}


def _checked_note(out: Path, splits: dict[str, Sequence[Utterance]], sample_rate: int) -> dict:
    """What to note of the set in `out`. Raises: InputError: something else is there, or `out` is in use otherwise."""
    note = out / _NOTE
    counts = {split: len(utterances) for split, utterances in splits.items()}
    now = {"sample_rate": sample_rate, "utterances": counts, "contents": _digest(splits)}
    if note.exists():
        before = json.loads(note.read_text(encoding="utf-8"))
        if before != now and is_whole(out):
            differs = [
                f"{key.replace('_', ' ')} {json.dumps(before.get(key))}, wanted {json.dumps(now[key])}"
                for key in ("sample_rate", "utterances")
                if before.get(key) != now[key]
            ]
            told = "; ".join(differs) or "of other recordings or texts"
            raise InputError(f"{out} holds another set ({told}): choose another folder, or delete that one")
    elif not is_free(out):
        raise InputError(f"{out}: a new folder wanted, found something else")
    return now


@contextlib.contextmanager
def _disk_trouble_told(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise PipelineError(f"{out}: cannot be written ({error.strerror})") from error


def _refuse(out: Path) -> None:
    raise PipelineError(f"{out}: another process prepares it; run this again once that has ended")


def _digest(splits: dict[str, Sequence[Utterance]]) -> str:
    """Of what is said in which recordings by whom; what the recordings hold is not looked at."""
    digest = hashlib.sha256()
    for split, utterances in splits.items():
        for each in utterances:
            told = [split, each.name, each.transcript, each.speaker]
            digest.update(json.dumps(told).encode() + b"\n")
    return digest.hexdigest()


def _split_name(split: str) -> str:
    """As TFDS allows it, of letters, digits and underscores: of `train[:5%]` it is train, of dev-clean dev_clean."""
    own = dict.fromkeys(part.partition("[")[0].strip() for part in split.split("+"))
    name = re.sub(r"\W", "_", "_".join(own))
    return "train" if name == "all" else name  # which is TFDS's word for all splits


def _builder(out: Path, sample_rate: int, splits: list[str], generate: Callable[[str], Any]) -> Any:
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core import registered

    with registered.skip_registration():

        class Speech(tfds.core.GeneratorBasedBuilder):
            """Utterances with what is said in them."""

            name = _NAME
            VERSION = tfds.core.Version(_VERSION)

            def _info(self):
                return tfds.core.DatasetInfo(
                    builder=self,
                    features=tfds.features.FeaturesDict(
                        {
                            "audio": tfds.features.Tensor(shape=(None,), dtype=np.int16, encoding="bytes"),
                            "text": tfds.features.Text(),
                            "speaker": tfds.features.Text(),
                            "id": tfds.features.Text(),
                        }
                    ),
                    metadata=tfds.core.MetadataDict(sample_rate=sample_rate),
                )

            def _split_generators(self, download_manager):
                return {split: self._generate_examples(split) for split in splits}

            def _generate_examples(self, split):
                return generate(split)

        return Speech(data_dir=str(out), file_format="array_record")


def _examples(
    utterances: Sequence[Utterance], lost: Skipped, check: Callable[[], None], tell: Callable[[], None]
) -> Iterator[tuple[str, dict]]:
    for number, utterance in enumerate(utterances):
        tell()
        try:
            yield example(number, utterance)
        except UnreadableError as error:
            lost.add(utterance.name, reason := reason_of(utterance, error))
            log.warning("skipped %s: %s", utterance.name, reason)
            check()


def _last_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]
