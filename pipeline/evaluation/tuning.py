"""Which weights of a language model give the fewest errors."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from pipeline.evaluation.error_rate import ErrorRates, error_rates


@dataclass(frozen=True)
class Trial:
    """Weights, see `DecodingWeights`, and how they did."""

    language_model_weight: float
    word_bonus: float
    rates: ErrorRates


def try_weights(
    decoder: Callable[[float, float], Callable[[np.ndarray], str]],
    utterances: list[tuple[np.ndarray, str]],
    settings: Iterable[tuple[float, float]],
) -> Iterable[Trial]:
    """One setting after another.

    Args:
        decoder: a weight and a bonus -> log posteriors float [frames, units] -> text, normalized.
        utterances: log posteriors and the reference, normalized.
        settings: weights of the language model with bonuses of words.
    """
    references = [reference for _, reference in utterances]
    for weight, bonus in settings:
        decode = decoder(weight, bonus)
        yield Trial(weight, bonus, error_rates(references, [decode(log_probs) for log_probs, _ in utterances]))


def best_of(trials: list[Trial]) -> Trial:
    """The one with the lowest word error rate, then character error rate; of equals the one that changes least."""
    return min(
        trials, key=lambda trial: (trial.rates.wer, trial.rates.cer, trial.language_model_weight, abs(trial.word_bonus))
    )
