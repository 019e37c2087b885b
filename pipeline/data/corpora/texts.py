"""Audio files, each with a text file beside it; the Montreal Forced Aligner wants corpora like this."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

from pipeline.data.corpora import splits
from pipeline.data.corpora.entry import Entry
from pipeline.data.corpora.files import is_audio
from pipeline.data.corpora.lines import good_lines
from pipeline.data.utterances import BadLines
from pipeline.errors import InputError

log = logging.getLogger(__name__)

LAYOUT = "audio files, each with a .txt or .lab file of the same name beside it"

_TEXT_ENDINGS = (".txt", ".lab")
_NAMED = 3
"""Of the audio files without a text, in a message."""


def fits(path: Path) -> bool:
    return any(text for _, _, text in _audio(path))


def read(path: Path, split: str | None, bad: BadLines) -> list[Entry]:
    """The utterances of a folder and the folders in it. One of these is a speaker's, and called as he is.

    Audio whose text cannot be read, is empty or is not UTF-8 goes into `bad`.

    Raises:
        InputError: no audio file has a text, or a split is wanted.
    """
    splits.refuse(split, path, "texts")
    entries, without = [], []
    for folder, name, text in _audio(path):
        file = os.path.join(folder, name)
        if text is None:
            without.append(file)
            continue
        try:
            words = " ".join("".join(line for _, line in good_lines(Path(folder, text), "a text", BadLines())).split())
            if not words:
                raise InputError(f"{os.path.join(folder, text)}: a text wanted, found none")
        except InputError as error:
            bad.add(file, str(error))
            continue
        entries.append(Entry(file, words, os.path.basename(folder) if Path(folder) != path else None))
    if not entries and not len(bad):
        raise InputError(f"{path}: {LAYOUT} wanted, found {len(without)} audio files without")
    if without:
        many = (
            f"{len(without)} audio files without a text are" if len(without) > 1 else "an audio file without a text is"
        )
        first = ", ".join(os.path.relpath(file, path) for file in without[:_NAMED])
        log.warning("%s: %s left out: %s%s", path, many, first, ", ..." if len(without) > _NAMED else "")
    return entries


def _audio(path: Path) -> Iterator[tuple[str, str, str | None]]:
    """Of each audio file its folder, its name and that of its text, which may be missing."""
    for folder, inner, names in os.walk(path, onerror=_raise):
        inner[:] = sorted(name for name in inner if not name.startswith("."))
        there = set(names)
        for name in sorted(filter(is_audio, names)):
            stem = os.path.splitext(name)[0]
            yield folder, name, next((stem + ending for ending in _TEXT_ENDINGS if stem + ending in there), None)


def _raise(error: OSError) -> None:
    raise error
