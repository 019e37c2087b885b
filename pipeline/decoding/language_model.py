"""N-gram language models: ARPA text by a reader of our own, KenLM's binary files by the package kenlm."""

import logging
import math
import mmap
from collections.abc import Collection, Hashable, Iterable
from pathlib import Path
from typing import Protocol

from pipeline.decoding.arpa import Ngrams, read_arpa
from pipeline.errors import InputError
from pipeline.text import Units

log = logging.getLogger(__name__)

BEGIN, END, UNKNOWN = "<s>", "</s>", "<unk>"
LN_10 = math.log(10.0)
DEFAULT_UNKNOWN = -10 * LN_10
"""Natural log probability of a word that a model does not know, if it has no <unk> to say."""

_BINARY = b"mmap lm http://kheafield.com/code"
_SPACE_MARKS = {"<space>", "<sp>", "|", "_", "\u2581", "\u2423"}
_FEW = 0.05


class LanguageModel(Protocol):
    """Probabilities of words, given the words before. All are natural logarithms.

    Attributes:
        words: all that it knows, without <s>, </s> and <unk>.
    """

    words: Collection[str]

    def start(self) -> Hashable:
        """The state at the beginning of an utterance."""

    def score(self, state: Hashable, word: str) -> tuple[float, Hashable]:
        """The log probability of the word in that state, 0 or below, and the state after it."""

    def end(self, state: Hashable) -> float:
        """The log probability that the utterance ends in that state."""


def load_language_model(path: str | Path, units: Units, unknown: float | None = None) -> LanguageModel:
    """A model from an ARPA file, plain or gzipped, or from a binary file of KenLM.

    Args:
        path: the file; what it is is told by its content.
        units: of the acoustic model, which must be able to spell the words.
        unknown: natural log probability of words that the model does not know; None takes the model's own for <unk>,
            or `DEFAULT_UNKNOWN` if it has none.

    Raises:
        InputError: the file is missing, damaged (the line is named), or of other units than the acoustic model's; or
            it is binary and the package kenlm is not installed.
    """
    path = Path(path)
    if unknown is not None and not -math.inf < unknown <= 0:
        raise InputError(f"language model: for unknown words a log probability of 0 or below wanted, found {unknown}")
    try:
        with path.open("rb") as file:
            binary = file.read(len(_BINARY)) == _BINARY
    except OSError as error:
        raise InputError(f"{path}: a language model wanted, {error.strerror.lower()}") from error
    model = KenlmModel(path, unknown) if binary else BackoffModel(read_arpa(path), unknown)
    _check_units(path, model.words, units)
    return model


class BackoffModel:
    """A back-off model (Katz 1987): an n-gram that is not listed has the probability of the one without its first word,
    times the back-off weight of the words before. A state is the longest listed end of the words so far.

    Args:
        ngrams: what `read_arpa` gives.
        unknown: see `load_language_model`.
    """

    def __init__(self, ngrams: Ngrams, unknown: float | None = None):
        self._longest = ngrams.order - 1
        self._log_probs, self._backoffs = ngrams.log_probs, ngrams.backoffs
        vocabulary = {ngram[0] for ngram in self._log_probs if len(ngram) == 1}
        self._unknown = unknown
        self._log_probs.setdefault((UNKNOWN,), DEFAULT_UNKNOWN)
        self._begin = (BEGIN,) if BEGIN in vocabulary and self._longest else ()
        self._has_end = END in vocabulary
        self.words = frozenset(vocabulary - {BEGIN, END, UNKNOWN})

    def start(self) -> tuple[str, ...]:
        return self._begin

    def score(self, state: tuple[str, ...], word: str) -> tuple[float, tuple[str, ...]]:
        if word in self.words:
            return self._score(state, word)
        score, after = self._score(state, UNKNOWN)
        return score if self._unknown is None else self._unknown, after

    def end(self, state: tuple[str, ...]) -> float:
        return self._score(state, END)[0] if self._has_end else 0.0

    def _score(self, state: tuple[str, ...], word: str) -> tuple[float, tuple[str, ...]]:
        backed_off = 0.0
        while True:
            ngram = (*state, word)
            found = self._log_probs.get(ngram)
            if found is not None:
                return backed_off + found, ngram[max(0, len(ngram) - self._longest) :]
            backed_off += self._backoffs.get(state, 0.0)
            state = state[1:]


class KenlmModel:
    """A binary file of KenLM (Heafield 2011), read by its own library.

    Args:
        path: the file.
        unknown: see `load_language_model`; what KenLM says without an <unk> is 1e-100.

    Raises:
        InputError: the package is not installed, or it cannot read the file.
    """

    def __init__(self, path: Path, unknown: float | None = None):
        try:
            import kenlm
        except ImportError as error:
            raise InputError(
                f"{path}: for KenLM's binary files the package kenlm is wanted, it is not installed "
                "(pip install -r requirements-kenlm.txt); ARPA files need none"
            ) from error
        try:
            self._model = kenlm.Model(str(path))
        except (OSError, RuntimeError) as error:
            problem = " ".join(str(error).split()).rpartition("'. ")[2].strip("()")  # without where in KenLM's source
            raise InputError(f"{path}: a whole KenLM file wanted, found a damaged one ({problem})") from error
        self._state = kenlm.State
        self._unknown = unknown
        self.words = _kenlm_words(path)

    def start(self) -> Hashable:
        state = self._state()
        self._model.BeginSentenceWrite(state)
        return state

    def score(self, state: Hashable, word: str) -> tuple[float, Hashable]:
        after = self._state()
        if self._unknown is not None and word not in self._model:
            self._model.BaseScore(state, UNKNOWN, after)
            return self._unknown, after
        return LN_10 * self._model.BaseScore(state, word, after), after

    def end(self, state: Hashable) -> float:
        return LN_10 * self._model.BaseScore(state, END, self._state())


def _kenlm_words(path: Path) -> list[str]:
    """The words that close a binary file, each with a zero byte after it, <unk> first; none if it was made without."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        start = content.rfind(UNKNOWN.encode() + b"\0")
        words = content[start:].decode("utf-8", "replace").split("\0") if start >= 0 else []
    return [word for word in words if word and word not in (BEGIN, END, UNKNOWN)]


def _check_units(path: Path, words: Iterable[str], units: Units) -> None:
    words = list(words)
    if not words:
        return
    if units.kind == "words":
        spoken = units.words
        shared = len(spoken.intersection(words))
        if shared * 2 < min(len(spoken), len(words)):  # either may be a part of the other
            raise InputError(f"{path}: {_wanted(units)}, found {shared} of {len(spoken)}, but {_examples(words)}")
        return
    single = sum(word in _SPACE_MARKS or (len(word) == 1 and word.isalpha()) for word in words)
    if len(words) >= 5 and single > len(words) * (1 - _FEW):
        raise InputError(f"{path}: a language model of words wanted, found one of characters: {_examples(words)}")
    symbols = set(units.symbols)
    spelled = sum(symbols.issuperset(word) for word in words)
    if spelled <= len(words) * _FEW:
        raise InputError(
            f"{path}: {_wanted(units)}, found {spelled} of {len(words)} that they can spell, with {_examples(words)}"
        )
    if spelled < len(words):
        others = [word for word in words if not symbols.issuperset(word)]
        log.warning(
            "%s: %d of its %d words will never be heard, the units cannot spell them: %s",
            path,
            len(others),
            len(words),
            _examples(others),
        )


def _wanted(units: Units) -> str:
    symbols = "".join(units.symbols).strip() if units.kind == "characters" else ", ".join(units.symbols[:8])
    return f"a language model of words in the model's units ({symbols:.60}) wanted"


def _examples(words: list[str]) -> str:
    return ", ".join(repr(word) for word in sorted(words)[:5])
