"""Greedy decoding: the best unit of every frame, repeats merged, blanks dropped."""

from dataclasses import dataclass

import numpy as np

BLANK = 0


@dataclass(frozen=True)
class Word:
    """A word in time: `start` and `end` in seconds, `confidence` in 0..1."""

    word: str
    start: float
    end: float
    confidence: float


@dataclass(frozen=True)
class Transcript:
    """What was heard: `confidence` in 0..1."""

    text: str
    confidence: float
    words: tuple[Word, ...]


def greedy(log_probs: np.ndarray, symbols: list[str], kind: str, frame_seconds: float) -> Transcript:
    """The transcript of one utterance.

    Args:
        log_probs: float [frames, units], of the true frames only.
        symbols: the units' texts but for the blank, which is unit 0.
        kind: "characters" or "words".
        frame_seconds: from one frame to the next.

    Returns:
        Its text, and words in time: a word lasts from the first frame of its first unit to the last of its last.
        A confidence is the geometric mean of the posteriors of the units it is about; without units, of the blanks.
    """
    runs = _runs(log_probs)
    groups: list[list[tuple[int, int, int, float]]] = [[]]
    for run in runs:
        if kind == "words" or symbols[run[0] - 1] == " ":
            groups.append([])
        if symbols[run[0] - 1] != " ":
            groups[-1].append(run)
    words = []
    for group in filter(None, groups):
        words.append(
            Word(
                word="".join(symbols[unit - 1] for unit, *_ in group),
                start=group[0][1] * frame_seconds,
                end=group[-1][2] * frame_seconds,
                confidence=_mean_probability([score for *_, score in group]),
            )
        )
    confidence = _mean_probability([score for *_, score in runs] if runs else log_probs[:, BLANK])
    return Transcript(" ".join(word.word for word in words), confidence, tuple(words))


def _runs(log_probs: np.ndarray) -> list[tuple[int, int, int, float]]:
    """(unit, first frame, frame after the last, best log posterior) of each unit on the best path."""
    if not len(log_probs):
        return []
    best = log_probs.argmax(axis=1)
    starts = np.flatnonzero(np.diff(best, prepend=-1))
    ends = np.append(starts[1:], len(best))
    return [
        (int(best[start]), int(start), int(end), float(log_probs[start:end, best[start]].max()))
        for start, end in zip(starts, ends, strict=True)
        if best[start] != BLANK
    ]


def _mean_probability(log_posteriors) -> float:
    """The geometric mean; of nothing it is 1: an empty transcript of no frames is surely right."""
    return float(np.exp(np.mean(log_posteriors))) if len(log_posteriors) else 1.0
