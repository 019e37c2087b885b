"""How the cost of a training step grows with its size, as a plot."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from benchmarks import train
from benchmarks.peers import compared
from benchmarks.timing import Row, at_least

EXAMPLE = "python scripts/bench.py growth --cell lstm --out growth.png"
STEPS = {
    "batch": [4, 8, 16, 32, 64],
    "frames": [75, 150, 300, 600, 1200],
    "hidden": [64, 128, 256, 512],
    "labels": [10, 20, 40, 80, 120],
}
"""Of each size, while the others stay."""
LABELS = {"batch": "utterances", "frames": "frames", "hidden": "units of a layer", "labels": "labels"}
LEFT_OUT = {"keras"}
FORMATS = (".png", ".svg", ".pdf")


def add_options(work) -> None:
    """Of this work."""
    train.add_size_options(work)
    work.add_argument("--out", metavar="FILE.png", required=True, help="the plot")
    work.add_argument("--repeats", type=at_least(1), default=3, help="timed runs of each (default: %(default)s)")


def measured(arguments) -> Iterator[Row]:
    """Training steps of growing batches, utterances, layers and transcripts, beside PyTorch if it is installed."""
    from pipeline.errors import InputError

    steps = [
        (name, {**standard, name: value})
        for standard in train.sizes(arguments)
        for name, values in STEPS.items()
        for value in values
    ]
    for _, size in steps:
        train.check_size(size)
    out = Path(arguments.out)
    if out.suffix not in FORMATS:
        raise InputError(f"--out {out}: a name that ends with {' or '.join(FORMATS)} wanted")
    try:  # before the work, not after it in vain
        out.parent.mkdir(parents=True, exist_ok=True)
        with out.open("ab"):
            pass
    except OSError as error:
        raise InputError(f"--out {out}: a file to write wanted, {error.strerror.lower()}") from error
    found = defaultdict(list)
    for name, size in steps:
        for row in compared("train", size, arguments.repeats, {}, LEFT_OUT):
            found[size["cell"], name, row.implementation].append((size[name], row))
            yield row
    _plot(out, found)


def _plot(file: Path, found: dict) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    cells = list(dict.fromkeys(cell for cell, _, _ in found))
    figure, axes = plt.subplots(
        2 * len(cells), len(STEPS), figsize=(3.2 * len(STEPS), 5 * len(cells)), sharex="col", squeeze=False
    )
    colours = {"pipeline": "#1b6ca8", "pipeline, bfloat16": "#7fb7dd", "pytorch": "#d1495b"}
    for (cell, name, implementation), points in found.items():
        column = list(STEPS).index(name)
        values = [value for value, _ in points]
        for row, heights in enumerate(([r.median_ms for _, r in points], [r.more["memory_mb"] for _, r in points])):
            axis = axes[2 * cells.index(cell) + row][column]
            axis.plot(values, heights, "o-", label=implementation, color=colours[implementation])
            axis.grid(alpha=0.3)
            if column == 0:
                axis.set_ylabel(f"{cell}: " + ("milliseconds" if row == 0 else "megabytes"))
            if row == 1:
                axis.set_xlabel(LABELS[name])
    for axis in axes.flat:
        axis.set_ylim(bottom=0)
    axes[0][0].legend()
    figure.tight_layout()
    figure.savefig(file, dpi=100)
    plt.close(figure)
