"""ARPA files: the text form of back-off language models."""

import gzip
import math
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.errors import InputError

LN_10 = math.log(10.0)
_NEVER = -100.0 * LN_10
"""For a log probability of minus infinity, so that sums stay finite."""


@dataclass
class Ngrams:
    """Natural log probabilities of n-grams, and the back-off weights of those that have one."""

    order: int = 0
    log_probs: dict[tuple[str, ...], float] = field(default_factory=dict)
    backoffs: dict[tuple[str, ...], float] = field(default_factory=dict)


def read_arpa(path: str | Path) -> Ngrams:
    """All n-grams of a file, plain or gzipped.

    Raises:
        InputError: the file is missing or damaged; the message names the line.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            zipped = file.read(2) == b"\x1f\x8b"
        with gzip.open(path) if zipped else path.open("rb") as file:
            return _Reader(path, file).read()
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path}: a whole gzip file wanted, found a damaged one ({error})") from error
    except OSError as error:
        raise InputError(f"{path}: a language model wanted, {str(error.strerror).lower()}") from error


class _Reader:
    def __init__(self, path: Path, file: Iterator[bytes]):
        self._path, self._file = path, file
        self._number, self._raw, self._line = 0, b"", ""
        self._found = Ngrams()
        self._shared: dict[str, str] = {}  # each word in memory once

    def read(self) -> Ngrams:
        while self._next() != "\\data\\":  # what stands before it is comment
            pass
        counts = self._counts()
        for order, count in enumerate(counts, start=1):
            if self._line != f"\\{order}-grams:":
                self._fail(f"'\\{order}-grams:'")
            self._section(order, count, last=order == len(counts))
        if self._line != "\\end\\":
            self._fail("'\\end\\'")
        return self._found

    def _counts(self) -> list[int]:
        counts = []
        while not self._next().startswith("\\"):
            match = re.fullmatch(r"ngram\s+(\d+)\s*=\s*(\d+)", self._line)
            if not match or int(match[1]) != len(counts) + 1:
                self._fail(f"'ngram {len(counts) + 1}=COUNT'")
            counts.append(int(match[2]))
        if not counts:
            self._fail("'ngram 1=COUNT'")
        self._found.order = len(counts)
        return counts

    def _section(self, order: int, count: int, last: bool) -> None:
        log_probs, backoffs = self._found.log_probs, self._found.backoffs
        before = len(log_probs)
        while not self._next().startswith("\\"):
            fields = [part.decode() for part in self._raw.split()]  # of bytes: a no-break space is part of its word
            if len(fields) != order + 1 and (len(fields) != order + 2 or last):
                self._fail(f"a log probability, {order} words and {'nothing' if last else 'perhaps a back-off weight'}")
            ngram = tuple(self._shared.setdefault(word, word) for word in fields[1 : order + 1])
            if ngram in log_probs:
                self._fail("every n-gram once")
            if order > 1 and ngram[:-1] not in log_probs:
                self._fail(f"{' '.join(ngram[:-1])!r} among the {order - 1}-grams before")
            if order > 1 and ngram[-1:] not in log_probs:
                self._fail(f"{ngram[-1]!r} among the 1-grams before")
            log_probs[ngram] = self._log(fields[0], "a log probability of 0 or below", highest=0.0)
            if len(fields) == order + 2:
                backoff = self._log(fields[-1], "a back-off weight", highest=math.inf)
                if backoff:
                    backoffs[ngram] = backoff
        if len(log_probs) - before != count:
            self._fail(
                f"{count} {order}-grams before this line, as 'ngram {order}={count}' says,", len(log_probs) - before
            )

    def _log(self, text: str, wanted: str, highest: float) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not value <= highest or value == math.inf:
            self._fail(wanted, repr(text))
        return max(value * LN_10, _NEVER)

    def _next(self) -> str:
        """The next line that is not empty, without the white space around it."""
        for line in self._file:
            self._raw = line
            self._number += 1
            try:
                self._line = line.decode("utf-8").strip()
            except UnicodeDecodeError:
                self._fail("UTF-8", repr(line[:40]))
            if self._line:
                return self._line
        self._line = "the end of the file"
        return self._fail("'\\data\\'" if not self._found.order else "'\\end\\'", self._line)

    def _fail(self, wanted: str, found: object = None) -> str:
        found = repr(self._line[:60]) if found is None else found
        raise InputError(f"{self._path}:{self._number}: an ARPA file with {wanted} wanted, found {found}")
