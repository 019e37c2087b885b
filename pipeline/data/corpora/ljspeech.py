"""LJ Speech (Ito and Johnson 2017, keithito.com/LJ-Speech-Dataset), and other voices that are laid out like it."""

from pathlib import Path

from pipeline.data.corpora import splits, tables
from pipeline.data.corpora.entry import Entry
from pipeline.data.corpora.files import by_stem
from pipeline.data.corpora.lines import check_new, good_lines
from pipeline.data.utterances import BadLines, Skipped
from pipeline.errors import InputError

LAYOUT = "metadata.csv with id|text|normalized text, wavs/"


def fits(path: Path) -> bool:
    table = path / "metadata.csv"
    if not table.is_file() or not (path / "wavs").is_dir():
        return False
    _, first = next(good_lines(table, LAYOUT, BadLines(Skipped())), (1, ""))
    fields = first.split("|")
    return 2 <= len(fields) <= 3 and fields[0].strip().lower() not in tables.AUDIO  # or else it is a header


def read(path: Path, split: str | None, bad: BadLines) -> list[Entry]:
    """The utterances, with the normalized text if there is one; the one speaker is called as the folder is.

    Malformed lines go into `bad`.

    Raises:
        InputError: a file is missing, or a split is wanted.
    """
    splits.refuse(split, path, "ljspeech")
    table = path / "metadata.csv"
    wavs = path / "wavs"
    files = by_stem(wavs) if wavs.is_dir() else {}
    prefix, speaker = f"{wavs}/", path.resolve().name
    entries, seen = [], set()
    for number, line in good_lines(table, "lines of id|text|normalized text", bad):
        if not line.strip():
            continue
        name, *texts = line.rstrip("\r\n").split("|")  # quotes are text
        try:
            if not name.strip() or not 1 <= len(texts) <= 2:
                raise InputError(f"id|text|normalized text wanted, found {line.strip()[:60]!r}")
            text = texts[-1].strip() or texts[0].strip()
            if not text:
                raise InputError(f"a text of {name[:60]!r} wanted, found none")
            check_new(name, seen)
        except InputError as error:
            bad.add(f"{table}:{number}", str(error))
        else:
            seen.add(name)
            entries.append(Entry(prefix + files.get(name, f"{name}.wav"), text, speaker))
    return entries
