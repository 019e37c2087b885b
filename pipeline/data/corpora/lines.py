"""Text files and tables of a corpus, line by line; what is wrong with a line is told by its number."""

import csv
import math
from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import InputError

LONGEST_SECONDS = 1e6
"""That a corpus may announce: eleven days."""


def read_lines(path: Path, wanted: str, newline: str = "\n") -> Iterator[str]:
    """The lines of a text file, their ends included.

    Args:
        path: the file.
        wanted: what an error says that the file should be.
        newline: see `open`.

    Raises:
        InputError: the file cannot be opened, or a line (it is named) is not UTF-8 or holds a zero.
    """
    try:
        with open(path, encoding="utf-8-sig", newline=newline) as file:
            for number, line in enumerate(file, start=1):
                if "\0" in line:
                    raise InputError(f"{path}:{number}: {wanted} wanted, found a zero among the characters")
                yield line
    except UnicodeDecodeError as error:
        raise InputError(f"{path}:{_undecodable(path)}: {wanted} wanted, found bytes that are not UTF-8") from error
    except OSError as error:
        raise InputError(f"{path}: {wanted} wanted, {error.strerror.lower()}") from error


def _undecodable(path: Path) -> int:
    """The number of the first line that is not UTF-8."""
    number = 0
    with open(path, "rb") as file:
        for number, line in enumerate(file, start=1):  # noqa: B007
            try:
                line.decode()
            except UnicodeDecodeError:
                break
    return number


def read_rows(path: Path, delimiter: str, quoted: bool = True) -> Iterator[tuple[int, list[str]]]:
    """The rows of a table with the numbers of the lines they begin in, the header first; empty lines are left out.

    Args:
        path: the file.
        delimiter: between two fields.
        quoted: whether fields with delimiters, line ends or quotes stand in quotes; or else quotes are text.

    Raises:
        InputError: see `read_lines`; or a row (its line is named) has more or fewer fields than the header, or quotes
            that do not end.
    """
    quoting = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    reader = csv.reader(read_lines(path, "a table", newline=""), delimiter=delimiter, quoting=quoting, strict=True)
    number, width = 1, None
    try:
        for row in reader:
            if row:
                if width is None:
                    width = len(row)
                elif len(row) != width:
                    raise InputError(f"{path}:{number}: {width} fields wanted as in the header, found {len(row)}")
                yield number, row
            number = reader.line_num + 1
    except csv.Error as error:
        raise InputError(f"{path}:{number}: a table's row wanted, found one that is none ({error})") from error


def seconds(text: str, path: Path, line: int, least: float = 0.0) -> float:
    """Raises: InputError: not a number of seconds from `least` to eleven days; file and line are named."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not least <= number <= LONGEST_SECONDS:
        raise InputError(f"{path}:{line}: seconds wanted, found {text[:60]!r}")
    return number
