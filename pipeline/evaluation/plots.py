"""Pictures of measurements, by matplotlib."""

from pathlib import Path

import numpy as np

from pipeline.evaluation.calibration import Judged, expected_calibration_error, reliability

COLOURS = ("#9a9a9a", "#0b62a4")
BINS = 10


def plot_reliability(path: str | Path, panels: dict[str, dict[str, Judged]]) -> None:
    """A reliability diagram (Guo et al. 2017): how many are right of those with a confidence, and how many those are.

    Bars through the points are 95 % intervals: of few items one cannot tell.

    Args:
        path: of the picture; its ending says which format (.svg, .png, .pdf).
        panels: by what they are about, side by side: two curves by name, {"words": {"before": ..., "after": ...}}.
    """
    from matplotlib.figure import Figure  # here, so that importing this module costs nothing

    figure = Figure(figsize=(4.4 * len(panels), 6.2), layout="constrained")
    axes = figure.subplots(2, len(panels), squeeze=False, sharex=True, height_ratios=(3, 1))
    for (title, curves), (curve_axes, count_axes) in zip(panels.items(), axes.T, strict=True):
        curve_axes.plot([0, 1], [0, 1], color="black", linewidth=0.8, linestyle=(0, (4, 3)), label="ideal")
        for number, (name, judged) in enumerate(curves.items()):
            _draw(curve_axes, count_axes, name, judged, number, len(curves))
        curve_axes.set(xlim=(0, 1), ylim=(-0.02, 1.02), ylabel=f"share of {title} that are right")
        curve_axes.legend(loc="lower left", bbox_to_anchor=(0, 1), frameon=False)
        count_axes.set(xlabel="confidence", ylabel=f"number of {title}", yscale="log")
        count_axes.set_ylim(bottom=0.7)
        for each in (curve_axes, count_axes):
            each.grid(alpha=0.25)
            each.set_axisbelow(True)
            each.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)


def _draw(curve_axes, count_axes, name: str, judged: Judged, number: int, of: int) -> None:
    table = [row for row in reliability(judged.confidences, judged.right, BINS) if row.count]
    error = expected_calibration_error(judged.confidences, judged.right, BINS)
    colour = COLOURS[-1] if of == 1 else COLOURS[number % len(COLOURS)]
    intervals = [_interval(row.accuracy, row.count) for row in table]
    curve_axes.errorbar(
        [row.confidence for row in table],
        [row.accuracy for row in table],
        yerr=[[row.accuracy - low for row, (low, _) in zip(table, intervals, strict=True)],
              [high - row.accuracy for row, (_, high) in zip(table, intervals, strict=True)]],
        color=colour,
        marker="o",
        markersize=5,
        elinewidth=0.8,
        label=f"{name}: expected calibration error {error:.1%}",
    )  # fmt: skip
    width = 0.8 / BINS / of
    places = [row.low + 0.1 / BINS + (number + 0.5) * width for row in table]
    bars = count_axes.bar(places, [row.count for row in table], width=width, color=colour)
    count_axes.bar_label(bars, fontsize=6)


def _interval(share: float, count: int) -> tuple[float, float]:
    """Where the true share lies with 95 % probability (Wilson 1927)."""
    z = 1.96
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    return min(middle - half, share), max(middle + half, share)


def plot_learning(path: str | Path, runs: dict[str, list[dict]], value: str, label: str) -> None:
    """How a value went from epoch to epoch, a line a run, its name beside it; the best epoch is marked.

    Args:
        path: of the picture; its ending says which format.
        runs: by name, what metrics.json holds of each epoch.
        value: the key of a share to draw, "wer" for example.
        label: of the vertical axis.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 4.2), layout="constrained")
    axes = figure.subplots()
    for number, (name, epochs) in enumerate(runs.items()):
        values = [100 * epoch[value] for epoch in epochs]
        best = min(range(len(values)), key=values.__getitem__)
        colour = f"C{number}"
        axes.plot(range(1, 1 + len(values)), values, color=colour)
        axes.plot(1 + best, values[best], "o", color=colour)
        axes.annotate(
            f"{name}: best {values[best]:.1f} %",
            (len(values), values[-1]),
            xytext=(-4, 8),
            textcoords="offset points",
            ha="right",
            color=colour,
        )
    axes.set(xlabel="epoch", ylabel=f"{label} (%)", ylim=(0, 105), xlim=(0, None))
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)
