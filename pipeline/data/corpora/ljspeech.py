"""LJ Speech (Ito and Johnson 2017, keithito.com/LJ-Speech-Dataset), and other voices that are laid out like it."""

from pathlib import Path

from pipeline.data.corpora import splits, tables
from pipeline.data.corpora.entry import Entry
from pipeline.data.corpora.files import by_stem
from pipeline.data.corpora.lines import read_lines
from pipeline.errors import InputError

LAYOUT = "metadata.csv with id|text|normalized text, wavs/"


def fits(path: Path) -> bool:
    table = path / "metadata.csv"
    if not table.is_file() or not (path / "wavs").is_dir():
        return False
    first = next(read_lines(table, LAYOUT), "").split("|")
    return 2 <= len(first) <= 3 and first[0].strip().lower() not in tables.AUDIO  # or else it is a header


def read(path: Path, split: str | None) -> list[Entry]:
    """The utterances, with the normalized text if there is one; the one speaker is called as the folder is.

    Raises:
        InputError: a file is missing, a line is malformed, or a split is wanted.
    """
    splits.refuse(split, path, "ljspeech")
    table = path / "metadata.csv"
    wavs = path / "wavs"
    files = by_stem(wavs) if wavs.is_dir() else {}
    prefix, speaker = f"{wavs}/", path.resolve().name
    entries = []
    for number, line in enumerate(read_lines(table, "lines of id|text|normalized text"), start=1):
        if not line.strip():
            continue
        name, *texts = line.rstrip("\r\n").split("|")  # quotes are text
        if not name.strip() or not 1 <= len(texts) <= 2:
            raise InputError(f"{table}:{number}: id|text|normalized text wanted, found {line.strip()[:60]!r}")
        text = texts[-1].strip() or texts[0].strip()
        entries.append(Entry(prefix + files.get(name, f"{name}.wav"), text, speaker))
    return entries
