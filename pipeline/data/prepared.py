"""Utterances -> a set of TensorFlow Datasets on disk: sharded, read at random, made here or by Apache Beam."""

import contextlib
import hashlib
import json
import logging
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.data.tfds_source import index_of, write_index
from pipeline.data.utterances import Skipped, Utterance
from pipeline.errors import InputError, PipelineError, UnreadableError

log = logging.getLogger(__name__)

_NAME, _VERSION = "speech", "1.0.0"


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
) -> tuple[list[Prepared], Skipped]:
    """Writes a set that `{kind: tfds, path: OUT}` reads; a set that is whole already stays as it is.

    An example is {"audio": int16 [samples], "text", "speaker", "id": string}. The same utterances give the same
    examples in the same order, on however many machines; what an interruption left is begun anew.

    Args:
        splits: the utterances of each, by name.
        out: the folder to write.
        sample_rate: of the audio, in hertz.
        most_skipped: the share of a split's utterances that may turn out to be unreadable.
        beam: options of a Beam pipeline; default: this process does the work.
        shards: files a split; default: as TFDS thinks fit.
        tell: called after each utterance that this process has read.

    Returns:
        What each split holds, and what could not be read.

    Raises:
        InputError: too much cannot be read, or `out` holds another set.
        PipelineError: it cannot be written.
    """
    import tensorflow_datasets as tfds

    tfds.disable_progress_bar()
    names = {split: _split_name(split) for split in splits}
    _check_same(out, {names[split]: utterances for split, utterances in splits.items()}, sample_rate)
    for left in out.glob(f"{_NAME}/*incomplete*"):
        shutil.rmtree(left, ignore_errors=True)
    skipped = Skipped()

    def generate(utterances: Sequence[Utterance]):
        return _by_beam(utterances) if beam is not None else _examples(utterances, skipped, most_skipped, tell)

    builder = _builder(out, sample_rate, {names[split]: splits[split] for split in splits}, generate)
    options = {} if beam is None else {"beam_options": beam}
    try:
        with contextlib.redirect_stdout(sys.stderr):
            builder.download_and_prepare(download_config=tfds.download.DownloadConfig(num_shards=shards, **options))
    except (InputError, KeyboardInterrupt):
        raise
    except Exception as error:  # TFDS's and Beam's, and the disk's
        raise PipelineError(f"{out}: cannot be written ({_last_line(error)})") from error
    found = []
    for split, utterances in splits.items():
        file = Path(builder.data_dir) / f"index-{names[split]}.jsonl"
        if not file.exists():
            lines = index_of(builder.as_data_source(names[split]), "audio", "text", "speaker")
            write_index(file, lines)
        lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        found.append(Prepared(names[split], len(lines), sum(line["samples"] for line in lines) / sample_rate / 3600))
        lost = len(utterances) - len(lines)
        if lost > most_skipped * len(utterances):
            shutil.rmtree(builder.data_dir)
            first = skipped.summary(len(utterances)) if len(skipped) else f"{lost} of {len(utterances)} utterances"
            raise InputError(f"{split}: {first}; at most {most_skipped:.0%} may be unreadable")
    return found, skipped


def _check_same(out: Path, splits: dict[str, Sequence[Utterance]], sample_rate: int) -> None:
    """Notes what is prepared in `out`. Raises: InputError: something else was, or `out` is in use otherwise."""
    note = out / "source.json"
    counts = {split: len(utterances) for split, utterances in splits.items()}
    now = {"sample_rate": sample_rate, "utterances": counts, "contents": _digest(splits)}
    if note.exists():
        before = json.loads(note.read_text(encoding="utf-8"))
        if before != now and any(out.glob(f"{_NAME}/*/dataset_info.json")):
            raise InputError(
                f"{out} holds another set ({before}, wanted {now}): choose another folder, or delete that one"
            )
    elif out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out}: a new folder wanted, found something else")
    try:
        out.mkdir(parents=True, exist_ok=True)
        note.write_text(json.dumps(now) + "\n", encoding="utf-8")
    except OSError as error:
        raise PipelineError(f"{out}: cannot be written ({error.strerror})") from error


def _digest(splits: dict[str, Sequence[Utterance]]) -> str:
    """Of what is said in which recordings by whom; what the recordings hold is not looked at."""
    digest = hashlib.sha256()
    for split, utterances in splits.items():
        for each in utterances:
            told = [split, each.name, each.transcript, each.speaker]
            digest.update(json.dumps(told).encode() + b"\n")
    return digest.hexdigest()


def _split_name(split: str) -> str:
    """TFDS allows letters, digits and underscores."""
    return re.sub(r"\W", "_", split)


def _builder(
    out: Path, sample_rate: int, splits: dict[str, Sequence[Utterance]], generate: Callable[[Sequence[Utterance]], Any]
) -> Any:
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
                return {split: self._generate_examples(utterances) for split, utterances in splits.items()}

            def _generate_examples(self, utterances):
                return generate(utterances)

        return Speech(data_dir=str(out), file_format="array_record")


def _by_beam(utterances: Sequence[Utterance]) -> Any:
    import apache_beam

    keyed = [(_key(number, utterance), utterance) for number, utterance in enumerate(utterances)]
    return apache_beam.Create(keyed) | apache_beam.FlatMap(_example_or_nothing)


def _examples(
    utterances: Sequence[Utterance], skipped: Skipped, most_skipped: float, tell: Callable[[], None]
) -> Iterator[tuple[str, dict]]:
    lost = Skipped(within=skipped)
    for number, utterance in enumerate(utterances):
        key = _key(number, utterance)
        tell()
        try:
            yield key, _example(key, utterance)
        except UnreadableError as error:
            lost.add(utterance.name, str(error))
            log.warning("skipped %s: %s", utterance.name, error)
            if len(lost) > most_skipped * len(utterances):
                raise InputError(
                    f"{lost.summary(len(utterances))}; at most {most_skipped:.0%} may be unreadable"
                ) from error


def _example_or_nothing(keyed: tuple[str, Utterance]) -> list[tuple[str, dict]]:
    key, utterance = keyed
    try:
        return [(key, _example(key, utterance))]
    except UnreadableError as error:
        log.warning("skipped %s: %s", utterance.name, error)
        return []


def _key(number: int, utterance: Utterance) -> str:
    return f"{number:09d} {utterance.name}"


def _example(key: str, utterance: Utterance) -> dict:
    samples = np.clip(np.round(utterance.load() * 32768), -32768, 32767).astype(np.int16)
    speaker = "" if utterance.speaker is None else utterance.speaker
    return {"audio": samples, "text": utterance.transcript, "speaker": speaker, "id": key}


def _last_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]
