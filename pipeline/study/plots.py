"""Pictures of a comparison, by matplotlib."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

COLOURS = {"simple_rnn": "#d1495b", "gru": "#2e8b57", "lstm": "#0b62a4"}
"""Of the cells; others get matplotlib's."""

DASHES = {"plain": "-", "norm": "--", "bidirectional": ":", "bidirectional+norm": "-."}
MARKERS = {"plain": "o", "norm": "s", "bidirectional": "^", "bidirectional+norm": "D"}


def plot_learning_curves(path: Path, trainings: list[dict]) -> None:
    """Word error rate on the validation data against epochs, and against seconds: a line a training."""
    with _figure(path, 2, "word error rate on the validation data (%)") as axes:
        for training in trainings:
            epochs = training["epochs"]
            rates = [100 * epoch["wer"] for epoch in epochs]
            seconds = np.cumsum([epoch["seconds"] for epoch in epochs])
            style = line_style(training)
            axes[0].plot([epoch["epoch"] for epoch in epochs], rates, **style)
            axes[1].plot(seconds, rates, **style)
        axes[0].set(xlabel="epoch")
        axes[1].set(xlabel="seconds of training")
        # Early epochs may be far above 100 %, which would flatten the rest; what is never below is shown whole.
        best = max(min(100 * epoch["wer"] for epoch in training["epochs"]) for training in trainings)
        for each in axes:
            each.set_ylim(0, max(105, 1.1 * best))
        _legend(axes[1], trainings)


def plot_errors(path: Path, trainings: list[dict]) -> None:
    """Word error rate on the test data against parameters, seconds of training and the real-time factor: a point a
    training."""
    panels = {
        "parameters": "trainable parameters",
        "seconds": "seconds of training",
        "real_time_factor": "real-time factor",
    }
    with _figure(path, len(panels), "word error rate on the test data (%)") as axes:
        for (value, label), each in zip(panels.items(), axes, strict=True):
            for training in trainings:
                each.plot(training[value], 100 * training["wer"], markersize=6, linestyle="none", **_point(training))
            each.set(xlabel=label)
            each.margins(0.15)
            each.set_ylim(bottom=-1)
            each.locator_params(axis="x", nbins=4)
        most = max(training["parameters"] for training in trainings)
        axes[0].set_xlim(0, 1.15 * most)  # those that hardly differ lie above each other
        _legend(axes[-1], trainings)


def plot_rates(path: Path, trainings: list[dict]) -> None:
    """Word error rate against the learning rate: a line a variant, a point a training, a cross one that failed."""
    with _figure(path, 1, "word error rate on the test data (%)") as (axes,):
        for variant in dict.fromkeys(training["variant"] for training in trainings):
            own = [training for training in trainings if training["variant"] == variant]
            good = [training for training in own if training["failed"] is None]
            rates = sorted({training["learning_rate"] for training in good})
            means = [np.mean([100 * t["wer"] for t in good if t["learning_rate"] == rate]) for rate in rates]
            axes.plot(rates, means, **line_style(own[0], alpha=1))
            for training in good:
                axes.plot(training["learning_rate"], 100 * training["wer"], markersize=4, **_point(training))
            for training in own:
                if training["failed"] is not None:
                    axes.plot(training["learning_rate"], 105, "x", color=_colour(training))
        highest = max((100 * each["wer"] for each in trainings if each["failed"] is None), default=0)
        axes.set(xlabel="learning rate", xscale="log", ylim=(-1, max(110, 1.1 * highest)))
        _only_ticks(axes, sorted({training["learning_rate"] for training in trainings}))
        _legend(axes, trainings)


def plot_memory(path: Path, records: list[dict], delays: list[float], kinds: list[str], words: int) -> None:
    """Success against the delay, a panel for each kind of what lies between; lines are means over the seeds."""
    with _figure(path, len(kinds), "first word told (%)") as axes:
        for kind, each in zip(kinds, axes, strict=True):
            for variant in dict.fromkeys(record["variant"] for record in records):
                own = [record for record in records if record["variant"] == variant]
                shares = 100 * np.array([record["success"][kind] for record in own])
                each.plot(delays, shares.mean(axis=0), marker="o", markersize=4, **line_style(own[0], alpha=1))
                each.fill_between(delays, shares.min(axis=0), shares.max(axis=0), color=_colour(own[0]), alpha=0.12)
            each.axhline(100 / words, color="black", linewidth=0.8, linestyle=(0, (4, 3)))
            each.set(title=kind, xlabel="delay (s)", xscale="log", ylim=(0, 102))
            _only_ticks(each, delays)
        _legend(axes[-1], records)


def _only_ticks(axes, values: list[float]) -> None:
    """On a logarithmic axis, where ticks of its own would crowd."""
    axes.set_xticks(values, [f"{value:g}" for value in values])
    axes.minorticks_off()


@contextlib.contextmanager
def _figure(path: Path, panels: int, label: str) -> Iterator:
    from matplotlib.figure import Figure  # here, so that importing this module costs nothing

    figure = Figure(figsize=(3.2 + 3.4 * panels, 4.0), layout="constrained")
    axes = figure.subplots(1, panels, squeeze=False, sharey=True)[0]
    axes[0].set_ylabel(label)
    yield axes
    for each in axes:
        each.grid(alpha=0.25)
        each.set_axisbelow(True)
        each.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)


def _colour(record: dict) -> str:
    return COLOURS.get(record["cell"], f"C{sum(record['cell'].encode()) % 10}")


def line_style(record: dict, alpha: float = 0.7) -> dict:
    """Matplotlib's properties of the line of a training: its cell's colour, its form's dashes."""
    return {"color": _colour(record), "linestyle": DASHES[record["form"]], "linewidth": 1.4, "alpha": alpha}


def _point(record: dict) -> dict:
    return {"color": _colour(record), "marker": MARKERS[record["form"]], "alpha": 0.8}


def _legend(axes, records: list[dict]) -> None:
    from matplotlib.lines import Line2D

    first = {record["variant"]: record for record in reversed(records)}
    handles = [
        Line2D([], [], label=variant, **{**line_style(record, 1), "marker": MARKERS[record["form"]], "markersize": 4})
        for variant, record in sorted(first.items())
    ]
    axes.legend(handles=handles, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
