"""What was measured of an export, added to its card."""

import re
from pathlib import Path

from pipeline.errors import InputError
from pipeline.export.checksums import renew_checksum

CARD = "card.md"
_HEADING, _NEXT = "## Measured", "## Limits"


def add_to_card(folder: str | Path, command: str, found: str) -> None:
    """Adds a measurement, or puts it where an earlier one by the same command is.

    Args:
        folder: the export's.
        command: what measured it.
        found: Markdown, without headings.

    Raises:
        InputError: the export has no card like those that `card.card` writes.
    """
    path = Path(folder) / CARD
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: the card of an export wanted ({error})") from error
    before, limits, after = text.partition(f"\n{_NEXT}\n")
    if not limits:
        raise InputError(f"{path}: a heading '{_NEXT}' wanted, to stand after what is measured")
    before, _, measured = before.partition(f"\n{_HEADING}\n")
    parts = dict(re.findall(r"^### `([^\n]*)`\n\n(.*?)\n(?=^### |\Z)", measured + "\n", re.MULTILINE | re.DOTALL))
    parts[command] = found.rstrip("\n") + "\n"
    told = "\n".join(f"### `{command}`\n\n{found}" for command, found in parts.items())
    path.write_text(f"{before.rstrip()}\n\n{_HEADING}\n\n{told}\n{_NEXT}\n{after}", encoding="utf-8")
    renew_checksum(Path(folder), CARD)
