"""Pictures of where a model errs, by matplotlib."""

from collections import Counter

import numpy as np

from pipeline.evaluation.error_rate import ErrorRates

MOST_UNITS = 40
MOST_GROUPS = 30
LEFT_OUT, PUT_IN = "(left out)", "(put in)"


def draw_confusions(counts: Counter[tuple[str, str]]):
    """A matplotlib figure of `breakdown.confusions`: a row is what was said, and its shares what was heard instead.

    The last row's units were put in where nothing was said; it shares by all that were. The most frequent units are
    drawn, if there are many.
    """
    from matplotlib.colors import PowerNorm
    from matplotlib.figure import Figure  # here, so that importing this module costs nothing

    said = Counter()
    for (one, other), count in counts.items():
        said[one or other] += count
    units = sorted(unit for unit, _ in said.most_common(MOST_UNITS))
    table = np.array([[counts[one, other] for other in [*units, ""]] for one in [*units, ""]], float)
    shares = 100 * table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    names = ["space" if unit == " " else unit for unit in units]
    longest = max(map(len, [*names, LEFT_OUT]))
    figure = Figure(figsize=(1.8 + 0.2 * len(names) + 0.08 * longest, 1.0 + 0.2 * len(names) + 0.06 * longest), dpi=80)
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="magma_r", norm=PowerNorm(0.5, 0, 100), aspect="auto")
    axes.set_xticks(range(len(names) + 1), [*names, LEFT_OUT], fontsize=7, rotation=90)
    axes.set_yticks(range(len(names) + 1), [*names, PUT_IN], fontsize=7)
    axes.tick_params(length=0)
    axes.set(xlabel="heard", ylabel="said")
    figure.colorbar(image, ax=axes, label="% of a row", ticks=[0, 1, 5, 20, 50, 100])
    figure.tight_layout()
    return figure


def draw_error_rates(panels: dict[str, dict[str, ErrorRates]]):
    """A matplotlib figure of word error rates by group, a panel for each way of grouping, by its name.

    On a bar stands how many utterances it is of; the largest groups are drawn, if there are many.
    """
    from matplotlib.figure import Figure

    widths = [max(3, min(len(groups), MOST_GROUPS)) for groups in panels.values()]
    figure = Figure(figsize=(1.5 + 0.55 * sum(widths), 3.2), dpi=80)
    rows = figure.subplots(1, len(panels), squeeze=False, sharey=True, width_ratios=widths)[0]
    for axes, (title, groups) in zip(rows, panels.items(), strict=True):
        largest = set(sorted(groups, key=lambda name: -groups[name].utterances)[:MOST_GROUPS])
        drawn = {name: rates for name, rates in groups.items() if name in largest}
        percent = [100 * rates.wer for rates in drawn.values()]
        axes.bar(range(len(drawn)), percent, color="#0b62a4", width=0.7)
        for place, (value, rates) in enumerate(zip(percent, drawn.values(), strict=True)):
            axes.annotate(f"{rates.utterances}", (place, value), ha="center", va="bottom", fontsize=7)
        axes.set_xticks(range(len(drawn)), drawn, rotation=45, ha="right", fontsize=7)
        axes.set_title(f"by {title}", fontsize=9)
        axes.grid(axis="y", alpha=0.25)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    rows[0].set_ylabel("word error rate, %\n(on a bar: utterances)")
    rows[0].set_ylim(0, None)
    figure.tight_layout()
    return figure
