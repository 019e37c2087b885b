"""Whether the files of an export are those that were exported; damage to them may show nowhere but in wrong texts."""

import hashlib
from pathlib import Path

from pipeline.errors import InputError

FILE = "SHA256SUMS"
"""In the form of the command sha256sum, which can check it too."""


def write_checksums(folder: Path) -> None:
    """Of all files that lie in the folder; those that are added later, thresholds for example, may change."""
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file.name != FILE)
    lines = [f"{_digest(file)}  {file.relative_to(folder).as_posix()}\n" for file in files]
    (folder / FILE).write_text("".join(lines), encoding="utf-8")


def renew_checksum(folder: Path, name: str) -> None:
    """Of one file that was changed on purpose; nothing where the export has no checksums."""
    if (folder / FILE).exists():
        lines = (folder / FILE).read_text(encoding="utf-8").splitlines()
        renewed = [f"{_digest(folder / name)}  {name}" if line.partition("  ")[2] == name else line for line in lines]
        (folder / FILE).write_text("\n".join(renewed) + "\n", encoding="utf-8")


def check_whole(folder: Path, *names: str) -> None:
    """Checks files by their paths in the export. Exports of earlier versions have no checksums, and pass.

    Raises:
        InputError: one is not the file that was exported.
    """
    try:
        lines = (folder / FILE).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise InputError(f"{folder / FILE}: checksums wanted ({error})") from error
    digests = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    for name in names:
        if (folder / name).exists() and _digest(folder / name) != digests.get(name):
            raise InputError(f"{folder / name}: damaged, or not of this export: its checksum is not that in {FILE}")


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
