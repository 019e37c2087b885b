"""An utterance as a model takes it in and spells it: its MFCCs and posteriors over time."""

import numpy as np

from pipeline.decoding.greedy import best_runs, greedy
from pipeline.text import BLANK, Units

MOST_UNITS = 40
"""Of a picture; with more units those with the highest posteriors are drawn."""


def draw_mfcc(mfcc: np.ndarray, hop_seconds: float):
    """A matplotlib figure of float32 [frames, coefficients], each coefficient on its own scale."""
    from matplotlib.figure import Figure  # here, so that importing this module costs nothing

    spread = np.maximum(mfcc.std(axis=0), 1e-6)
    figure = Figure(figsize=(9, 2.6), dpi=80)
    axes = figure.subplots()
    axes.imshow(
        ((mfcc - mfcc.mean(axis=0)) / spread).T,
        aspect="auto",
        origin="lower",
        interpolation="nearest",
        cmap="RdBu_r",
        vmin=-3,
        vmax=3,
        extent=(0, len(mfcc) * hop_seconds, -0.5, mfcc.shape[1] - 0.5),
    )
    axes.set(xlabel="seconds", ylabel="coefficient")
    figure.subplots_adjust(left=0.06, right=0.99, top=0.97, bottom=0.2)
    return figure


def draw_posteriors(log_probs: np.ndarray, units: Units, frame_seconds: float, reference: str):
    """A matplotlib figure: posteriors, the greedy path through them, and where its words begin and end.

    Args:
        log_probs: float32 [frames, units], of the true frames only.
        units: of the model.
        frame_seconds: from one frame to the next.
        reference: what was said.
    """
    from matplotlib.figure import Figure

    posteriors = np.exp(log_probs)
    drawn = np.sort(np.argsort(-posteriors.max(axis=0, initial=0.0), kind="stable")[:MOST_UNITS])
    heard, runs = greedy(log_probs, units, frame_seconds), best_runs(log_probs)
    figure = Figure(figsize=(9, 1.3 + 0.13 * len(drawn)), dpi=80)
    axes = figure.subplots()
    end = max(1, len(log_probs)) * frame_seconds
    axes.imshow(
        posteriors[:, drawn].T,
        aspect="auto",
        interpolation="nearest",
        cmap="Blues",
        vmin=0,
        vmax=1,
        extent=(0, end, len(drawn) - 0.5, -0.5),
    )
    rows = {unit: row for row, unit in enumerate(drawn.tolist())}
    path = [run for run in runs if run.unit in rows]
    edges = np.array([(run.start, run.end) for run in path]).reshape(-1, 2) * frame_seconds
    axes.hlines([rows[run.unit] for run in path], *edges.T, color="#d1495b", lw=2.5)
    for number, word in enumerate(heard.words):
        axes.axvspan(word.start, word.end, fc="#edae4930", ec="#b97a10", lw=0.6)
        middle = (word.start + word.end) / 2, -0.8 - 1.3 * (number % 2)  # long names of short words would overlap
        axes.annotate(word.word, middle, ha="center", va="bottom", fontsize=7, annotation_clip=False)
    names = [BLANK, *("space" if symbol == " " else symbol for symbol in units.symbols)]
    axes.set_yticks(range(len(drawn)), [names[unit].strip("<>") for unit in drawn], fontsize=7)
    axes.tick_params(axis="y", length=0)
    axes.set(xlabel="seconds", xlim=(0, end))
    height = figure.get_figheight()
    figure.subplots_adjust(left=0.06, right=0.99, top=1 - 0.7 / height, bottom=0.45 / height)
    figure.text(0.06, 1 - 0.05 / height, f"said: {_cut(reference)}", va="top", fontsize=8)
    return figure


def _cut(text: str, most: int = 130) -> str:
    return (text if len(text) <= most else text[: most - 3] + "...") or "(nothing)"
