"""The audio files that a command line names."""

import glob
from pathlib import Path


def find(names: list[str]) -> list[str]:
    """Files as they are named; of a folder the audio files in it, and in its folders; of a pattern what matches.

    Raises:
        InputError: a folder without audio, or a pattern that matches nothing.
    """
    import soundfile

    from pipeline.errors import InputError

    endings = {f".{ending.lower()}" for ending in soundfile.available_formats()} | {".opus", ".oga", ".aif"} - {".raw"}
    files = []
    for name in names:
        path = Path(name)
        if path.is_dir():
            found = sorted(str(file) for file in path.rglob("*") if file.suffix.lower() in endings and file.is_file())
        elif glob.has_magic(name) and not path.exists():
            found = sorted(file for file in glob.glob(name, recursive=True) if Path(file).is_file())
        else:
            found = [name]
        if not found:
            raise InputError(f"{name}: audio files wanted, found none")
        files += found
    return files


def tell_bad(errors: list[str], total: int) -> None:
    """Ends a command that met bad files, after all the others: so many `errors` of `total` files.

    Raises:
        InputError: there are errors.
    """
    from pipeline.errors import InputError

    if not errors:
        return
    between = " " if len(errors) == 1 else "\n  "
    of = f"{len(errors)} of {total} files:{between}" if total > 1 else ""
    raise InputError(of + "\n  ".join(errors))
