"""Data folders of Kaldi (kaldi-asr.org/doc/data_prep.html), ESPnet and others that took them over."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from pipeline.data.corpora import splits
from pipeline.data.corpora.entry import Entry
from pipeline.data.corpora.lines import Value, check_new, good_lines, known, read_lines, seconds
from pipeline.data.utterances import BadLines
from pipeline.errors import InputError

LAYOUT = "wav.scp, text, utt2spk"

_PROBED = 100  # recordings that are looked for, to find what relative paths are relative to


def fits(path: Path) -> bool:
    return (path / "wav.scp").is_file() and (path / "text").is_file()


def read(path: Path, split: str | None, bad: BadLines) -> list[Entry]:
    """The utterances of `text`; with `segments`, each is a part of a recording.

    Relative paths in `wav.scp` are relative to the nearest of the data folder, those above it and the working folder
    under which there are such files: Kaldi's own are relative to where its recipe runs.

    Args:
        path: the data folder.
        split: none.
        bad: where lines of `text` go that are malformed, or whose utterance has no recording or speaker, a recording
            that is a command (none is run), or a malformed line in another file.

    Raises:
        InputError: a file is missing, or a split is wanted.
    """
    splits.refuse(split, path, "kaldi")
    recordings = _recordings(path)
    speakers = _table(path / "utt2spk", "an utterance and its speaker")
    lengths = _durations(path / "reco2dur")
    segments = _segments(path / "segments", recordings, lengths)
    lengths = lengths | _durations(path / "utt2dur")

    def entry(utterance: str, text: str) -> Entry:
        speaker = _needed(speakers, utterance, f"a speaker of {utterance!r} wanted in utt2spk")
        if segments is None:
            recording = _needed(recordings, utterance, f"a recording of {utterance!r} wanted in wav.scp")
            return Entry(recording, text, speaker, known(lengths, utterance))
        segment = _needed(segments, utterance, f"a segment of {utterance!r} wanted in segments")
        return Entry(segment.recording, text, speaker, segment.duration, segment.start, segment.end)

    table, entries, seen = path / "text", [], set()
    for number, line in good_lines(table, "lines of an utterance and its text", bad):
        utterance, *text = line.split(maxsplit=1) or [""]
        if not utterance:
            continue
        try:
            check_new(utterance, seen)
            seen.add(utterance)
            entries.append(entry(utterance, text[0].rstrip() if text else ""))
        except InputError as error:
            bad.add(f"{table}:{number}", str(error))
    return entries


def _needed(values: dict[str, Value | InputError], key: str, wanted: str) -> Value:
    value = known(values, key)
    if value is None:
        raise InputError(f"{wanted}, found none")
    return value


def _table(path: Path, wanted: str, value: Callable[[str], Value] = str) -> dict[str, Value | InputError]:
    """By the first word of each line what the rest says, or what is wrong with the line.

    Args:
        path: the file.
        wanted: what an error says that a line should be.
        value: of the rest; what it raises is told with the line.

    Raises:
        InputError: the file cannot be read.
    """
    values: dict[str, Value | InputError] = {}
    for number, line, problem in read_lines(path, f"lines of {wanted}"):
        key, *rest = line.split(maxsplit=1) or [""]
        if not key:
            continue
        try:
            if problem is not None:
                raise InputError(problem)
            if not rest:
                raise InputError(f"{wanted} wanted, found {key[:60]!r}")
            check_new(key, values)
            values[key] = value(rest[0].rstrip())
        except InputError as error:
            values[key] = InputError(f"{path}:{number}: {error}")
    return values


def _recordings(folder: Path) -> dict[str, str | InputError]:
    recordings = _table(folder / "wav.scp", "a recording and its file", _file)
    relative = [file for file in recordings.values() if isinstance(file, str) and not os.path.isabs(file)][:_PROBED]
    if relative:
        above = [folder, *folder.resolve().parents, Path()]
        base = next((base for base in above if any((base / file).exists() for file in relative)), folder)
        recordings = {
            recording: os.path.join(base, file) if isinstance(file, str) else file
            for recording, file in recordings.items()
        }
    return recordings


def _file(text: str) -> str:
    if text.endswith("|"):
        raise InputError(
            f"an audio file wanted, found a command: {text[:60]!r}. None is run here; "
            "write the audio into files first, for example by Kaldi's wav-copy"
        )
    return text


def _durations(path: Path) -> dict[str, float | InputError]:
    return _table(path, "a name and its seconds", seconds) if path.is_file() else {}


class _Segment(NamedTuple):
    recording: str
    start: float
    end: float | None
    duration: float | None


def _segments(
    path: Path, recordings: dict[str, str | InputError], lengths: dict[str, float | InputError]
) -> dict[str, _Segment | InputError] | None:
    """By utterance; None if there are no segments."""
    if not path.is_file():
        return None
    wanted = "an utterance, its recording, start and end"

    def segment(text: str) -> _Segment:
        values = text.split()
        if len(values) != 3:
            raise InputError(f"{wanted} wanted, found {text[:60]!r}")
        recording, start, end = values[0], seconds(values[1]), seconds(values[2], -1)
        file = _needed(recordings, recording, f"a recording {recording!r} wanted in wav.scp")
        if end == -1:  # as far as the recording goes
            length = known(lengths, recording)
            return _Segment(file, start, None, None if length is None else round(max(0.0, length - start), 6))
        if start >= end:
            raise InputError(f"an end after the start wanted, found {values[1]} and {values[2]}")
        return _Segment(file, start, end, round(end - start, 6))

    return _table(path, wanted, segment)
