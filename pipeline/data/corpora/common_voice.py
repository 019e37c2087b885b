"""Mozilla Common Voice (Ardila et al. 2020, commonvoice.mozilla.org): a language's folder."""

import os
import sys
from pathlib import Path

from pipeline.data.corpora import splits
from pipeline.data.corpora.entry import Entry
from pipeline.data.corpora.lines import first_line, known, read_lines, read_rows, seconds
from pipeline.data.utterances import BadLines
from pipeline.errors import InputError

LAYOUT = "validated.tsv and others with client_id, path and sentence, clips/"

_COLUMNS = ("client_id", "path", "sentence")
_DURATIONS = "clip_durations.tsv"  # clip and milliseconds; releases since 2023 have it


def fits(path: Path) -> bool:
    if path.is_file():
        return path.suffix == ".tsv" and _is_table(path) and (path.parent / "clips").is_dir()
    return (path / "clips").is_dir() and bool(_tables(path))


def read(path: Path, split: str | None, bad: BadLines) -> list[Entry]:
    """The utterances of tables.

    Args:
        path: a language's folder, or one of its tables.
        split: tables' names such as `train`; default: all validated ones, which hold train, dev and test.
        bad: where lines go that are malformed, or whose clip's line in `clip_durations.tsv` is.

    Raises:
        InputError: no such table or column.
    """
    if path.is_file():
        folder, tables = path.parent, [path.stem]
    else:
        folder, tables = path, _tables(path)
        if not tables:
            raise InputError(f"{path}: {LAYOUT} wanted, found no such table")
    names = splits.choose(split, tables, path)
    if split is None and len(tables) > 1:
        validated = [name for name in ("train", "dev", "test") if name in tables]
        names = ["validated"] if "validated" in tables else validated or tables
    durations = _durations(folder / _DURATIONS)
    entries = []
    for name in names:
        entries += _table(folder / f"{name}.tsv" if path.is_dir() else path, folder, durations, bad)
    return entries


def _tables(folder: Path) -> list[str]:
    return sorted(name[:-4] for name in os.listdir(folder) if name.endswith(".tsv") and _is_table(folder / name))


def _is_table(path: Path) -> bool:
    return set(_COLUMNS) <= set(first_line(path, "a table").rstrip("\r\n").split("\t"))


def _table(path: Path, folder: Path, durations: dict[str, float | InputError], bad: BadLines) -> list[Entry]:
    rows = read_rows(path, "\t", bad, quoted=False)
    _, header = next(rows, (1, []))
    for name in _COLUMNS:
        if name not in header:
            raise InputError(f"{path}: a column {name!r} wanted, found {', '.join(map(repr, header)) or 'none'}")
    speaker, clip, sentence = map(header.index, _COLUMNS)
    prefix = f"{folder}/clips/"
    entries = []
    for number, row in rows:
        name = row[clip]
        if "." not in name:  # the first releases left it out
            name += ".mp3"
        try:
            if not row[clip]:
                raise InputError("a clip's name wanted in column 'path', found none")
            if not row[sentence].strip():
                raise InputError("a text wanted in column 'sentence', found none")
            duration = known(durations, name)
        except InputError as error:
            bad.add(f"{path}:{number}", str(error))
            continue
        entries.append(Entry(prefix + name, _unquoted(row[sentence]), sys.intern(row[speaker]) or None, duration))
    return entries


def _unquoted(sentence: str) -> str:
    """Early releases quote a sentence that has quotes in it, as CSV does, and double these; later ones never do."""
    inner = sentence[1:-1]
    if sentence[:1] == '"' == sentence[-1:] and '""' in inner and '"' not in inner.replace('""', ""):
        return inner.replace('""', '"')
    return sentence


def _durations(path: Path) -> dict[str, float | InputError]:
    """Of each clip its seconds, or what is wrong with its line; the first line is the header."""
    durations: dict[str, float | InputError] = {}
    for number, text, problem in read_lines(path, "a table") if path.is_file() else ():
        clip, *told = text.rstrip("\r\n").split("\t")
        if number == 1 or not clip:
            continue
        try:
            if problem is not None or not told:
                raise InputError(problem or f"a clip and its milliseconds wanted, found {clip[:60]!r}")
            durations[clip] = seconds(told[0]) / 1000
        except InputError as error:
            durations[clip] = InputError(f"{path}:{number}: {error}")
    return durations
