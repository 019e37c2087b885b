"""Data folders of Kaldi (kaldi-asr.org/doc/data_prep.html), ESPnet and others that took them over."""

import os
from collections.abc import Iterator
from pathlib import Path

from pipeline.data.corpora import splits
from pipeline.data.corpora.entry import Entry
from pipeline.data.corpora.lines import read_lines, seconds
from pipeline.errors import InputError

LAYOUT = "wav.scp, text, utt2spk"

_PROBED = 100  # recordings that are looked for, to find what relative paths are relative to


def fits(path: Path) -> bool:
    return (path / "wav.scp").is_file() and (path / "text").is_file()


def read(path: Path, split: str | None) -> list[Entry]:
    """The utterances of `text`; with `segments`, each is a part of a recording.

    Relative paths in `wav.scp` are relative to the nearest of the data folder, those above it and the working folder
    under which there are such files: Kaldi's own are relative to where its recipe runs.

    Raises:
        InputError: a file is missing, a line is malformed, a recording is a command (none is run), an utterance has no
            recording or speaker, or a split is wanted.
    """
    splits.refuse(split, path, "kaldi")
    recordings = _recordings(path)
    speakers = {key: speaker for _, key, speaker in _pairs(path / "utt2spk", "an utterance and its speaker")}
    lengths = _durations(path / "reco2dur")
    segments = _segments(path / "segments", recordings, lengths)
    lengths = lengths | _durations(path / "utt2dur")
    entries = []
    table = path / "text"
    for number, utterance, text in _pairs(table, "an utterance and its text", empty=True):
        if utterance not in speakers:
            raise InputError(f"{table}:{number}: a speaker of {utterance!r} wanted in utt2spk, found none")
        speaker = speakers[utterance]
        if segments is None:
            if utterance not in recordings:
                raise InputError(f"{table}:{number}: a recording of {utterance!r} wanted in wav.scp, found none")
            entries.append(Entry(recordings[utterance], text, speaker, lengths.get(utterance)))
        else:
            if utterance not in segments:
                raise InputError(f"{table}:{number}: a segment of {utterance!r} wanted in segments, found none")
            recording, start, end, duration = segments[utterance]
            entries.append(Entry(recordings[recording], text, speaker, duration, start, end))
    return entries


def _pairs(path: Path, wanted: str, empty: bool = False) -> Iterator[tuple[int, str, str]]:
    """Of each line its number, first word and rest.

    Raises:
        InputError: the file is missing, a line has no rest (unless it may be `empty`), or a first word comes again.
    """
    seen = set()
    for number, line in enumerate(read_lines(path, f"lines of {wanted}"), start=1):
        key, *rest = line.split(maxsplit=1) or [""]
        if not key:
            continue
        if not rest and not empty:
            raise InputError(f"{path}:{number}: {wanted} wanted, found {key[:60]!r}")
        if key in seen:
            raise InputError(f"{path}:{number}: each once wanted, found {key[:60]!r} again")
        seen.add(key)
        yield number, key, rest[0].rstrip() if rest else ""


def _recordings(folder: Path) -> dict[str, str]:
    table, recordings = folder / "wav.scp", {}
    for number, recording, file in _pairs(table, "a recording and its file"):
        if file.endswith("|"):
            raise InputError(
                f"{table}:{number}: an audio file wanted, found a command: {file[:60]!r}. None is run here; "
                "write the audio into files first, for example by Kaldi's wav-copy"
            )
        recordings[recording] = file
    relative = [file for file in recordings.values() if not os.path.isabs(file)][:_PROBED]
    if relative:
        above = [folder, *folder.resolve().parents, Path()]
        base = next((base for base in above if any((base / file).exists() for file in relative)), folder)
        recordings = {recording: os.path.join(base, file) for recording, file in recordings.items()}
    return recordings


def _durations(path: Path) -> dict[str, float]:
    if not path.is_file():
        return {}
    return {key: seconds(text, path, number) for number, key, text in _pairs(path, "a name and its seconds")}


def _segments(
    path: Path, recordings: dict[str, str], lengths: dict[str, float]
) -> dict[str, tuple[str, float, float | None, float | None]] | None:
    """Of each utterance its recording, start, end and duration; None if there are no segments."""
    if not path.is_file():
        return None
    segments = {}
    for number, utterance, rest in _pairs(path, "an utterance, its recording, start and end"):
        values = rest.split()
        if len(values) != 3:
            raise InputError(f"{path}:{number}: an utterance, its recording, start and end wanted, found {rest[:60]!r}")
        recording, start, end = values[0], seconds(values[1], path, number), seconds(values[2], path, number, -1)
        if recording not in recordings:
            raise InputError(f"{path}:{number}: a recording of wav.scp wanted, found {recording!r}")
        if end == -1:  # as far as the recording goes
            length = lengths.get(recording)
            duration = None if length is None else round(max(0.0, length - start), 6)
            segments[utterance] = recording, start, None, duration
        elif start < end:
            segments[utterance] = recording, start, end, round(end - start, 6)
        else:
            raise InputError(f"{path}:{number}: an end after the start wanted, found {values[1]} and {values[2]}")
    return segments
