"""How well keywords are detected: miss rate against false alarms per hour, and thresholds for a wanted rate."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from pipeline.decoding.keyword_search import Search, space_of
from pipeline.decoding.keywords import PATIENCE_SECONDS, REFRACTORY_SECONDS, Peak, Peaks, longer_keywords, repeats
from pipeline.text import Units

RATES = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0)
"""False alarms per hour of the operating points that a report shows."""

THRESHOLDS = tuple(round(1 / (1 + math.exp(-0.05 * step)), 5) for step in range(-92, 185))
"""From 0.01 to 0.9999, denser towards the ends, where scores are."""


@dataclass(frozen=True)
class Listened:
    """An utterance that was listened to.

    Attributes:
        seconds: its length.
        spoken: how often each keyword is said in it.
        peaks: of all keywords, from the lowest threshold on; see `find_peaks`.
        tests_misses: whether a keyword that is not detected in it counts as missed.
    """

    seconds: float
    spoken: dict[str, int]
    peaks: tuple[Peak, ...]
    tests_misses: bool


@dataclass(frozen=True)
class Point:
    """What a threshold gives; `miss_rate` is nan if the keyword is never said."""

    threshold: float
    miss_rate: float
    false_alarms_per_hour: float


@dataclass(frozen=True)
class Curve:
    """A keyword's points, thresholds rising; `positives` utterances hold it, of `hours` of all that was listened to."""

    keyword: str
    positives: int
    hours: float
    points: tuple[Point, ...]


def find_peaks(log_probs: np.ndarray, units: Units, frame_seconds: float, keywords: list[str]) -> tuple[Peak, ...]:
    """All that a `Spotter` could take for a detection of any keyword, at any of the THRESHOLDS.

    Args:
        log_probs: float [frames, units], of an utterance.
        units, frame_seconds, keywords: see `Spotter`.
    """
    search = Search(units, frame_seconds, keywords)
    peaks = Peaks(search, round(PATIENCE_SECONDS / frame_seconds), np.full(len(keywords), math.log(THRESHOLDS[0])))
    found = [peak for known in peaks.accept(log_probs) for peak in known]
    return (*found, *peaks.finish())


def detections(peaks: Iterable[Peak], threshold: float, longer: list[set[int]], frame_seconds: float) -> list[Peak]:
    """The peaks that are detections of a `Spotter` with one threshold for all keywords.

    Args:
        peaks: of an utterance, in the order of time.
        threshold: 0..1.
        longer: see `longer_keywords`.
        frame_seconds: from one frame to the next.
    """
    refractory = REFRACTORY_SECONDS / frame_seconds
    latest: dict[int, Peak] = {}
    found = []
    for peak in peaks:
        if peak.log_score < math.log(threshold):
            continue
        if peak.keyword in latest and repeats(peak, latest[peak.keyword], refractory):
            continue
        latest[peak.keyword] = peak
        found.append(peak)
    return [
        peak
        for peak in found
        if not any(other.keyword in longer[peak.keyword] and other.covers(peak) for other in found)
    ]


def spoken(text: str, keywords: list[str], units: Units) -> dict[str, int]:
    """How often each keyword is said in a normalized transcript; as a part of a longer one it is not."""
    in_words = units.kind == "words" or space_of(units)
    symbols, parts = (text.split(), [keyword.split() for keyword in keywords]) if in_words else (text, keywords)
    taken: list[range] = []
    counts = dict.fromkeys(keywords, 0)
    for keyword, part in sorted(zip(keywords, parts, strict=True), key=lambda pair: -len(pair[1])):
        places = [range(i, i + len(part)) for i in range(len(symbols)) if symbols[i : i + len(part)] == part]
        places = [place for place in places if not any(place[0] in other and place[-1] in other for other in taken)]
        counts[keyword] = len(places)
        taken += places
    return counts


def curves(listened: list[Listened], keywords: list[str], units: Units, frame_seconds: float) -> list[Curve]:
    """Each keyword's curve over the THRESHOLDS.

    A miss is an utterance that holds the keyword and has no detection of it. A false alarm is any detection beyond the
    times that the keyword is said in the utterance, be it on another keyword or twice on the same. The hours are those
    of all that was listened to.
    """
    hours = sum(utterance.seconds for utterance in listened) / 3600
    longer = longer_keywords(keywords, units)
    said = np.array([[item.spoken[keyword] for keyword in keywords] for item in listened])
    tests = (said > 0) & np.array([[item.tests_misses] for item in listened])
    positives = tests.sum(axis=0)
    points: list[list[Point]] = [[] for _ in keywords]
    for threshold in THRESHOLDS:
        heard = np.zeros_like(said)
        for row, item in zip(heard, listened, strict=True):
            for peak in detections(item.peaks, threshold, longer, frame_seconds) if item.peaks else ():
                row[peak.keyword] += 1
        misses = (tests & (heard == 0)).sum(axis=0)
        alarms = np.maximum(heard - said, 0).sum(axis=0)
        for number in range(len(keywords)):
            miss_rate = misses[number] / positives[number] if positives[number] else math.nan
            points[number].append(Point(threshold, float(miss_rate), float(alarms[number] / hours)))
    made = zip(keywords, positives.tolist(), points, strict=True)
    return [Curve(keyword, count, hours, tuple(own)) for keyword, count, own in made]


def together(found: list[Curve]) -> Curve:
    """The curve of all keywords with one threshold for all: utterances that hold one, and false alarms of any."""
    positives = sum(curve.positives for curve in found)
    points = []
    for same in zip(*(curve.points for curve in found), strict=True):
        tested = [(point, curve.positives) for point, curve in zip(same, found, strict=True) if curve.positives]
        misses = sum(point.miss_rate * count for point, count in tested)
        alarms = sum(point.false_alarms_per_hour for point in same)
        points.append(Point(same[0].threshold, misses / positives if positives else math.nan, alarms))
    return Curve(f"all {len(found)}", positives, found[0].hours, tuple(points))


def operating_point(curve: Curve, false_alarms_per_hour: float) -> Point | None:
    """The fewest misses at no more false alarms than wanted; None if every threshold gives more.

    Of the thresholds that miss equally few it is the lowest: a few dozen utterances that hold a keyword tell little of
    the misses of other speakers, for whom it is the safest, and hours of other speech tell the false alarms, which are
    allowed. Where none is allowed it is the one in the middle, farthest from both errors.
    """
    allowed: list[Point] = []
    for point in reversed(curve.points):
        if point.false_alarms_per_hour > false_alarms_per_hour:
            break
        allowed.append(point)
    if not allowed:
        return None
    best = min((point.miss_rate for point in allowed if not math.isnan(point.miss_rate)), default=math.nan)
    equal = [point for point in allowed if point.miss_rate == best] or allowed
    return equal[-1] if false_alarms_per_hour else equal[len(equal) // 2]


def point_at(curve: Curve, threshold: float) -> Point:
    """The one of a threshold, or of the nearest that was measured."""
    return min(curve.points, key=lambda point: abs(point.threshold - threshold))


def operating_points(curve: Curve) -> list[Point]:
    """Those at the RATES that so many hours can show, each once."""
    measurable = [rate for rate in RATES if rate == 0 or rate * curve.hours >= 1]
    found = [operating_point(curve, rate) for rate in measurable]
    return list({(point.miss_rate, point.false_alarms_per_hour): point for point in found if point}.values())
