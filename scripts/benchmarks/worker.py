"""The process of one implementation, which `peers.Worker` starts and tells when to run.

`python -m benchmarks.worker WORK IMPLEMENTATION SIZE.json RESULTS.npz` prints a line when it is ready, and then one for
each line on stdin: milliseconds by the clock and by the processor for "run", megabytes for "memory".
"""

import importlib
import json
import sys
from collections.abc import Callable

import numpy as np

from benchmarks.memory import forget_most, most_megabytes, resident_megabytes
from benchmarks.timing import Stopwatch

ABSENT = "absent"
"""The first word of the line of a worker whose package is not installed."""

READY = "ready"
"""The first word of the line of another, when it has its results."""

Results = dict[str, np.ndarray]
"""By name, what an implementation must agree about with the others."""
Implementation = Callable[[dict], Callable[[], tuple[Callable[[], object], Results]]]
"""Of a size: imports its packages and makes its input; then, when called, builds what runs it, and its results."""


def main(work: str, name: str, size: str, results: str) -> None:
    try:
        build = importlib.import_module(f"benchmarks.{work}").IMPLEMENTATIONS[name](json.loads(size))
    except ImportError as error:
        print(ABSENT, error, flush=True)
        return
    forget_most()
    before = resident_megabytes()
    run, found = build()
    np.savez(results, **{key: np.asarray(value, np.float64) for key, value in found.items()})
    run()  # whatever is made at the first run
    print(READY, flush=True)
    for line in sys.stdin:
        if line.strip() == "memory":
            print(most_megabytes() - before, flush=True)
        else:
            watch = Stopwatch()
            run()
            print(*watch.read(), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
