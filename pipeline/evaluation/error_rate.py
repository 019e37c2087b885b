"""Word and character error rates, by jiwer."""

from dataclasses import dataclass

import jiwer


@dataclass(frozen=True)
class ErrorRates:
    """Errors (substitutions, deletions, insertions) over the references' words or characters; above 1 is possible."""

    wer: float
    cer: float
    utterances: int


def error_rates(references: list[str], hypotheses: list[str]) -> ErrorRates:
    """Rates over all utterances together, so that long ones count for more. Both lists must have normalized texts.

    Raises:
        ValueError: the lists differ in length, or no reference has a word: there is then no rate.
    """
    if len(references) != len(hypotheses):
        raise ValueError(f"as many hypotheses as references wanted, found {len(hypotheses)} for {len(references)}")
    if not any(references):
        raise ValueError("at least one reference with words wanted, found none")
    words, characters = jiwer.process_words(references, hypotheses), jiwer.process_characters(references, hypotheses)
    return ErrorRates(words.wer, characters.cer, len(references))
