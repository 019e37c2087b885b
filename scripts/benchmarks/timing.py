"""Times of work that is done several ways, and how they are printed."""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Row:
    """What was measured of one implementation.

    Attributes:
        size: of the work; rows of one size follow each other, have the same names in `more`, and are compared.
        implementation: its name.
        median_ms: milliseconds.
        ratio: its time over this pipeline's.
        more: what else there is to tell, by name.
        target: what a value should be at most, by its name.
        least: what a value should be at least, by its name.
    """

    size: dict
    implementation: str
    median_ms: float
    ratio: float
    more: dict[str, float] = field(default_factory=dict)
    target: dict[str, float] = field(default_factory=dict)
    least: dict[str, float] = field(default_factory=dict)

    def values(self) -> dict[str, float]:
        """All that was measured, by name."""
        values = {"median_ms": self.median_ms, "ratio": self.ratio, **self.more}
        return {name: _rounded(value) for name, value in values.items()}


class Stopwatch:
    """Milliseconds since it was made."""

    def __init__(self):
        self._start, self._cpu = time.perf_counter(), _cpu_seconds()

    def read(self) -> tuple[float, float]:
        """As a clock on the wall has it, and as the processor worked: for this process, and children that have ended.

        Other programs on the machine lengthen the first, and the second but little.
        """
        return 1000 * (time.perf_counter() - self._start), 1000 * (_cpu_seconds() - self._cpu)


Times = dict[str, list[tuple[float, float]]]
"""By implementation, of its runs, what a `Stopwatch` read."""


def measure(runs: dict[str, Callable[[], object]], repeats: int) -> Times:
    """Times of each run. They take turns, so that a machine's other work slows all alike."""
    times = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            watch = Stopwatch()
            run()
            times[name].append(watch.read())
    return times


def rows(size: dict, times: Times, items: int = 1) -> Iterable[Row]:
    """A row each of what `measure` found, with the least, the most, and the processor's median.

    Args:
        size: of the work.
        times: the first implementation's are what the others' are compared with.
        items: in a run; the row tells of one.
    """
    first = statistics.median(wall for wall, _ in next(iter(times.values())))
    for name, found in times.items():
        walls, cpus = zip(*found, strict=True)
        median = statistics.median(walls)
        spread = {"min_ms": min(walls), "max_ms": max(walls), "cpu_ms": statistics.median(cpus)}
        yield Row(size, name, median / items, median / first, {key: value / items for key, value in spread.items()})


def print_rows(work: str, found: Iterable[Row], as_json: bool) -> None:
    """As JSON, an object a row; or as tables, one for each size."""
    size = None
    for row in found:
        if as_json:
            values = {"work": work, "size": row.size, "implementation": row.implementation, **row.values()}
            wanted = {name: limits for name in ("target", "least") if (limits := getattr(row, name))}
            print(json.dumps(values | wanted), flush=True)
            continue
        if row.size != size:
            size = row.size
            sizes = [value if name == "task" else f"{value} {name}" for name, value in size.items()]
            print(f"{work}: " + ", ".join(sizes))
            print(f"{'implementation':<24}" + "".join(f"{_heading(name):>{_width(name)}}" for name in row.values()))
        line = "".join(f"{value:>{_width(name)}.4g}" for name, value in row.values().items())
        print(f"{row.implementation:<24}{line}{_verdict(row)}", flush=True)


MOST = 10_000_000


def at_least(low: float, kind: type = int) -> Callable[[str], float]:
    """Of a command line's option: a number that is not too small, and of which a machine may have as many."""

    def number(text: str) -> float:
        value = kind(text)
        if not low <= value <= MOST:
            raise argparse.ArgumentTypeError(f"{value}: {low} to {MOST} wanted")
        return value

    return number


def above_zero(text: str) -> float:
    """Of a command line's option: a number."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text}: more than 0 wanted")
    return value


def _heading(name: str) -> str:
    return name.replace("_", " ")


def _width(name: str) -> int:
    return max(12, len(name) + 2)


def _verdict(row: Row) -> str:
    values = row.values()
    said = [
        f"{_heading(name)} at most {most:g}: {'held' if values[name] <= most else 'missed'}"
        for name, most in row.target.items()
    ] + [
        f"{_heading(name)} at least {least:g}: {'held' if values[name] >= least else 'missed'}"
        for name, least in row.least.items()
    ]
    return "  " + ", ".join(said) if said else ""


def _rounded(value: float) -> float:
    return round(value, 3) if value >= 1 else float(f"{value:.3g}")


def _cpu_seconds() -> float:
    ended = os.times()
    return time.process_time() + ended.children_user + ended.children_system
