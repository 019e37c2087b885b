import math

import numpy as np
import pytest

from pipeline.decoding.keyword_search import Detection
from pipeline.decoding.keywords import Peak, Spotter, longer_keywords
from pipeline.evaluation.detection import (
    THRESHOLDS,
    Curve,
    Listened,
    Point,
    curves,
    detections,
    find_peaks,
    operating_point,
    operating_points,
    spoken,
    together,
)
from pipeline.evaluation.detection_plot import plot_detection
from pipeline.text import OTHER, Units

WORDS = Units("words", ["sugar", "brown", OTHER])
LETTERS = Units("characters", [" ", "a", "b"])
FRAME = 0.03


def peak(keyword, end, score):
    return Peak(keyword, end - 5, end, math.log(score))


def listened(said, *peaks, seconds=360.0, tests_misses=True):
    return Listened(seconds, {"sugar": said.count("sugar"), "brown": said.count("brown")}, peaks, tests_misses)


def rates(curve, threshold):
    point = min(curve.points, key=lambda point: abs(point.threshold - threshold))
    return point.miss_rate, point.false_alarms_per_hour


def test_misses_and_false_alarms_are_counted():
    everything = [
        listened(["sugar"], peak(0, 50, 0.9)),
        listened(["sugar"], peak(0, 50, 0.6), peak(0, 400, 0.4)),  # said once, heard twice below 0.4
        listened(["brown"], peak(0, 50, 0.8), peak(1, 60, 0.9)),  # one keyword on another's utterance
        listened(["sugar"], peak(0, 50, 0.7), tests_misses=False),  # among the negatives: neither
        listened([], peak(1, 60, 0.3), tests_misses=False),
    ]
    sugar, brown = curves(everything, ["sugar", "brown"], WORDS, FRAME)
    assert (sugar.positives, brown.positives, sugar.hours) == (2, 1, 0.5)
    assert rates(sugar, 0.95) == (1, 0)
    assert rates(sugar, 0.85) == (0.5, 0)
    assert rates(sugar, 0.7) == (0.5, 2)
    assert rates(sugar, 0.3) == (0, 4)
    assert rates(brown, 0.2) == (0, 2)
    both = together([sugar, brown])
    assert (both.keyword, both.positives, both.hours) == ("all 2", 3, 0.5)
    assert rates(both, 0.95) == (1, 0)
    assert rates(both, 0.85) == (pytest.approx(1 / 3), 0)
    assert rates(both, 0.2) == (0, 6)


@pytest.mark.parametrize("threshold", [THRESHOLDS[0], 0.05, 0.2, 0.5, 0.8])
def test_a_threshold_gives_what_a_spotter_with_it_detects(threshold):
    random = np.random.default_rng(4)
    for _ in range(10):
        scores = random.normal(size=(120, len(LETTERS)), scale=3)
        log_probs = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
        keywords = ["a", "ab", "ba", "b"]
        found = detections(
            find_peaks(log_probs, LETTERS, FRAME, keywords), threshold, longer_keywords(keywords, LETTERS), FRAME
        )
        found = [Detection(keywords[p.keyword], p.start * FRAME, p.end * FRAME, math.exp(p.log_score)) for p in found]
        spotter = Spotter(LETTERS, FRAME, keywords, threshold)
        heard = [*spotter.accept(log_probs), *spotter.finish()]
        assert sorted(map(str, found)) == sorted(map(str, heard))


def test_a_keyword_is_counted_as_words_and_not_inside_a_longer_one():
    assert spoken("brown sugar with sugar", ["sugar", "brown sugar", "gar"], LETTERS) == {
        "sugar": 1,
        "brown sugar": 1,
        "gar": 0,
    }
    assert spoken("start art", ["art"], LETTERS) == {"art": 1}
    assert spoken("abab", ["ab"], Units("characters", ["a", "b"])) == {"ab": 2}
    assert spoken("the sugar", ["sugar"], WORDS) == {"sugar": 1}


def curve_of(*pairs, hours=1.0):
    points = [Point((number + 1) / 10, miss, alarms) for number, (miss, alarms) in enumerate(pairs)]
    return Curve("sugar", 10, hours, tuple(points))


def test_the_operating_point_misses_least_and_is_the_lowest_that_does_unless_no_false_alarm_is_allowed():
    curve = curve_of((0, 9), (0, 2), (0.1, 0), (0.1, 0), (0.1, 0), (0.5, 0))
    assert operating_point(curve, 0).threshold == pytest.approx(0.4)
    assert operating_point(curve, 1).threshold == pytest.approx(0.3)
    assert operating_point(curve, 5).threshold == pytest.approx(0.2)
    assert operating_point(curve_of((0, 9), (0, 7)), 5) is None


def test_only_rates_that_the_hours_can_show_are_reported():
    pairs = [(0, 9), (0.1, 4), (0.2, 1), (0.3, 0)]
    assert [point.false_alarms_per_hour for point in operating_points(curve_of(*pairs))] == [0, 1, 4, 9]
    assert [point.false_alarms_per_hour for point in operating_points(curve_of(*pairs, hours=0.3))] == [0, 4, 9]
    assert [point.false_alarms_per_hour for point in operating_points(curve_of(*pairs, hours=0.01))] == [0]


def test_the_plot_shows_curves_without_a_miss_or_false_alarm(tmp_path):
    plot_detection(tmp_path / "det.png", [curve_of((0, 0), (0, 0)), curve_of((0, 9), (1, 0))])
    assert (tmp_path / "det.png").stat().st_size > 10_000
