"""Whether one system's error rate differs from another's by more than chance."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEVEL = 0.95
"""Of all intervals here."""

FEWEST_SPEAKERS = 8
"""With fewer, whole speakers cannot be drawn anew: there are too few different draws."""

RESAMPLES = 4000


@dataclass(frozen=True)
class Interval:
    """A mean, and where the true one lies with a probability of LEVEL; of a single value the ends are NaN."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """An error rate less another's, its interval, and the probability of one as large by chance.

    Attributes:
        resampled: what was drawn anew, "speakers" or "utterances".
    """

    difference: float
    low: float
    high: float
    p: float
    resampled: str


def mean_interval(values: Sequence[float]) -> Interval:
    """Student's interval of the mean of independent values, such as a rate's with one seed and another."""
    values = np.asarray(values, np.float64)
    mean = float(values.mean())
    if len(values) < 2:
        return Interval(mean, math.nan, math.nan)
    from scipy import stats  # here: most that evaluate have no use for it

    half = stats.t.ppf(0.5 + LEVEL / 2, len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values))
    return Interval(mean, mean - float(half), mean + float(half))


def paired_t_test(first: Sequence[float], second: Sequence[float]) -> float:
    """The two-sided p of pairs having the same mean, such as two cells' rates with the same seed each.

    NaN of fewer than two pairs. Pairs that all differ by the same amount give 0, or 1 if that is nothing.

    Raises:
        ValueError: the sequences differ in length.
    """
    differences = np.array([one - other for one, other in zip(first, second, strict=True)], np.float64)
    if len(differences) < 2:
        return math.nan
    error = differences.std(ddof=1) / math.sqrt(len(differences))
    if error < 1e-12:
        return 1.0 if abs(differences.mean()) < 1e-12 else 0.0
    from scipy import stats

    return float(2 * stats.t.sf(abs(differences.mean()) / error, len(differences) - 1))


def paired_bootstrap(
    first: np.ndarray,
    second: np.ndarray,
    words: np.ndarray,
    speakers: Sequence[str | None],
    seed: int = 0,
) -> Difference:
    """How much more errors a word the first system makes than the second (Bisani & Ney 2004).

    Whole speakers are drawn anew, since utterances of one are alike; or utterances, if there are fewer than
    FEWEST_SPEAKERS: what is found then holds for these speakers.

    Args:
        first, second: float [utterances], errors in the same utterances; of several trainings, their mean.
        words: int [utterances], in the references.
        speakers: of the utterances.
        seed: of the draws.
    """
    more = np.asarray(first, np.float64) - np.asarray(second, np.float64)
    words = np.asarray(words, np.float64)
    named = sorted({speaker for speaker in speakers if speaker is not None})
    by_speaker = len(named) >= FEWEST_SPEAKERS and None not in speakers
    if by_speaker:
        groups = np.array([named.index(speaker) for speaker in speakers])
        more = np.bincount(groups, more)
        words = np.bincount(groups, words)
    random = np.random.default_rng(seed)
    counts = random.multinomial(len(more), np.full(len(more), 1 / len(more)), size=RESAMPLES)
    drawn_words = counts @ words
    rates = (counts @ more)[drawn_words > 0] / drawn_words[drawn_words > 0]
    low, high = np.quantile(rates, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    # One is added to both counts: a p of 0 cannot be known from a finite number of draws.
    beyond = min((rates <= 0).sum(), (rates >= 0).sum())
    p = min(1.0, 2 * (beyond + 1) / (len(rates) + 1))
    return Difference(
        float(more.sum() / words.sum()), float(low), float(high), float(p), "speakers" if by_speaker else "utterances"
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """The p values of several tests, each raised so that all hold together (Holm 1979). NaN stays what it is."""
    known = sorted((p, number) for number, p in enumerate(p_values) if not math.isnan(p))
    corrected, most = list(p_values), 0.0
    for rank, (p, number) in enumerate(known):
        most = max(most, min(1.0, (len(known) - rank) * p))
        corrected[number] = most
    return corrected


def word_errors(reference: str, hypothesis: str) -> int:
    """Substitutions, deletions and insertions of words. Normalized texts."""
    import jiwer

    if not reference:
        return len(hypothesis.split())
    counts = jiwer.process_words(reference, hypothesis)
    return counts.substitutions + counts.deletions + counts.insertions
