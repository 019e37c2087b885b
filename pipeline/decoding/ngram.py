"""An n-gram language model from text: interpolated modified Kneser-Ney, in the form of ARPA files."""

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

from pipeline.decoding.arpa import LN_10, Ngrams
from pipeline.decoding.language_model import BEGIN, END, UNKNOWN
from pipeline.errors import InputError

Ngram = tuple[str, ...]

FALLBACK = (0.5, 1.0, 1.5)
"""Discounts where counts are too few or too regular to tell any, as in the sentences of a small grammar."""


def estimate(texts: Iterable[str], order: int = 3) -> Ngrams:
    """The model of Chen and Goodman (1999), "An empirical study of smoothing techniques for language modeling".

    Every n-gram's probability is its discounted count plus the context's back-off weight times the probability without
    the first word. Of orders below the highest, what is counted is how many different words stand before an n-gram. The
    unigrams are interpolated with equal probabilities for all words, <unk> among them. So the probabilities of every
    context sum to 1 over all words, </s> and <unk>.

    Args:
        texts: utterances, words separated by spaces; empty ones count as such.
        order: words in the longest n-grams, 1 or more.

    Raises:
        InputError: an order below 1, no word at all, or one of the three that have a meaning here.
    """
    if order < 1:
        raise InputError(f"order: 1 or more wanted, found {order}")
    sentences = [(BEGIN, *_words(text), END) for text in texts]
    if all(len(sentence) == 2 for sentence in sentences):
        raise InputError("text with at least one word wanted, found none")
    words = {word for sentence in sentences for word in sentence} - {BEGIN} | {UNKNOWN}
    below: dict[Ngram, float] = {(word,): 1 / len(words) for word in words}
    weights: dict[Ngram, float] = {}
    probabilities: dict[Ngram, float] = {}
    for counts in _counts(sentences, order):
        level, weights_here = _interpolate(counts, below)
        # The unigrams are all words, seen or not; longer n-grams only those seen.
        below = (
            {word: weights_here[()] * below[word] + level.get(word, 0.0) for word in below} if not weights else level
        )
        probabilities |= below
        weights |= weights_here
    del weights[()]
    return _as_arpa(order, probabilities, weights)


def _words(text: str) -> list[str]:
    words = text.split()
    for word in words:
        if word in (BEGIN, END, UNKNOWN):
            raise InputError(f"text without {BEGIN}, {END} and {UNKNOWN} wanted, found {text[:60]!r}")
    return words


def _counts(sentences: list[Ngram], order: int) -> Iterable[Counter]:
    """Of each order up to the highest, what stands for the counts; <s> is never counted as a word to come."""
    raw = [
        Counter(
            sentence[start : start + length]
            for sentence in sentences
            for start in range(len(sentence) - length + 1)
            if start + length > 1
        )
        for length in range(1, order + 1)
    ]
    for here, longer in itertools.pairwise(raw):
        different_before = Counter(ngram[1:] for ngram in longer)
        # Nothing can stand before <s>.
        yield Counter({ngram: different_before.get(ngram, count) for ngram, count in here.items()})
    yield raw[-1]


def _interpolate(counts: Counter, below: dict[Ngram, float]) -> tuple[dict[Ngram, float], dict[Ngram, float]]:
    """Probabilities of the n-grams counted, and the back-off weights of their contexts."""
    discounts = discounts_of(counts.values())
    total, discounted = Counter(), defaultdict(float)
    for ngram, count in counts.items():
        total[ngram[:-1]] += count
        discounted[ngram[:-1]] += discounts[min(count, 3) - 1]
    weights = {context: discounted[context] / total[context] for context in total}
    probabilities = {}
    for ngram, count in counts.items():
        context = ngram[:-1]
        own = (count - discounts[min(count, 3) - 1]) / total[context]
        probabilities[ngram] = own + (weights[context] * below[ngram[1:]] if context else 0.0)
    return probabilities, weights


def discounts_of(counts: Iterable[int]) -> tuple[float, float, float]:
    """What is taken off counts of 1, of 2, and of more (Chen and Goodman 1999, equation 26).

    Where a number of the formula is 0, or what it gives would leave nothing or add something, it is `FALLBACK`.
    """
    ones, twos, threes, fours = (Counter(counts)[number] for number in range(1, 5))
    if not (ones and twos and threes and fours):
        return FALLBACK
    share = ones / (ones + 2 * twos)
    found = (1 - 2 * share * twos / ones, 2 - 3 * share * threes / twos, 3 - 4 * share * fours / threes)
    return found if all(0 < value < count for count, value in enumerate(found, start=1)) else FALLBACK


def _as_arpa(order: int, probabilities: dict[Ngram, float], weights: dict[Ngram, float]) -> Ngrams:
    log_probs = {(BEGIN,): -99 * LN_10}  # never predicted; the number is a custom
    log_probs |= {ngram: math.log(probability) for ngram, probability in probabilities.items()}
    return Ngrams(order, log_probs, {context: math.log(weight) for context, weight in weights.items()})


def write_arpa(path: str | Path, ngrams: Ngrams) -> None:
    """Writes an ARPA file, plain."""
    by_order: list[list[Ngram]] = [[] for _ in range(ngrams.order)]
    for ngram in ngrams.log_probs:
        by_order[len(ngram) - 1].append(ngram)
    with Path(path).open("w", encoding="utf-8") as file:
        file.write("\\data\\\n")
        for number, level in enumerate(by_order, start=1):
            file.write(f"ngram {number}={len(level)}\n")
        for number, level in enumerate(by_order, start=1):
            file.write(f"\n\\{number}-grams:\n")
            for ngram in sorted(level):
                backoff = f"\t{ngrams.backoffs[ngram] / LN_10:.7f}" if ngram in ngrams.backoffs else ""
                file.write(f"{ngrams.log_probs[ngram] / LN_10:.7f}\t{' '.join(ngram)}{backoff}\n")
        file.write("\n\\end\\\n")
