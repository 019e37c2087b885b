"""Times of work that is done several ways, and how they are printed."""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Row:
    """What was measured of one implementation.

    Attributes:
        size: of the work; rows of one size are compared.
        implementation: its name.
        median_ms: milliseconds.
        ratio: its time over this pipeline's.
        more: what else there is to tell, by name; a `target`, if any, is a name in the row and what it may be at most.
    """

    size: dict
    implementation: str
    median_ms: float
    ratio: float
    more: dict = field(default_factory=dict)

    def values(self) -> dict:
        """All to print, by name."""
        return {"median_ms": _rounded(self.median_ms), "ratio": _rounded(self.ratio), **_each_rounded(self.more)}


def measure(runs: dict[str, Callable[[], None]], repeats: int) -> dict[str, list[float]]:
    """Milliseconds of each run. They take turns, so that a machine's other work slows all alike."""
    times = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            times[name].append(1000 * (time.perf_counter() - start))
    return times


def spread(times: Iterable[float]) -> dict[str, float]:
    """The least of them, and what 99 in 100 are at most: of fewer than 100 that is the most."""
    times = sorted(times)
    return {"min_ms": times[0], "p99_ms": times[-1 - len(times) // 100]}


def rows(size: dict, times: dict[str, list[float]], items: int = 1, **more: dict[str, dict]) -> Iterable[Row]:
    """A row each of what `measure` found, with minima; the first is what the others are compared with.

    Args:
        size: of the work.
        times: milliseconds of each implementation's runs.
        items: in a run; the row tells of one.
        more: by a name, what the implementations have under it.
    """
    first = statistics.median(next(iter(times.values())))
    for name, found in times.items():
        median = statistics.median(found)
        others = {key: values[name] for key, values in more.items() if name in values}
        values = {**spread([value / items for value in found]), **others}
        yield Row(size, name, median / items, median / first, values)


def print_rows(work: str, found: Iterable[Row], as_json: bool) -> None:
    """As JSON, an object a row; or as tables, one for each size."""
    size = None
    for row in found:
        if as_json:
            values = {"work": work, "size": row.size, "implementation": row.implementation, **row.values()}
            print(json.dumps(values), flush=True)
            continue
        columns = [name for name in row.values() if name != "target"]
        if row.size != size:
            size = row.size
            print(
                f"{work}: "
                + ", ".join(str(value) if name == "task" else f"{value} {name}" for name, value in size.items())
            )
            print(f"{'implementation':<28}" + "".join(f"{_heading(name):>12}" for name in columns))
        line = f"{row.implementation:<28}" + "".join(f"{row.values()[name]:>12.4g}" for name in columns)
        print(line + _verdict(row.values()), flush=True)


def at_least(low: float, kind: type = int) -> Callable[[str], float]:
    """Of a command line's option: a number that is not too small."""

    def number(text: str) -> float:
        value = kind(text)
        if not value >= low:
            raise argparse.ArgumentTypeError(f"{value}: {low} or more wanted")
        return value

    return number


def _heading(name: str) -> str:
    return {"real_time_factor": "real time"}.get(name, name.replace("_", " "))


def _verdict(values: dict) -> str:
    said = [
        f"{_heading(name)} {most:g} {'held' if values[name] <= most else 'MISSED'}"
        for name, most in values.get("target", {}).items()
    ]
    return "  at most: " + ", ".join(said) if said else ""


def _each_rounded(values: dict) -> dict:
    return {name: value if isinstance(value, dict) else _rounded(value) for name, value in values.items()}


def _rounded(value: float) -> float:
    return round(value, 3) if value >= 1 else float(f"{value:.3g}")
