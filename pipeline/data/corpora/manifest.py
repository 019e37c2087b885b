"""Utterances -> a manifest."""

import functools
import json
import os
from collections.abc import Iterable
from pathlib import Path

from pipeline.data.corpora.entry import Entry
from pipeline.errors import InputError


def write_manifest(entries: Iterable[Entry], path: Path) -> None:
    """JSON lines with `audio_filepath`, `text` and, where they are known, `duration` and `speaker`.

    A path is relative to the manifest's folder if the two have a folder above them in common other than the root, so
    that both can be moved together; or else absolute. A part of a file has its start as `offset`, as in NeMo.

    Raises:
        InputError: the file cannot be written.
    """
    path = Path(path)
    place = functools.cache(functools.partial(_relative, os.path.abspath(path.parent)))
    try:
        with path.open("w", encoding="utf-8") as file:
            for entry in entries:
                folder, name = os.path.split(entry.audio)
                file.write(json.dumps(_line(entry, os.path.join(place(folder), name)), ensure_ascii=False) + "\n")
    except OSError as error:
        raise InputError(f"{path}: a manifest to write wanted, {error.strerror.lower()}") from error


def _line(entry: Entry, file: str) -> dict[str, str | float]:
    line: dict[str, str | float] = {"audio_filepath": file, "text": entry.text}
    duration = entry.duration
    if entry.start is not None:
        line["offset"] = entry.start
        if entry.end is not None:
            duration = round(entry.end - entry.start, 6)
    if duration is not None:
        line["duration"] = duration
    if entry.speaker is not None:
        line["speaker"] = entry.speaker
    return line


def _relative(base: str, folder: str) -> str:
    """A folder of audio as a manifest in the folder `base` names it; "" is the same."""
    folder = os.path.abspath(folder)
    if os.path.commonpath([base, folder]) != base:
        # `..` leads from where a link leads to.
        base, folder = os.path.realpath(base), os.path.realpath(folder)
        if os.path.commonpath([base, folder]) == os.path.sep:
            return folder
    relative = os.path.relpath(folder, base)
    return "" if relative == os.curdir else relative
