"""Greedy decoding: the best unit of every frame, repeats merged, blanks dropped."""

import numpy as np

from pipeline.decoding.transcript import BLANK, Run, Transcript, spell
from pipeline.text import Units


def greedy(log_probs: np.ndarray, units: Units, frame_seconds: float) -> Transcript:
    """The transcript of one utterance.

    Args:
        log_probs: float [frames, units], of the true frames only.
        units: of the model.
        frame_seconds: from one frame to the next.

    Returns:
        See `transcript.spell`.
    """
    return spell(best_runs(log_probs), log_probs, units, frame_seconds)


def best_runs(log_probs: np.ndarray) -> list[Run]:
    """The units on the best path through the frames."""
    if not len(log_probs):
        return []
    best = log_probs.argmax(axis=1)
    starts = np.flatnonzero(np.diff(best, prepend=-1))
    ends = np.append(starts[1:], len(best))
    return [
        Run(int(best[start]), int(start), int(end), float(log_probs[start:end, best[start]].max()))
        for start, end in zip(starts, ends, strict=True)
        if best[start] != BLANK
    ]
