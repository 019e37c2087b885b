"""Text files and tables of a corpus, line by line; what is wrong with a line is told by its number."""

import csv
import math
import re
from collections import deque
from collections.abc import Container, Iterator
from pathlib import Path
from typing import NamedTuple, TypeVar

from pipeline.data.utterances import BadLines
from pipeline.errors import InputError

LONGEST_SECONDS = 1e6
"""That a corpus may announce: eleven days."""

Value = TypeVar("Value")

_UNDECODABLE = re.compile("[\udc80-\udcff]")
"""What bytes become that are not UTF-8."""


class Line(NamedTuple):
    """A line of a text file, its end included, and what is wrong with it: None, or what was wanted and found."""

    number: int
    text: str
    problem: str | None


def read_lines(path: Path, wanted: str, newline: str = "\n") -> Iterator[Line]:
    """The lines of a text file; one that is not UTF-8 or holds a zero has a problem.

    Args:
        path: the file.
        wanted: what an error says that the file should be.
        newline: see `open`.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        with open(path, encoding="utf-8-sig", errors="surrogateescape", newline=newline) as file:
            for number, text in enumerate(file, start=1):
                problem = None
                if not text.isascii() and _UNDECODABLE.search(text):
                    problem = f"{wanted} wanted, found bytes that are not UTF-8"
                elif "\0" in text:
                    problem = f"{wanted} wanted, found a zero among the characters"
                yield Line(number, text, problem)
    except OSError as error:
        raise InputError(f"{path}: {wanted} wanted, {error.strerror.lower()}") from error


def good_lines(path: Path, wanted: str, bad: BadLines) -> Iterator[tuple[int, str]]:
    """The lines that have no problem, with their numbers; the others go into `bad`. Raises: see `read_lines`."""
    for number, text, problem in read_lines(path, wanted):
        if problem is None:
            yield number, text
        else:
            bad.add(f"{path}:{number}", problem)


def first_line(path: Path, wanted: str, newline: str = "\n") -> str:
    """What tells how the others are to be read; "" of an empty file.

    Raises:
        InputError: see `read_lines`; or the line has a problem.
    """
    number, text, problem = next(read_lines(path, wanted, newline), (1, "", None))
    if problem is not None:
        raise InputError(f"{path}:{number}: {problem}")
    return text


def read_rows(path: Path, delimiter: str, bad: BadLines, quoted: bool = True) -> Iterator[tuple[int, list[str]]]:
    """The rows of a table with the numbers of the lines they begin in, the header first; empty lines are left out.

    After a bad row it goes on in the line after the one in which that began: where a quote is missing, the lines up to
    the next one are not lost.

    Args:
        path: the file.
        delimiter: between two fields.
        bad: where rows go with more or fewer fields than the header, quotes that do not end, or a line with a problem.
        quoted: whether fields with delimiters, line ends or quotes stand in quotes; or else quotes are text.

    Raises:
        InputError: see `read_lines`; or the header is bad (its line is named).
    """
    options = {"delimiter": delimiter, "quoting": csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE, "strict": True}
    lines = _Again(read_lines(path, "a table", newline=""))
    reader = csv.reader(lines.texts(), **options)
    width = None
    while True:
        lines.taken.clear()
        try:
            row, problem = next(reader), None
        except StopIteration:
            return
        except _BadLine as error:
            problem, last = str(error), lines.taken[-1].number
            if len(lines.taken) > 1:  # only within quotes a row has several
                problem = f"a quote that is closed wanted, found it open as far as line {last} ({problem})"
        except csv.Error as error:
            problem = f"a table's row wanted, found one that is none ({error})"
        number = lines.taken[0].number
        if problem is None and row:
            width = len(row) if width is None else width
            if len(row) == width:
                yield number, row
            else:
                problem = f"{width} fields wanted as in the header, found {len(row)}"
        if problem is not None:
            (bad if width is not None else BadLines()).add(f"{path}:{number}", problem)
            lines.take_back()
            reader = csv.reader(lines.texts(), **options)


class _BadLine(Exception):
    """A row that would have a line with a problem."""


class _Again:
    """Lines of which the latest can be read once more."""

    def __init__(self, lines: Iterator[Line]):
        self._lines, self._again = lines, deque[Line]()
        self.taken: list[Line] = []

    def texts(self) -> Iterator[str]:
        """Raises: _BadLine: a line has a problem."""
        while line := self._again.popleft() if self._again else next(self._lines, None):
            self.taken.append(line)
            if line.problem is not None:
                raise _BadLine(line.problem)
            yield line.text

    def take_back(self) -> None:
        """All that were taken will come again, but for the first."""
        self._again.extendleft(reversed(self.taken[1:]))


def check_new(name: str, known: Container[str]) -> None:
    """Raises: InputError: an earlier line has that name."""
    if name in known:
        raise InputError(f"each once wanted, found {name[:60]!r} again")


def known(values: dict[str, Value | InputError], key: str) -> Value | None:
    """What another file tells of an utterance; None if nothing.

    Raises:
        InputError: its line there is bad.
    """
    value = values.get(key)
    if isinstance(value, InputError):
        raise InputError(str(value))
    return value


def seconds(text: str, least: float = 0.0) -> float:
    """Raises: InputError: not a number of seconds from `least` to eleven days."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not least <= number <= LONGEST_SECONDS:
        raise InputError(f"seconds wanted, found {text[:60]!r}")
    return number
