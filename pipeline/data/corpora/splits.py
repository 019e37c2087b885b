"""The splits that a corpus has of its own."""

import difflib
from collections.abc import Iterable
from pathlib import Path

from pipeline.errors import InputError


def choose(split: str | None, there: Iterable[str], path: Path) -> list[str]:
    """The splits that a name such as `dev-clean+dev-other` stands for, each once; all if it is None.

    Raises:
        InputError: one of them is not there.
    """
    there = list(there)
    if split is None:
        return there
    names = list(dict.fromkeys(split.split("+")))
    for name in names:
        if name not in there:
            near = difflib.get_close_matches(name, there, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]}? " if near else ""
            raise InputError(f"{path}: there is no split {name!r}; {hint}there are {', '.join(there) or 'none'}")
    return names


def refuse(split: str | None, path: Path, name: str) -> None:
    """Raises: InputError: a split is wanted of a format that has none."""
    if split is not None:
        raise InputError(f"{path}: split {split!r} wanted, but a corpus of format {name} has no splits")
