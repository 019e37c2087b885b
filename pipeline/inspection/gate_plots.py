"""Pictures of what goes on inside recurrent layers along an utterance, by matplotlib."""

import numpy as np

from pipeline.decoding.transcript import Word
from pipeline.inspection.gates import Gates

PERCENTILES = (10, 50, 90)


def draw_gates(gates: Gates, words: tuple[Word, ...], frame_seconds: float):
    """A matplotlib figure: gates and states of all units over time, time constants, and the words under them.

    Units are sorted by the median of their time constants, the longest on top; without those by their mean state.

    Args:
        gates: of one layer.
        words: that are heard, in seconds.
        frame_seconds: from one frame to the next.
    """
    from matplotlib.figure import Figure  # here, so that importing this module costs nothing

    constants = None if gates.time_constants is None else gates.time_constants * frame_seconds
    order = np.argsort(gates.state.mean(axis=0) if constants is None else np.median(constants, axis=0))
    end = len(gates.state) * frame_seconds
    names = [*gates.gates, "state", *([] if constants is None else ["constants"]), "words"]
    heights = [0.5 if name == "words" else 1 for name in names]
    figure = Figure(figsize=(10, 0.8 + 1.5 * sum(heights)), dpi=90, layout="constrained")
    panels = dict(zip(names, figure.subplots(len(names), 1, sharex=True, height_ratios=heights), strict=True))
    images = {}
    for name in names[: len(gates.gates) + 1]:
        values = gates.gates.get(name, gates.state)[:, order].T
        most = 1.0 if name in gates.gates else max(float(np.percentile(np.abs(values), 99)), 1e-6)
        images[name] = panels[name].imshow(
            values,
            cmap="viridis" if name in gates.gates else "RdBu_r",
            vmin=0 if name in gates.gates else -most,
            vmax=most,
            aspect="auto",
            origin="lower",
            interpolation="nearest",
            extent=(0, end, 0, len(order)),
        )
        panels[name].set(ylabel=name, yticks=[0, len(order)])
        figure.colorbar(images[name], ax=panels[name], pad=0.01, aspect=8)
    if constants is not None:
        _draw_constants(panels["constants"], constants, frame_seconds)
    _draw_words(panels, words)
    panels["words"].set(xlabel="seconds", xlim=(0, end))
    figure.suptitle(_title(gates.layer, constants), fontsize=10)
    return figure


def _title(layer: str, constants: np.ndarray | None) -> str:
    if constants is None:
        return layer
    low, median, high = np.percentile(np.median(constants, axis=0), PERCENTILES)
    return (
        f"{layer}: time constants of 10 % of its units up to {low:.2g} s, of 50 % {median:.2g} s, of 90 % {high:.2g} s"
    )


def _draw_constants(axes, constants: np.ndarray, frame_seconds: float) -> None:
    """Of each frame the percentiles over units."""
    time = (np.arange(len(constants)) + 0.5) * frame_seconds
    low, median, high = np.percentile(constants, PERCENTILES, axis=1)
    axes.fill_between(time, low, high, color="#0b62a4", alpha=0.2, lw=0)
    axes.plot(time, median, color="#0b62a4", lw=1)
    axes.set(yscale="log", ylabel="time const., s")
    axes.grid(alpha=0.25)


def _draw_words(panels: dict, words: tuple[Word, ...]) -> None:
    for number, word in enumerate(words):
        for name, axes in panels.items():
            axes.axvline(word.start, color="black" if name in ("words", "constants") else "white", lw=0.6, alpha=0.7)
        panels["words"].axvspan(word.start, word.end, color="#edae49", alpha=0.4, lw=0)
        middle = (word.start + word.end) / 2, 0.25 + 0.5 * (number % 2)  # long names of short words would overlap
        panels["words"].annotate(word.word, middle, ha="center", va="center", fontsize=8)
    panels["words"].set(yticks=[], ylim=(0, 1))
    panels["words"].spines[["top", "right", "left"]].set_visible(False)
