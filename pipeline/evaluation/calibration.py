"""How well confidences tell whether a transcript is right, and the scaling that makes them probabilities."""

from collections.abc import Sequence
from dataclasses import dataclass

import jiwer
import numpy as np

from pipeline.decoding.confidence import Calibration, logit, scaled
from pipeline.decoding.transcript import Transcript

SMALLEST_SLOPE = 0.05
"""A scaling is never flatter: confidences that say nothing, or the contrary of the truth, keep their order."""
PRIOR = 0.1
"""Precision of the Gaussian prior on slope and offset, around (1, 0): a few dozen items outweigh it."""


@dataclass(frozen=True)
class Judged:
    """Confidences, and whether what they are about is right.

    Attributes:
        confidences: float [items], in 0..1.
        right: bool [items].
    """

    confidences: np.ndarray
    right: np.ndarray

    def scaled(self, slope_and_offset: tuple[float, float]) -> "Judged":
        return Judged(scaled(self.confidences, slope_and_offset), self.right)


@dataclass(frozen=True)
class Bin:
    """The items with confidences from above `low` to `high`; both means are NaN if `count` is 0."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


def label_words(reference: str, hypothesis: str) -> list[bool]:
    """Which words of a hypothesis are right: those that `matched_words` finds in the reference."""
    return [place is not None for place in matched_words(reference, hypothesis)]


def matched_words(reference: str, hypothesis: str) -> list[int | None]:
    """For each word of a hypothesis, where it stands in the reference by jiwer's alignment. Normalized texts."""
    places: list[int | None] = [None] * len(hypothesis.split())
    if not reference.split() or not places:
        return places
    for chunk in jiwer.process_words(reference, hypothesis).alignments[0]:
        if chunk.type == "equal":
            places[chunk.hyp_start_idx : chunk.hyp_end_idx] = range(chunk.ref_start_idx, chunk.ref_end_idx)
    return places


def judge(references: Sequence[str], transcripts: Sequence[Transcript]) -> tuple[Judged, Judged]:
    """The words, and the whole texts, of transcripts of utterances whose normalized texts are known.

    Raises:
        ValueError: the sequences differ in length.
    """
    right_words: list[bool] = []
    for reference, transcript in zip(references, transcripts, strict=True):
        right_words += label_words(reference, transcript.text)
    words = [word.confidence for transcript in transcripts for word in transcript.words]
    texts = [transcript.confidence for transcript in transcripts]
    right_texts = [reference == found.text for reference, found in zip(references, transcripts, strict=True)]
    return (
        Judged(np.array(words, np.float64), np.array(right_words, bool)),
        Judged(np.array(texts, np.float64), np.array(right_texts, bool)),
    )


def fit_calibration(words: Judged, utterances: Judged) -> Calibration:
    """The scaling that suits judged transcripts best; of nothing it leaves confidences as they are."""
    return Calibration(
        word=fit_scaling(words.confidences, words.right),
        utterance=fit_scaling(utterances.confidences, utterances.right),
    )


def fit_scaling(confidences: np.ndarray, right: np.ndarray) -> tuple[float, float]:
    """Slope and offset of Platt scaling by the likeliest of them, with a prior around (1, 0).

    The prior keeps the numbers finite if everything is right, or everything wrong.
    """
    inputs = logit(confidences)
    slope, offset = _newton(np.stack([inputs, np.ones_like(inputs)], axis=1), 0.0, right, np.array([1.0, 0.0]))
    if slope < SMALLEST_SLOPE:
        slope = SMALLEST_SLOPE
        (offset,) = _newton(np.ones((len(inputs), 1)), slope * inputs, right, np.zeros(1))
    return float(slope), float(offset)


def expected_calibration_error(confidences: np.ndarray, right: np.ndarray, bins: int = 10) -> float:
    """ECE (Guo et al. 2017, equation 3): how far confidence is from accuracy in a bin, on average over the items.

    Args:
        confidences: float [items], in 0..1.
        right: bool [items].
        bins: of equal width.

    Returns:
        In 0..1; without items 0. Its noise is of the order of 1 over the root of the number of items in a bin: tell
        that number beside it.
    """
    table = [row for row in reliability(confidences, right, bins) if row.count]
    return sum(row.count * abs(row.accuracy - row.confidence) for row in table) / max(1, len(confidences))


def reliability(confidences: np.ndarray, right: np.ndarray, bins: int = 10) -> list[Bin]:
    """Accuracy against mean confidence, in bins of equal width; see `expected_calibration_error`."""
    confidences, right = np.asarray(confidences, np.float64), np.asarray(right, bool)
    if confidences.shape != right.shape:
        raise ValueError(f"as many confidences as judgements wanted, found {confidences.shape} and {right.shape}")
    places = np.clip(np.ceil(confidences * bins) - 1, 0, bins - 1).astype(int)
    table = []
    for number in range(bins):
        inside = places == number
        count = int(inside.sum())
        means = (float(confidences[inside].mean()), float(right[inside].mean())) if count else (np.nan, np.nan)
        table.append(Bin(number / bins, (number + 1) / bins, count, *means))
    return table


def _newton(inputs: np.ndarray, fixed: float | np.ndarray, right: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Weights of a logistic regression with a Gaussian prior around `start`.

    Args:
        inputs: float [items, weights].
        fixed: what is added to each item's logit.
        right: bool [items].
        start: float [weights].
    """

    def loss(weights: np.ndarray) -> float:
        logits = inputs @ weights + fixed
        likelihood = np.logaddexp(0, np.where(right, -logits, logits)).sum()
        return likelihood + PRIOR / 2 * np.sum((weights - start) ** 2)

    weights = start
    for _ in range(100):
        probabilities = 1 / (1 + np.exp(-(inputs @ weights + fixed)))
        gradient = inputs.T @ (probabilities - right) + PRIOR * (weights - start)
        curvature = (inputs.T * (probabilities * (1 - probabilities))) @ inputs + PRIOR * np.eye(len(start))
        step = np.linalg.solve(curvature, gradient)
        while loss(weights - step) > loss(weights) and np.abs(step).max() > 1e-12:
            step = step / 2  # far from the optimum a full step may lead beyond it
        weights = weights - step
        if np.abs(step).max() < 1e-9:
            break
    return weights
