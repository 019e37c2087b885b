"""Spotting keywords in a stream: scores that become detections, one for each time that a keyword is said."""

import json
import math
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.decoding.keyword_search import Detection, Scored, Search, space_of
from pipeline.errors import InputError
from pipeline.text import Units

THRESHOLDS_FILE = Path("assets") / "keywords.json"

DEFAULT_THRESHOLD = 0.5
"""For a keyword whose threshold nobody measured."""

PATIENCE_SECONDS = 0.2
REFRACTORY_SECONDS = 0.5

HOLD_SECONDS = 1.0
"""How long at most a keyword waits for a longer one that holds it: 'sugar' for 'sugar cane'."""


@dataclass(frozen=True)
class Peak:
    """A window better than any of the same keyword that ends close by; `keyword` is its number, `end` is exclusive."""

    keyword: int
    start: int
    end: int
    log_score: float

    def covers(self, other: "Peak") -> bool:
        """Whether the middle of another's window is in this one."""
        return self.start <= (other.start + other.end) / 2 <= self.end


class Peaks:
    """Where a keyword's score is the highest for some time around; that does not depend on any threshold.

    Args:
        search: for the keywords; from its first frame on.
        patience: frames before and after a peak's end in which no better window of its keyword ends.
        lowest: log score of each keyword; what is below is no peak.
    """

    def __init__(self, search: Search, patience: int, lowest: np.ndarray):
        self.search = search
        self.delay = search.delay + patience
        self._patience, self._lowest = patience, lowest
        self.reset()

    def reset(self) -> None:
        """As if no frame had come."""
        self.search.reset()
        count = len(self._lowest)
        self._nothing = (-1, np.full(count, -np.inf), np.zeros(count, int)), False
        around = 2 * self._patience + 1
        self._around: deque[tuple[Scored, bool]] = deque([self._nothing] * around, maxlen=around)

    def accept(self, log_probs: np.ndarray) -> Iterable[list[Peak]]:
        """The peaks that each frame makes known, longer keywords first."""
        for scored in self.search.accept(log_probs):
            yield self._known(scored)

    def finish(self) -> list[Peak]:
        """The peaks that wait for frames which do not come."""
        peaks = [peak for scored in self.search.finish() for peak in self._known(scored)]
        for _ in range(self._patience):
            self._around.append(self._nothing)
            peaks += self._in_the_middle()
        return peaks

    def _known(self, scored: Scored) -> list[Peak]:
        self._around.append((scored, bool((scored[1] >= self._lowest).any())))
        return self._in_the_middle()

    def _in_the_middle(self) -> list[Peak]:
        (end, scores, starts), promising = self._around[self._patience]
        if not promising:
            return []
        others = np.array([around[0][1] for around in self._around])
        before, after = others[: self._patience], others[self._patience + 1 :]
        # The last of equals: a window lasts as long as its last unit.
        highest = (scores >= before.max(axis=0, initial=-np.inf)) & (scores > after.max(axis=0, initial=-np.inf))
        found = np.flatnonzero(highest & (scores >= self._lowest))
        found = sorted(found, key=lambda keyword: -self.search.lengths[keyword])
        return [Peak(int(k), int(starts[k]), end + 1, float(scores[k])) for k in found]


class Spotter:
    """Detections in a stream: the same ones however its frames are cut into pieces.

    A peak of a keyword's score (see `Peaks`) at or above its threshold is a detection, unless a detection of the same
    keyword ended less than the refractory time before or overlaps it, or a longer keyword that holds it is detected in
    the same place. While such a one may still come, the shorter waits, at most HOLD_SECONDS longer.

    Args:
        units: of the model.
        frame_seconds: from one frame to the next.
        keywords: normalized as the model's transcripts.
        thresholds: above 0 and at most 1; one for all, or one for each keyword.
        patience_seconds: a peak is the best for so long before and after; it is known so much later.
        refractory_seconds: see above.

    Raises:
        InputError: no keyword, one that is empty or that the units cannot spell, no usable threshold for one, or a
            time below 0.

    Example:
        spotter = Spotter(units, frame_seconds=0.03, keywords=["alexa"], thresholds=0.7)
        for piece in pieces:
            for detection in spotter.accept(recognizer.log_probs(piece)): ...
        spotter.finish()
    """

    def __init__(
        self,
        units: Units,
        frame_seconds: float,
        keywords: Iterable[str],
        thresholds: float | Mapping[str, float] = DEFAULT_THRESHOLD,
        patience_seconds: float = PATIENCE_SECONDS,
        refractory_seconds: float = REFRACTORY_SECONDS,
    ):
        if isinstance(keywords, str):
            raise InputError(f"keywords: a list of texts wanted, found {keywords!r}")
        for name, seconds in (("patience", patience_seconds), ("refractory time", refractory_seconds)):
            if not 0 <= seconds < math.inf:
                raise InputError(f"{name}: seconds of 0 or more wanted, found {seconds}")
        self._keywords = list(dict.fromkeys(keywords))
        if not self._keywords:
            raise InputError("keywords: at least one wanted, found none")
        self._frame_seconds = frame_seconds
        search = Search(units, frame_seconds, self._keywords)
        self._lowest = np.log([_threshold(keyword, thresholds) for keyword in self._keywords])
        self._peaks = Peaks(search, round(patience_seconds / frame_seconds), self._lowest)
        self._refractory = refractory_seconds / frame_seconds
        self._hold = round(HOLD_SECONDS / frame_seconds)
        self._longer = longer_keywords(self._keywords, units)
        self.reset()

    def reset(self) -> None:
        """For another stream."""
        self._peaks.reset()
        self._latest: dict[int, Peak] = {}
        self._held: list[tuple[Peak, int]] = []  # and the frame until which a longer keyword may become known

    def accept(self, log_probs: np.ndarray) -> list[Detection]:
        """What becomes known by some more frames: float [frames, units], any number of them.

        Raises:
            InputError: another shape, or values that are no numbers.
        """
        found = []
        for peaks in self._peaks.accept(log_probs):
            if peaks:
                found += self._judge(peaks)
            if self._held:
                found += self._release()
        return [self._detection(peak) for peak in found]

    def finish(self) -> list[Detection]:
        """The last detections of the stream; the next frame begins another."""
        found = self._judge(self._peaks.finish())
        found += [peak for peak, _ in self._held]
        self.reset()
        return [self._detection(peak) for peak in found]

    def _judge(self, peaks: list[Peak]) -> list[Peak]:
        """Those that are detections at once; others are dropped, or held."""
        found = []
        for peak in peaks:
            latest = self._latest.get(peak.keyword)
            if latest and repeats(peak, latest, self._refractory):
                continue
            self._latest[peak.keyword] = peak
            longer = self._longer[peak.keyword]
            if any(number in self._latest and self._latest[number].covers(peak) for number in longer):
                continue
            self._held = [
                (held, until)
                for held, until in self._held
                if peak.keyword not in self._longer[held.keyword] or not peak.covers(held)
            ]
            if longer:
                self._held.append((peak, self._peaks.search.frame + self._peaks.delay))
            else:
                found.append(peak)
        return found

    def _release(self) -> list[Peak]:
        """Those for which no longer keyword can come any more."""
        search, waiting, released = self._peaks.search, [], []
        for peak, until in self._held:
            if search.frame < peak.end + self._hold and any(
                search.alive(number, self._lowest[number], peak.end) for number in self._longer[peak.keyword]
            ):
                until = search.frame + self._peaks.delay
            if search.frame > until:
                released.append(peak)
            else:
                waiting.append((peak, until))
        self._held = waiting
        return released

    def _detection(self, peak: Peak) -> Detection:
        return Detection(
            keyword=self._keywords[peak.keyword],
            start=peak.start * self._frame_seconds,
            end=peak.end * self._frame_seconds,
            score=math.exp(peak.log_score),
        )


def repeats(peak: Peak, earlier: Peak, refractory: float) -> bool:
    """Whether it is the same utterance of a keyword as an earlier peak; `refractory` in frames."""
    return peak.end - earlier.end < refractory or peak.start < earlier.end


def longer_keywords(keywords: list[str], units: Units) -> list[set[int]]:
    """For each keyword the numbers of those that hold it as a part: as whole words, if the units tell words."""
    edge = " " if units.kind == "words" or space_of(units) else ""
    texts = [edge + " ".join(keyword.split()) + edge for keyword in keywords]
    return [
        {number for number, other in enumerate(texts) if len(other) > len(text) and text in other} for text in texts
    ]


def load_thresholds(folder: str | Path) -> dict[str, float]:
    """Thresholds that were measured for an export's keywords; none if it has no `assets/keywords.json`.

    Raises:
        InputError: the file is not as `save_thresholds` writes it.
    """
    path = Path(folder) / THRESHOLDS_FILE
    if not path.exists():
        return {}
    try:
        thresholds = json.loads(path.read_text(encoding="utf-8"))["thresholds"]
        if not isinstance(thresholds, dict):
            raise TypeError(f"found {thresholds!r}")
        return {keyword: _threshold(keyword, thresholds) for keyword in thresholds}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f'{path}: {{"thresholds": {{keyword: 0..1}}}} wanted ({error})') from error


def save_thresholds(folder: str | Path, thresholds: Mapping[str, float]) -> None:
    """Stores thresholds in an export; those of other keywords stay.

    Raises:
        InputError: see `load_thresholds`.
    """
    path = Path(folder) / THRESHOLDS_FILE
    merged = {**load_thresholds(folder), **thresholds}
    path.write_text(json.dumps({"thresholds": merged}, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _threshold(keyword: str, thresholds: float | Mapping[str, float]) -> float:
    value = thresholds.get(keyword) if isinstance(thresholds, Mapping) else thresholds
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        raise InputError(f"keyword {keyword!r}: a threshold above 0 and at most 1 wanted, found {value!r}")
    return float(value)
