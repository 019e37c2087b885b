"""Calibrated confidence: the probability that a word, or a whole text, is right."""

from dataclasses import dataclass

import numpy as np

from pipeline.errors import InputError

SMALLEST = 1e-6
"""Confidences nearer to 0 or 1 count as this near: the logit of 0 and 1 is infinite."""


@dataclass(frozen=True)
class Calibration:
    """Platt scaling (Platt 1999) of confidences: the logit of the probability is `slope * logit(confidence) + offset`.

    `pipeline.evaluation.calibration.fit_calibration` finds the numbers. Slopes are above 0, so of two confidences the
    higher stays the higher.

    Attributes:
        word: slope and offset for words.
        utterance: slope and offset for whole texts.

    >>> Calibration().word_probability(0.25)
    0.25
    """

    word: tuple[float, float] = (1.0, 0.0)
    utterance: tuple[float, float] = (1.0, 0.0)

    def word_probability(self, confidence: float) -> float:
        """The probability that a word of this confidence is right."""
        return float(scaled(confidence, self.word))

    def utterance_probability(self, confidence: float) -> float:
        """The probability that a whole text of this confidence is right, each word of it and none missing."""
        return float(scaled(confidence, self.utterance))

    def to_json(self) -> dict[str, list[float]]:
        """Values for a JSON file."""
        return {"word": list(self.word), "utterance": list(self.utterance)}

    @classmethod
    def from_json(cls, values: object) -> "Calibration":
        """What `to_json` gave.

        Raises:
            InputError: it is something else.
        """
        if not isinstance(values, dict) or set(values) != {"word", "utterance"}:
            raise InputError(f"calibration: an object with 'word' and 'utterance' wanted, found {values!r}")
        return cls(**{key: _slope_and_offset(key, pair) for key, pair in values.items()})


def scaled(confidences: float | np.ndarray, slope_and_offset: tuple[float, float]) -> np.ndarray:
    """Probabilities of confidences of any shape, both in 0..1."""
    slope, offset = slope_and_offset
    return 1 / (1 + np.exp(-(slope * logit(confidences) + offset)))


def logit(confidences: float | np.ndarray) -> np.ndarray:
    """log(p / (1 - p)), finite for 0 and 1 too."""
    confidences = np.clip(np.asarray(confidences, np.float64), SMALLEST, 1 - SMALLEST)
    return np.log(confidences / (1 - confidences))


def _slope_and_offset(key: str, pair: object) -> tuple[float, float]:
    good = isinstance(pair, list | tuple) and len(pair) == 2 and all(type(value) in (int, float) for value in pair)
    if not good or not np.isfinite(pair).all() or pair[0] <= 0:
        raise InputError(f"calibration: {key}: a slope above 0 and an offset wanted, found {pair!r}")
    return float(pair[0]), float(pair[1])
