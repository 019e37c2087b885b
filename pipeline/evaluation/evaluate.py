"""A recognizer's error rates on utterances."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from pipeline.data.utterances import Skipped, Utterance, reason_of
from pipeline.decoding.transcript import Transcript
from pipeline.errors import InputError, UnreadableError
from pipeline.evaluation.calibration import Judged, judge
from pipeline.evaluation.error_rate import ErrorRates, error_rates


@dataclass(frozen=True)
class Heard:
    """An utterance with what was said and what was heard, both normalized."""

    name: str
    reference: str
    hypothesis: str


@dataclass(frozen=True)
class Evaluation:
    """`real_time_factor` is seconds of recognition, without reading files, a second of audio.

    `words` and `utterances` are their confidences, and whether they are right.
    """

    rates: ErrorRates
    heard: list[Heard]
    words: Judged
    utterances: Judged
    audio_seconds: float
    real_time_factor: float


def evaluate(
    transcribe: Callable[[np.ndarray], Transcript],
    utterances: Iterable[Utterance],
    lengths_per_second: float,
    normalize: Callable[[str], str],
    skipped: Skipped,
) -> Evaluation:
    """One utterance after another, as a user would have them recognized.

    Args:
        transcribe: float32 [samples], or features float32 [frames, coefficients] -> what is said.
        utterances: with references; those that cannot be read go into `skipped`.
        lengths_per_second: samples a second, or frames of features.
        normalize: what references and hypotheses go through before they are compared.
        skipped: see above.

    Raises:
        InputError: no utterance could be read, or no reference has a word.
    """
    heard: list[Heard] = []
    transcripts: list[Transcript] = []
    length, seconds = 0, 0.0
    for utterance in utterances:
        try:
            audio = utterance.load()
        except UnreadableError as error:
            skipped.add(utterance.name, reason_of(utterance, error))
            continue
        if not heard:
            transcribe(audio)  # the first call also prepares the model
        begin = time.perf_counter()
        transcript = transcribe(audio)
        seconds += time.perf_counter() - begin
        length += len(audio)
        transcripts.append(transcript)
        heard.append(Heard(utterance.name, normalize(utterance.transcript), normalize(transcript.text)))
    if not heard:
        raise InputError(f"no utterance could be read: {skipped.summary(len(skipped))}")
    if not any(item.reference for item in heard):
        raise InputError("at least one reference with words wanted, found none: there is nothing to rate")
    references = [item.reference for item in heard]
    rates = error_rates(references, [item.hypothesis for item in heard])
    heard_seconds = length / lengths_per_second
    return Evaluation(rates, heard, *judge(references, transcripts), heard_seconds, seconds / heard_seconds)
