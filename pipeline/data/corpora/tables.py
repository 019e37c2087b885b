"""A table of audio files and texts, by whomever."""

import csv
import os
from collections.abc import Sequence
from pathlib import Path

from pipeline.data.corpora import splits
from pipeline.data.corpora.entry import Entry
from pipeline.data.corpora.lines import first_line, read_rows, seconds
from pipeline.data.utterances import BadLines
from pipeline.errors import InputError

LAYOUT = "a .csv or .tsv file whose header names audio and text"

AUDIO = ("path", "audio", "audio_filepath", "file", "filename", "wav", "file_name", "wav_filename", "audio_file")
TEXT = ("text", "transcript", "transcription", "sentence", "label")
SPEAKER = ("speaker", "speaker_id", "client_id")
"""What columns are called, in any case; of several the first."""


def fits(path: Path) -> bool:
    if path.is_file():
        return path.suffix.lower() in (".csv", ".tsv")
    return len(_tables(path)) == 1


def read(path: Path, split: str | None, bad: BadLines) -> list[Entry]:
    """The rows of a table; paths are relative to its folder, or absolute.

    Args:
        path: the table, or a folder with one.
        split: what the column `split` holds.
        bad: where malformed lines go.

    Raises:
        InputError: no table, column or split of this name.
    """
    if path.is_dir():
        found = _tables(path)
        if len(found) != 1:
            names = ", ".join(found) or "none"
            raise InputError(f"{path}: a folder with one .csv or .tsv file, or the file's path wanted; found {names}")
        path = path / found[0]
    delimiter = _delimiter(path)
    rows = read_rows(path, delimiter, bad)
    _, header = next(rows, (1, []))
    audio, text = (_needed(header, names, what, path) for names, what in ((AUDIO, "audio"), (TEXT, "text")))
    speaker, duration, own = (_column(header, names) for names in (SPEAKER, ("duration",), ("split",)))
    if split is not None and own is None:
        raise InputError(f"{path}: split {split!r} wanted, but there is no column 'split'")
    folder = f"{path.parent}/"
    entries, names, wanted = [], set(), set() if split is None else set(split.split("+"))
    for number, row in rows:
        if split is not None:
            names.add(name := row[own].strip())
            if name not in wanted:
                continue
        file, length = row[audio], row[duration].strip() if duration is not None else ""
        try:
            if not file:
                raise InputError(f"an audio file wanted in column {header[audio]!r}, found none")
            if not row[text].strip():
                raise InputError(f"a text wanted in column {header[text]!r}, found none")
            entry = Entry(
                file if os.path.isabs(file) else folder + file,
                row[text],
                (row[speaker] or None) if speaker is not None else None,
                seconds(length) if length else None,
            )
        except InputError as error:
            bad.add(f"{path}:{number}", str(error))
        else:
            entries.append(entry)
    if split is not None:
        splits.choose(split, sorted(names), path)
    return entries


def _tables(folder: Path) -> list[str]:
    return sorted(name for name in os.listdir(folder) if name.lower().endswith((".csv", ".tsv")) and name[0] != ".")


def _delimiter(path: Path) -> str:
    """The one by which the header has the columns that are needed; or else the most columns."""
    first = first_line(path, "a table", newline="")
    if path.suffix.lower() == ".tsv":
        return "\t"
    headers = {delimiter: _fields(first, delimiter) for delimiter in ",;\t|"}
    for delimiter, header in headers.items():
        if _column(header, AUDIO) is not None and _column(header, TEXT) is not None:
            return delimiter
    return max(headers, key=lambda delimiter: len(headers[delimiter]))


def _fields(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:  # which is told where the rows are read
        return []


def _column(header: Sequence[str], names: Sequence[str]) -> int | None:
    found = [name.strip().lower() for name in header]
    return next((found.index(name) for name in names if name in found), None)


def _needed(header: Sequence[str], names: Sequence[str], what: str, path: Path) -> int:
    column = _column(header, names)
    if column is None:
        found = ", ".join(repr(name[:30]) for name in header[:10]) or "none"
        raise InputError(f"{path}: a column of {what} wanted ({', '.join(names)}), found {found}")
    return column
