"""The folders and audio files of a corpus."""

import os
from pathlib import Path

import soundfile

ENDINGS = frozenset({f".{name.lower()}" for name in soundfile.available_formats()} - {".raw"}) | {
    *(".aif", ".oga", ".opus", ".sph"),
}
"""Of the names of audio files, in lower case."""


def subfolders(path: Path) -> list[str]:
    """The names of a folder's folders, sorted; hidden ones are left out. A file has none."""
    if not path.is_dir():
        return []
    with os.scandir(path) as found:
        return sorted(item.name for item in found if not item.name.startswith(".") and item.is_dir())


def is_audio(name: str) -> bool:
    """Whether a file's name is that of audio; hidden ones are not."""
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in ENDINGS


def audio_names(folder: Path) -> list[str]:
    """The names of a folder's audio files, sorted."""
    return sorted(filter(is_audio, os.listdir(folder)))


def by_stem(folder: Path) -> dict[str, str]:
    """The names of a folder's audio files, by their stems; of several with one stem the first."""
    return {os.path.splitext(name)[0]: name for name in reversed(audio_names(folder))}
