"""What a decoder gives: text, and its words in time, from the path through the frames that spells them."""

import math
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np

from pipeline.text import Units

BLANK = 0

LETTER_SECONDS = 0.06
"""What a letter of a phrase takes at most. On barista's `valid` some 16 are said a second, spaces among them."""


@dataclass(frozen=True)
class Word:
    """A word in time: `start` and `end` in seconds, `confidence` in 0..1."""

    word: str
    start: float
    end: float
    confidence: float


@dataclass(frozen=True)
class Transcript:
    """What was heard: `confidence` in 0..1.

    Attributes:
        is_scaled: whether the confidence of the text is final; others are of posteriors, and go through `Calibration`.
    """

    text: str
    confidence: float
    words: tuple[Word, ...]

    is_scaled: ClassVar[bool] = False

    def unanswered(self) -> Self:
        """Without text, for it is too unsure; as unsure as before."""
        return replace(self, text="", words=())

    def joined(self, other: Self) -> Self:
        """This utterance and the one that follows it; one without words changes nothing."""
        if not (self.text and other.text):
            return self if self.text else other
        text = f"{self.text} {other.text}"
        return replace(
            self, text=text, confidence=min(self.confidence, other.confidence), words=self.words + other.words
        )


@dataclass(frozen=True)
class Run:
    """A unit on a path: from frame `start` to before frame `end`, its best log posterior among them."""

    unit: int
    start: int
    end: int
    score: float


def spell(
    runs: list[Run], log_probs: np.ndarray, units: Units, frame_seconds: float, pause_frames: float = math.inf
) -> Transcript:
    """The transcript of a path.

    Args:
        runs: of the path's units, in the order of time, without blanks.
        log_probs: float [frames, units], of the utterance.
        units: of the model.
        frame_seconds: from one frame to the next.
        pause_frames: so many blanks between two units part words as a space does.

    Returns:
        Its text, and words in time: a word lasts from the first frame of its first unit to the last of its last. Of a
        phrase that is one unit, earlier words are earlier by what the letters after them take.
        A confidence is the geometric mean of the posteriors of the units it is about; without units, of the blanks.
    """
    groups: list[list[Run]] = [[]]
    texts = units.texts
    before = 0
    for run in runs:
        if units.kind == "words" or texts[run.unit] == " " or run.start - before >= pause_frames:
            groups.append([])
        before = run.end
        if texts[run.unit].strip():
            groups[-1].append(run)
    words: list[Word] = []
    for group in filter(None, groups):
        found = Word(
            word="".join(texts[run.unit] for run in group),
            start=group[0].start * frame_seconds,
            end=group[-1].end * frame_seconds,
            confidence=_mean_probability([run.score for run in group]),
        )
        words += _words_of(found, words[-1].end if words else 0.0)
    confidence = _mean_probability([run.score for run in runs] if runs else log_probs[:, BLANK])
    return Transcript(" ".join(word.word for word in words), confidence, tuple(words))


def _words_of(found: Word, earliest: float) -> list[Word]:
    """The words of a unit, which may be a phrase: the last one where the unit is, the others before it."""
    words, later = [], 0.0
    letter = min(LETTER_SECONDS, (found.start - earliest) / len(found.word))
    for word in reversed(found.word.split()):
        words.append(replace(found, word=word, start=found.start - later, end=found.end - later))
        later += (len(word) + 1) * letter
    return words[::-1]


def _mean_probability(log_posteriors) -> float:
    """The geometric mean; of nothing it is 1: an empty transcript of no frames is surely right."""
    return float(np.exp(np.mean(log_posteriors))) if len(log_posteriors) else 1.0
