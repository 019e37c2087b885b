"""A corpus of any format that is known."""

import difflib
import os
from pathlib import Path

from pipeline.data.corpora import (
    common_voice,
    kaldi,
    librispeech,
    ljspeech,
    speech_commands,
    tables,
    texts,
)
from pipeline.data.corpora.entry import Entry
from pipeline.data.utterances import BadLines, Skipped
from pipeline.errors import InputError

FORMATS = {
    "kaldi": kaldi,
    "common_voice": common_voice,
    "ljspeech": ljspeech,
    "librispeech": librispeech,
    "speech_commands": speech_commands,
    "csv": tables,
    "texts": texts,
}
"""By name, in the order in which they are tried. Each has `LAYOUT`, `fits(path)` and `read(path, split, bad)`."""

_FILES = ("common_voice", "csv")  # what a file can be, and not only a folder


def detect_format(path: Path) -> str:
    """The first of `FORMATS` that a folder or a file looks like.

    Raises:
        InputError: it is missing, cannot be read, or looks like none of them.
    """
    path = _there(path)
    try:
        for name, module in FORMATS.items():
            if (path.is_dir() or name in _FILES) and module.fits(path):
                return name
    except OSError as error:
        raise _unreadable(path, error) from error
    layouts = "; ".join(f"{name} ({module.LAYOUT})" for name, module in FORMATS.items())
    raise InputError(f"{path}: a corpus wanted, found none of {layouts}")


def read_corpus(
    path: Path, format: str | None = None, split: str | None = None, skipped: Skipped | None = None
) -> list[Entry]:
    """The utterances of a corpus as it was downloaded, always in the same order.

    Audio files are not opened and may be missing, as long as one of them is there.

    Args:
        path: its folder, or a table's file.
        format: one of `FORMATS`; default: what it looks like.
        split: such as `dev-clean`, `validated` or `testing`, or several as in `dev-clean+dev-other`; default: all.
        skipped: where lines go that are malformed or lack what they need; default: the first ends it.

    Raises:
        InputError: the corpus, a file, a column or a split is missing, no utterance is left, or all audio is missing.
    """
    path = _there(path)
    if format is None:
        format = detect_format(path)
    elif format not in FORMATS:
        near = difflib.get_close_matches(format, FORMATS, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise InputError(f"{path}: there is no format {format!r}; {hint}there are {', '.join(FORMATS)}")
    elif not path.is_dir() and format not in _FILES:
        raise InputError(f"{path}: the folder of a corpus of format {format} wanted, found a file")
    bad = BadLines(skipped)
    try:
        entries = _named(FORMATS[format].read(path, split, bad), bad)
    except OSError as error:
        raise _unreadable(path, error) from error
    _check(entries, bad, path, f"format {format}" if split is None else f"format {format}, split {split}")
    return entries


def _there(path: Path) -> Path:
    path = Path(path)
    try:
        if path.exists():
            return path
    except (OSError, ValueError) as error:  # ValueError: a path with a zero in it
        problem = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{path}: a corpus wanted, {problem.lower()}") from error
    raise InputError(f"{path}: a corpus's folder or table wanted, there is none")


def _unreadable(path: Path, error: OSError) -> InputError:
    return InputError(f"{error.filename or path}: it cannot be read, {(error.strerror or str(error)).lower()}")


def _named(entries: list[Entry], bad: BadLines) -> list[Entry]:
    """Those whose files have names that can be written down."""
    good = []
    for entry in entries:
        try:
            entry.audio.encode()
        except UnicodeEncodeError:
            bad.add(ascii(entry.audio), "a name in UTF-8 wanted, found other bytes")
        else:
            good.append(entry)
    return good


def _check(entries: list[Entry], bad: BadLines, path: Path, what: str) -> None:
    if not entries:
        raise InputError(f"{path}: utterances wanted, found {bad.only or 'none'} ({what})")
    if not any(os.path.exists(entry.audio) for entry in entries):  # mostly it is the first
        raise InputError(
            f"{path}: audio wanted, none of {len(entries)} files is there, {entries[0].audio} for example ({what})"
        )
