"""Forced alignment: the best path through the frames that spells a given text."""

import numpy as np

from pipeline.decoding.transcript import Run


def align(log_probs: np.ndarray, labels: list[int]) -> list[Run] | None:
    """Viterbi's path through the states of CTC (Graves et al. 2006): a blank before, between and after the labels.

    Args:
        log_probs: float [frames, units], of the true frames only.
        labels: unit ids, 1 or more.

    Returns:
        Where each label stands, in their order; None if they do not fit into the frames.
    """
    if not labels:
        return []
    frames = len(log_probs)
    states = np.zeros(2 * len(labels) + 1, int)  # blank, label, blank, label, ..., blank
    states[1::2] = labels
    may_skip = np.zeros(len(states), bool)  # the blank between different labels
    may_skip[3::2] = states[3::2] != states[1:-2:2]
    by_state = log_probs[:, states]

    score = np.full(len(states), -np.inf)
    score[:2] = 0.0  # as if a frame -1 stood before both
    steps = np.zeros((frames, len(states)), np.int8)  # how many states back each best path came from
    for time in range(frames):
        choices = np.stack([score, _shifted(score, 1), np.where(may_skip, _shifted(score, 2), -np.inf)])
        if time == 0:
            choices[1:] = -np.inf
        steps[time] = choices.argmax(axis=0)
        score = choices.max(axis=0) + by_state[time]
    if frames == 0 or not np.isfinite(score[-2:].max()):
        return None

    state = len(states) - 1 - int(score[-2] >= score[-1])
    path = np.zeros(frames, int)
    for time in range(frames - 1, -1, -1):
        path[time] = state
        state -= int(steps[time, state])
    runs = []
    for number, label in enumerate(labels):
        own = np.flatnonzero(path == 2 * number + 1)
        runs.append(Run(label, int(own[0]), int(own[-1]) + 1, float(log_probs[own, label].max())))
    return runs


def _shifted(score: np.ndarray, by: int) -> np.ndarray:
    return np.concatenate([np.full(by, -np.inf), score[:-by]])
