"""Manifests: JSON lines that name recordings and what is said in them."""

import codecs
import contextlib
import functools
import gc
import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from pipeline import audio
from pipeline.data.cache import Cache, NoCache
from pipeline.data.corpora import Entry
from pipeline.data.utterances import BadLines, Skipped, Utterance
from pipeline.errors import InputError
from pipeline.feature_files import FeatureFrames, frames_announced, load_features

LONGEST_SECONDS = 1e6
"""That a manifest may announce: eleven days."""

_MOST_STRINGS = 100_000
"""Different transcripts and speakers that are remembered, for others to be the same strings."""

_NO_TEXT = re.compile("[\0\ud800-\udfff]")
"""What JSON may hold, but neither a file's name nor a transcript: zeros, and halves of characters."""


def read_manifest(
    path: str | Path,
    sample_rate: int | None,
    features: FeatureFrames | None = None,
    skipped: Skipped | None = None,
    cache: Cache | None = None,
) -> list[Utterance]:
    """A manifest's lines: `audio_filepath` (relative to the manifest, or absolute), `text`, and, if they are told,
    `duration` and `offset` in seconds, for a piece of a recording, and `speaker`.

    For a model that takes features, `features_filepath` of a .npy file; a line may have both.

    Args:
        path: the manifest.
        sample_rate: of the audio that the model takes, in hertz.
        features: that it takes instead of audio.
        skipped: where lines go that are no such objects; default: the first ends it.
        cache: for what was read.

    Raises:
        InputError: the file is missing or holds no usable line, or a line (it is named) is not such an object.
    """
    path = Path(path)
    reader = _Reader(os.path.dirname(path), sample_rate, features, cache or NoCache())
    utterances, bad = [], BadLines(skipped)
    try:
        with path.open("rb") as lines, _no_garbage():
            for number, line in enumerate(lines, start=1):
                if number == 1:
                    line = line.removeprefix(codecs.BOM_UTF8)
                if line.strip():
                    try:
                        utterances.append(reader.utterance(_decoded(line)))
                    except InputError as error:
                        bad.add(f"{path}:{number}", str(error))
    except InputError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a path with a zero in it
        problem = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{path}: a manifest wanted, {problem.lower()}") from error
    if not utterances:
        raise InputError(f"{path}: a manifest with at least one line wanted, found {bad.only or 'none'}")
    return utterances


def of_entries(entries: Iterable[Entry], sample_rate: int, cache: Cache | None = None) -> list[Utterance]:
    """A corpus's entries as utterances."""
    reader = _Reader("", sample_rate, None, cache or NoCache())
    return [
        reader.piece(
            entry.audio,
            entry.text,
            entry.speaker,
            entry.duration if entry.start is None or entry.end is None else entry.end - entry.start,
            entry.start,
        )
        for entry in entries
    ]


@contextlib.contextmanager
def _no_garbage() -> Iterator[None]:
    """Python does not look for garbage meanwhile, which it would do again and again among objects that all stay."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class _File:
    """Loads a file; smaller than functools.partial, where a million are needed."""

    __slots__ = ("_file", "_reader")

    def __init__(self, reader: "_Reader", file: str):
        self._reader, self._file = reader, file

    def __call__(self) -> np.ndarray:
        return self._reader.load(self._file)


class _Reader:
    """Makes utterances of a manifest's lines, a million in seconds."""

    def __init__(self, folder: str, sample_rate: int | None, features: FeatureFrames | None, cache: Cache):
        self._folder, self._rate, self._features, self._cache = folder, sample_rate, features, cache
        self._file_key = "features_filepath" if features else "audio_filepath"
        self._strings: dict[str, str] = {}  # one for all lines with the same speaker or transcript

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_strings": {}}  # an utterance travels to other machines without all the others' texts

    def utterance(self, line: str) -> Utterance:
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as error:  # ValueError: no JSON, or a number of thousands of digits
            raise InputError(f"a JSON object wanted, found {line.strip()[:60]!r}") from error
        if not isinstance(values, dict):
            raise InputError(f"a JSON object wanted, found {line.strip()[:60]!r}")
        if self._file_key not in values:
            self._check_kind(values)
        file, transcript = _string(values, self._file_key), _string(values, "text")
        if not file:
            raise InputError(f"{self._file_key!r} with a file's name wanted, found ''")
        speaker, transcript = _speaker(values), self._once(transcript)
        speaker = speaker if speaker is None else self._once(speaker)
        seconds, offset = _seconds(values, "duration"), _seconds(values, "offset")
        if self._features:
            if offset is not None:
                raise InputError(f"'offset' of {offset:g}: a whole file of features wanted")
            return self._given(os.path.join(self._folder, file), transcript, speaker, seconds)
        return self.piece(file, transcript, speaker, seconds, offset)

    def _once(self, string: str) -> str:
        known = self._strings.get(string)
        if known is None and len(self._strings) < _MOST_STRINGS:
            self._strings[string] = string
        return known or string

    def _check_kind(self, values: dict) -> None:
        other = "audio_filepath" if self._features else "features_filepath"
        if other in values:
            model = "features" if self._features else "audio"
            raise InputError(f"{self._file_key!r} wanted by a model with features.input = {model}, found {other!r}")

    def _given(self, file: str, transcript: str, speaker: str | None, seconds: float | None) -> Utterance:
        """Features that were computed before."""
        if seconds is None:
            frames = frames_announced(file, self._features.coefficients)
        else:
            frames = round(seconds * self._features.per_second)
        return Utterance(file, transcript, speaker, frames, functools.partial(self._load_features, file))

    def piece(
        self, file: str, transcript: str, speaker: str | None, seconds: float | None, offset: float | None
    ) -> Utterance:
        """A recording, or so many seconds of it from an offset on."""
        file = os.path.join(self._folder, file)
        if seconds is None:
            seconds = max(0.0, audio.duration(file) - (offset or 0.0))
        if offset is None:
            name, load = file, _File(self, file)
        else:
            name = f"{file} from {offset:g} s"
            load = functools.partial(self._load_piece, file, offset, seconds)
        return Utterance(name, transcript, speaker, round(seconds * self._rate), load)

    def load(self, file: str) -> np.ndarray:
        return self._cache.get(file, functools.partial(audio.load_audio, file, self._rate))

    def _load_features(self, file: str) -> np.ndarray:
        return self._cache.get(file, functools.partial(load_features, file, self._features.coefficients))

    def _load_piece(self, file: str, offset: float, seconds: float) -> np.ndarray:
        return audio.load_audio(file, self._rate, offset, seconds)


def _decoded(line: bytes) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"a JSON object in UTF-8 wanted, found {line.strip()[:60]!r}") from error


def _string(values: dict, key: str) -> str:
    value = values.get(key)
    if not isinstance(value, str):
        raise InputError(f"{key!r} with a string wanted, found {value!r}")
    if (not value.isascii() or "\0" in value) and _NO_TEXT.search(value):
        raise InputError(f"{key!r} with characters wanted, found half of one or none: {value!r}")
    return value


def _speaker(values: dict) -> str | None:
    """A number is a name as well; an empty name is none."""
    value = values.get("speaker")
    if value is None or isinstance(value, str):
        return value or None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"'speaker' with a string or a number wanted, found {value!r}")
    return str(value)


def _seconds(values: dict, key: str) -> float | None:
    value = values.get(key)
    if value is not None and (
        isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LONGEST_SECONDS
    ):
        raise InputError(f"{key!r} in seconds wanted, found {value!r}")
    return value
