"""Keyword search by text in the log posteriors of a CTC model: the score.

A keyword need not be known in training, only be spelled by the units. Its score compares the best way to say it in
a window with the best way to say anything there. With log posteriors l_t(u) and d_t(u) = l_t(u) - max_v l_t(v):

    score = exp(max (left_s + path(s, e) + right_e) / n)    over windows of frames s..e; n is the keyword's units

`path` is that of a Viterbi path of CTC (Graves et al. 2006) through the keyword's n units, from the first to the last:
blanks optional between different units, at least one between equal ones. A unit's first frame counts l_t(u), each
further frame of it d_t(u), each blank d_t(blank). So a score is the geometric mean of the units' posteriors where the
free best path spells the keyword, and less where that path had to be left.

`left` and `right` keep 'art' out of 'start'. They are 0 for units without a space. With one, they are the cost of a
boundary beside the window: frames of blanks and spaces, each counting d_t, with a space among them or at least
BOUNDARY_SECONDS of them, of which fewer will do at the start and the end of the audio.

Why so: [docs/keywords.md](../../docs/keywords.md). `keywords_graph.spot` is the same score as TensorFlow operations.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from pipeline.decoding.transcript import BLANK
from pipeline.errors import InputError
from pipeline.text import OTHER, Units, UnknownSymbol

BOUNDARY_SECONDS = 0.3
"""So much of blanks is a boundary between words without a space; inside words they are a fraction of that."""

FLOOR = -32.0
"""Log posteriors below count as this: a frame that is sure of another unit is not surer for a thousand."""


@dataclass(frozen=True)
class Detection:
    """A keyword that was heard: from `start` to `end` in seconds, `score` in 0..1."""

    keyword: str
    start: float
    end: float
    score: float


def labels_of(keyword: str, units: Units) -> list[int]:
    """The unit ids of a keyword; its spaces are made single.

    Raises:
        InputError: it is empty, or holds a symbol that is not among the units. `<other>`, a filler, spells nothing.
    """
    text = " ".join(keyword.split())
    if not text:
        raise InputError(f"keyword: at least one unit wanted, found {keyword!r}")
    for symbol in units.split(text):
        if symbol == OTHER or symbol not in units.symbols:
            only = ", but for phrases that hold it" if units.phrases and symbol in units.words else ""
            raise UnknownSymbol(f"keyword {keyword!r}: {symbol!r} is not among the model's {units.kind}{only}")
    return units.encode(text)


def boundary_frames(units: Units, frame_seconds: float) -> int:
    """The frames of a boundary without a space; 0 for units that have no boundaries."""
    return max(1, round(BOUNDARY_SECONDS / frame_seconds)) if space_of(units) else 0


def space_of(units: Units) -> int:
    """The id of the space; 0 if there is none."""
    return units.symbols.index(" ") + 1 if units.kind == "characters" and " " in units.symbols else 0


def spot(log_probs: np.ndarray, units: Units, frame_seconds: float, keywords: Iterable[str]) -> list[Detection]:
    """Each keyword's best window in an utterance, whatever its score.

    Args:
        log_probs: float [frames, units], of the true frames only.
        units: of the model.
        frame_seconds: from one frame to the next.
        keywords: normalized.

    Returns:
        In the keywords' order; score 0 and -1 for start and end where a keyword does not fit into the frames.

    Raises:
        InputError: see `labels_of`.
    """
    keywords = list(keywords)
    search = Search(units, frame_seconds, keywords)
    best, window = np.full(len(keywords), -np.inf), np.full((2, len(keywords)), -1)
    for end, scores, starts in [*search.accept(log_probs), *search.finish()]:
        better = (scores >= best) & (scores > -np.inf)  # the last of equals: a window lasts as long as its last unit
        best = np.where(better, scores, best)
        window = np.where(better, [starts, np.full_like(starts, end + 1)], window)
    start, end = np.where(window < 0, -1.0, window * frame_seconds)
    found = zip(keywords, start.tolist(), end.tolist(), np.exp(best).tolist(), strict=True)
    return [Detection(*values) for values in found]


Scored = tuple[int, np.ndarray, np.ndarray]
"""An end frame; the log score and the start frame of each keyword's best window that ends there."""


class Search:
    """The recursion behind the score, frame by frame, for all keywords at once.

    Args:
        units: of the model.
        frame_seconds: from one frame to the next.
        keywords: normalized.

    Attributes:
        delay: frames that the scores are late: what follows a keyword decides whether it ended there.
        frame: how many frames came.

    Raises:
        InputError: see `labels_of`.
    """

    def __init__(self, units: Units, frame_seconds: float, keywords: Iterable[str]):
        labels = [labels_of(keyword, units) for keyword in keywords]
        self._units, self._space = len(units), space_of(units)
        self.delay = boundary_frames(units, frame_seconds)
        self.lengths = np.array([len(ids) for ids in labels])
        # Each keyword's states: the place before it, label, blank, label, ..., label.
        self._last = np.cumsum(2 * self.lengths) - 1
        self._before = self._last - 2 * self.lengths + 1
        states = int(self._last[-1]) + 1 if labels else 0
        self._unit = np.zeros(states, int)
        self._skip = np.full(states, -np.inf)  # 0 where a label can follow another without a blank
        for before, ids in zip(self._before, labels, strict=True):
            self._unit[before + 1 : before + 2 * len(ids) : 2] = ids
            may_skip = np.not_equal(ids[1:], ids[:-1])
            self._skip[before + 3 : before + 2 * len(ids) : 2] = np.where(may_skip, 0, -np.inf)
        self._by_two, self._enter, self._stay = np.zeros((3, states))
        self._from = np.zeros(states, int)
        self.reset()

    def reset(self) -> None:
        """As if no frame had come."""
        self.frame = 0
        self._score = np.full(len(self._unit) + 2, -np.inf)  # two more in front, so that all states have predecessors
        self._start = np.zeros(len(self._unit) + 2, int)
        self._since_space = -np.inf  # the best cost of a space and only blanks and spaces after it
        self._gaps: deque[tuple[float, float]] = deque(maxlen=self.delay or None)  # d of blank or space, of space
        self._ended: deque[Scored] = deque()

    def accept(self, log_probs: np.ndarray) -> Iterable[Scored]:
        """Scores become known for as many frames as came, `delay` later.

        Args:
            log_probs: float [frames, units].

        Raises:
            InputError: another shape, or values that are no numbers.
        """
        log_probs = np.asarray(log_probs)
        if log_probs.ndim != 2 or log_probs.shape[1] != self._units:
            raise InputError(f"log_probs: [frames, {self._units} units] wanted, found {list(log_probs.shape)}")
        if np.isnan(log_probs).any():
            raise InputError("log_probs: numbers wanted, found NaN")
        log_probs = np.maximum(log_probs, FLOOR, dtype=np.float64)
        below_best = log_probs - log_probs.max(axis=1, keepdims=True)
        log_probs[:, BLANK] = below_best[:, BLANK]
        spaces = below_best[:, self._space].tolist()
        gaps = np.maximum(below_best[:, BLANK], below_best[:, self._space]).tolist()
        for begin in range(0, len(log_probs), 64):  # few at once, for their costs in all states need memory
            some = slice(begin, begin + 64)
            entering, staying = log_probs[some][:, self._unit], below_best[some][:, self._unit]
            for costs in zip(entering, staying, gaps[some], spaces[some], strict=True):
                self._step(*costs)
                if len(self._ended) > self.delay:
                    yield self._finished()

    def finish(self) -> Iterable[Scored]:
        """The scores of the last `delay` frames; the audio's end is a boundary."""
        while self._ended:
            if len(self._gaps) > len(self._ended) - 1:
                self._gaps.popleft()
            yield self._finished()

    def alive(self, keyword: int, lowest: float, before: int) -> bool:
        """Whether a window that starts before a frame can still reach a log score."""
        states = slice(3 + self._before[keyword], 3 + self._last[keyword])
        reaches = self._score[states] >= lowest * self.lengths[keyword]
        return bool((reaches & (self._start[states] < before)).any())

    def _step(self, entering: np.ndarray, staying: np.ndarray, gap: float, space: float) -> None:
        """One frame of Viterbi's recursion; the start of each state's window goes along."""
        score, start, by_two, enter = self._score, self._start, self._by_two, self._enter
        score[2:][self._before], start[2:][self._before] = self._left(), self.frame
        np.add(score[:-2], self._skip, out=by_two)
        np.maximum(score[1:-1], by_two, out=enter)
        np.copyto(self._from, start[1:-1])
        np.copyto(self._from, start[:-2], where=by_two > score[1:-1])
        enter += entering
        np.add(score[2:], staying, out=self._stay)
        np.copyto(start[2:], self._from, where=enter > self._stay)
        np.maximum(enter, self._stay, out=score[2:])
        if self._space:
            self._since_space = max(self._since_space + gap, space)
            self._gaps.append((gap, space))
        self._ended.append((self.frame, score[2:][self._last], start[2:][self._last]))
        self.frame += 1

    def _left(self) -> float:
        """The cost of a boundary before the coming frame."""
        return max(self._since_space, sum(gap for gap, _ in self._gaps)) if self._space else 0.0

    def _finished(self) -> Scored:
        """The oldest end whose following frames are those in `_gaps`."""
        end, score, starts = self._ended.popleft()
        right, blanks = -np.inf, 0.0
        for gap, space in self._gaps if self._space else ():
            right = max(right, blanks + space)
            blanks += gap
        return end, (score + max(right, blanks)) / self.lengths, starts
