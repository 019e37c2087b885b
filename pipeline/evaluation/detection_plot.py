"""The DET plot of keywords, by matplotlib."""

from pathlib import Path
from statistics import NormalDist

import numpy as np

from pipeline.decoding.keywords import DEFAULT_THRESHOLD
from pipeline.evaluation.detection import Curve

COLOURS = ("#0b62a4", "#d1495b", "#2e8b57", "#b8860b", "#6a4c93", "#444444", "#17a2b8", "#a0522d")
ALARM_TICKS = [digit * 10.0**power for power in range(-3, 5) for digit in (1, 2, 5)]
MISS_TICKS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9)


def plot_detection(path: str | Path, curves: list[Curve]) -> None:
    """Miss rate against false alarms per hour (Martin et al. 1997): a step a threshold, a line a keyword.

    Args:
        path: of the picture; its ending says which format (.svg, .png, .pdf).
        curves: of the keywords, those that were said at least once.
    """
    from matplotlib.figure import Figure  # here, so that importing this module costs nothing

    figure = Figure(figsize=(7.2, 5.2), layout="constrained")
    axes = figure.subplots()
    # A probit and a logarithm cannot show 0: it stands where half a miss and half a false alarm would.
    no_miss, no_alarm = min(0.5 / curve.positives for curve in curves), 0.5 / curves[0].hours
    most = max(4 * no_alarm, *(point.false_alarms_per_hour for curve in curves for point in curve.points))
    for number, curve in enumerate(curves):
        # Lines that run on top of each other are drawn beside each other.
        aside = 1 + 0.02 * (number - (len(curves) - 1) / 2)
        _draw(axes, curve, COLOURS[number % len(COLOURS)], no_miss * aside, no_alarm * aside)
    axes.set_xscale("log")
    axes.set_yscale("function", functions=(_probit, _normal))
    axes.set(xlim=(no_alarm * 0.75, most * 1.1), ylim=(no_miss * 0.75, 0.9))
    misses = [tick for tick in MISS_TICKS if tick > no_miss * 1.4]
    alarms = [tick for tick in ALARM_TICKS if no_alarm * 1.6 < tick < most]
    axes.set_yticks([no_miss, *misses], ["none", *(f"{tick * 100:g} %" for tick in misses)])
    axes.set_xticks([no_alarm, *alarms], ["none", *(f"{tick:g}" for tick in alarms)])
    axes.minorticks_off()
    axes.set_xlabel(f"false alarms per hour, of {curves[0].hours:.2f} hours")
    axes.set_ylabel("missed utterances")
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.plot([], [], "o", color="black", markersize=5, label=f"threshold {DEFAULT_THRESHOLD:g}")
    axes.legend(loc="upper right", frameon=False)
    figure.savefig(path, dpi=150)


def _draw(axes, curve: Curve, colour: str, no_miss: float, no_alarm: float) -> None:
    """A step a threshold, from the highest on: with so few false alarms, the fewest misses that can be had."""
    points = curve.points[::-1]
    alarms = np.maximum.accumulate([max(point.false_alarms_per_hour, no_alarm) for point in points])
    misses = np.minimum.accumulate([max(point.miss_rate, no_miss) for point in points])
    label = f"{curve.keyword}, {curve.positives} utterances"
    axes.step(alarms, misses, where="post", color=colour, linewidth=1.8, label=label)
    at_default = min(range(len(points)), key=lambda number: abs(points[number].threshold - DEFAULT_THRESHOLD))
    axes.plot(alarms[at_default], misses[at_default], "o", color=colour, markersize=6)


def _probit(rates):
    normal = NormalDist()
    return np.array([normal.inv_cdf(min(max(rate, 1e-6), 1 - 1e-6)) for rate in np.ravel(rates)]).reshape(
        np.shape(rates)
    )


def _normal(values):
    normal = NormalDist()
    return np.array([normal.cdf(value) for value in np.ravel(values)]).reshape(np.shape(values))
