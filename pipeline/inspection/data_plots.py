"""Pictures of a survey of utterances, by matplotlib: inline SVG in the page's own colours, or one PNG of them all."""

import io
import re
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pipeline.data.survey import Row, Survey, decibels
from pipeline.data.survey_summary import top_speakers, values

COLOURS = {"train": "#4a90d9", "valid": "#e07b39", "test": "#3aa76d"}
"""Of the splits; each can be told from white and from black."""

INK = "#123456"
"""What text and axes are drawn in; in a page it becomes the page's own colour of text."""

BINS = 25
MOST_UNITS = 60
MOST_SPEAKERS = 30

HISTOGRAMS: dict[str, tuple[str, Callable[[Row], float | None]]] = {
    "duration": ("length of an utterance, seconds", lambda row: row.seconds or None),
    "rate": ("speaking rate, characters a second", lambda row: row.speaking_rate),
    "leading": ("silence before, seconds", lambda row: row.sound and row.sound.leading),
    "trailing": ("silence after, seconds", lambda row: row.sound and row.sound.trailing),
    "level": ("level (root mean square), dBFS", lambda row: row.sound and decibels(row.sound.rms)),
    "peak": ("peak, dBFS", lambda row: row.sound and decibels(row.sound.peak)),
}


def plots(survey: Survey) -> dict[str, str]:
    """Each plot as an `<svg>` element: those of HISTOGRAMS, `units`, and `speakers` if the source tells any."""
    drawn = {name: _svg(_draw_histogram(survey, name), (5.2, 2.5)) for name in HISTOGRAMS}
    drawn["units"] = _svg(lambda axes: _draw_units(axes, survey), (10.6, 3.2))
    if top_speakers(survey, 1):
        drawn["speakers"] = _svg(lambda axes: _draw_speakers(axes, survey), (10.6, 3.2))
    return drawn


def save_overview(path: str | Path, survey: Survey) -> None:
    """All plots in one picture."""
    from matplotlib.figure import Figure  # here, so that importing this module costs nothing

    figure = Figure(figsize=(9.5, 12), layout="constrained")
    parts = ["duration rate", "leading trailing", "level peak", "units units", "speakers speakers"]
    if not top_speakers(survey, 1):
        del parts[-1]
    axes = figure.subplot_mosaic([part.split() for part in parts])
    for name in HISTOGRAMS:
        _draw_histogram(survey, name)(axes[name])
    _draw_units(axes["units"], survey)
    if "speakers" in axes:
        _draw_speakers(axes["speakers"], survey)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a box stands for it
        figure.savefig(path, dpi=90)


def _svg(draw: Callable, size: tuple[float, float]) -> str:
    import matplotlib
    from matplotlib.figure import Figure

    colours = dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK)
    settings = {**colours, "svg.fonttype": "none", "svg.hashsalt": "plots", "font.family": "sans-serif"}
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # the page's fonts are the browser's
        figure = Figure(figsize=size, layout="constrained")
        draw(figure.subplots())
        written = io.StringIO()
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = written.getvalue()
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor")
    # The size is the page's to choose; the picture's own is in its viewBox.
    opening, rest = svg.split(">", 1)
    return re.sub(r' (width|height)="[^"]*"', "", opening) + ">" + rest


def _draw_histogram(survey: Survey, name: str) -> Callable:
    label, value = HISTOGRAMS[name]

    def draw(axes) -> None:
        found = {split: values(rows, value) for split, rows in survey.rows.items()}
        everything = np.concatenate(list(found.values()))
        low, high = (0.0, 1.0) if not len(everything) else _limits(everything)
        edges = np.linspace(low, high, BINS + 1)
        for split, each in found.items():
            if len(each):
                # What lies outside counts in the outermost bars. Each split is its own whole: train dwarfs the others.
                shares = np.histogram(np.clip(each, low, high), edges)[0] / len(each)
                if split == "train":
                    axes.stairs(shares * 100, edges, color=COLOURS[split], alpha=0.25, fill=True)
                axes.stairs(shares * 100, edges, color=COLOURS[split], linewidth=1.6, label=f"{split} ({len(each)})")
        axes.set(xlabel=label, ylabel="% of the split", xlim=(low, high))
        axes.set_ylim(bottom=0)
        if len(everything):
            axes.legend(frameon=False)
        _tidy(axes)

    return draw


def _limits(found: np.ndarray) -> tuple[float, float]:
    """What a histogram shows: all but extremes, which would press the rest into a bar or two."""
    q1, q3 = np.quantile(found, [0.25, 0.75])
    reach = 5 * max(q3 - q1, 0.01 * abs(q3), 1e-3)
    low, high = max(found.min(), q1 - reach), min(found.max(), q3 + reach)
    if high - low < reach / 5:
        low, high = low - reach / 10, high + reach / 10
    return float(low), float(high)


def _draw_units(axes, survey: Survey) -> None:
    """Shares on a logarithmic scale: bars of train, points of the others."""
    total = {split: max(1, counts.total()) for split, counts in survey.counts.items()}
    ranked = sorted(
        set(survey.units.symbols).union(*survey.counts.values()),
        key=lambda symbol: (-survey.counts["train"][symbol], symbol),
    )
    shown = ranked[:MOST_UNITS]
    places = np.arange(len(shown))
    for number, (split, counts) in enumerate(survey.counts.items()):
        shares = np.array([counts[symbol] / total[split] * 100 for symbol in shown])
        if split == "train":
            axes.bar(places, shares, color=COLOURS[split], alpha=0.75, label=split)
        else:
            there = shares > 0
            aside = (number - 1.5) * 0.3
            axes.plot(places[there] + aside, shares[there], "o", markersize=4.5, color=COLOURS[split], label=split)
    if any(counts[symbol] for counts in survey.counts.values() for symbol in shown):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(lambda share, _: f"{share:g}")
    long = max((len(symbol) for symbol in shown), default=0) > 3 and len(shown) > 8
    axes.set_xticks(places, [_shown(symbol) for symbol in shown], rotation=90 if long or len(shown) > 45 else 0)
    few = f", the {MOST_UNITS} commonest of {len(ranked)}" if len(ranked) > MOST_UNITS else f" ({len(ranked)})"
    axes.set(xlabel=f"units{few}", ylabel="% of all units, logarithmic", xlim=(-0.7, len(shown) - 0.3))
    handles = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    axes.legend([handles[split] for split in survey.counts], list(survey.counts), frameon=False, ncols=3)
    _tidy(axes)
    axes.grid(axis="x", visible=False)


def _draw_speakers(axes, survey: Survey) -> None:
    shown = top_speakers(survey, MOST_SPEAKERS)
    told = len({(row.speaker, split) for split, rows in survey.rows.items() for row in rows if row.speaker is not None})
    for split in survey.rows:
        own = [(place, speaker.minutes) for place, speaker in enumerate(shown) if speaker.split == split]
        if own:
            axes.bar(*zip(*own, strict=True), color=COLOURS[split], label=split)
    names = [_shown(speaker.name) for speaker in shown]
    long = sum(map(len, names)) > 60
    axes.set_xticks(range(len(shown)), names, rotation=90 if long else 0)
    few = f", the {len(shown)} with most of {told}" if told > len(shown) else f" ({told})"
    axes.set(xlabel=f"speakers{few}", ylabel="minutes", xlim=(-0.7, len(shown) - 0.3))
    axes.legend(frameon=False)
    _tidy(axes)
    axes.grid(axis="x", visible=False)


def _shown(symbol: str) -> str:
    """As a tick: a space can be seen, a dollar starts no formula, and a long name is cut."""
    symbol = symbol.replace(" ", "␣") if symbol.isspace() else symbol
    return (symbol if len(symbol) <= 14 else symbol[:13] + "…").replace("$", r"\$")


def _tidy(axes) -> None:
    axes.grid(alpha=0.25)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
