"""This pipeline and its peers on the same work, each in a process of its own: they share no threads or memory."""

import importlib
import json
import tempfile
import time
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.processes import Child, say, say_load
from benchmarks.timing import Row, Times, rows
from benchmarks.worker import ABSENT, READY

PAUSE_SECONDS = 0.3
"""Between runs: what one implementation's threads still do when it is over is not to be another's time."""
READY_SECONDS = 600.0


class Worker:
    """The other end: a process of one implementation.

    Args:
        work: a module here with IMPLEMENTATIONS.
        name: one of them.
        size: of the work.
        folder: where the results go.
        environment: variables that the process has besides this one's.
    """

    def __init__(self, work: str, name: str, size: dict, folder: Path, environment: dict[str, str]):
        self.name, self._results = name, folder / f"{name}.npz"
        line = ["-m", "benchmarks.worker", work, name, json.dumps(size), str(self._results)]
        self._process = Child(name, line, folder / f"{name}.txt", environment)

    def ready(self) -> str | None:
        """Waits until it has computed its results. What package it misses, if it does."""
        while (found := self._process.line(READY_SECONDS).partition(" "))[0] not in (ABSENT, READY):
            pass  # what its packages print
        return found[2] if found[0] == ABSENT else None

    def results(self) -> dict[str, np.ndarray]:
        with np.load(self._results) as found:
            return dict(found)

    def run(self) -> tuple[float, float]:
        """Milliseconds of one run by the clock and by the processor."""
        wall, cpu = self._ask("run").split()
        return float(wall), float(cpu)

    def memory(self) -> float:
        """Megabytes that its runs need at most, beyond its packages and its input."""
        return float(self._ask("memory"))

    def close(self) -> None:
        self._process.close()

    def _ask(self, what: str) -> str:
        self._process.tell(what)
        return self._process.line(READY_SECONDS)


def compared(
    work: str, size: dict, repeats: int, least: dict[str, dict[str, float]], without: Collection[str] = ()
) -> Iterator[Row]:
    """Rows of the implementations that are installed, which take turns; their results agree.

    Args:
        work: a module here, with
            IMPLEMENTATIONS, by name, of which the first is this pipeline's;
            TOLERANCES, of those how far their results may be from those of the one that has none, as the root of the
            mean square, relative to theirs (GPU_TOLERANCES where the size says "gpu"); and
            ENVIRONMENT, variables that their processes have.
        size: of the work.
        repeats: runs of each.
        least: by implementation, what a value should be at least.
        without: implementations that are not run; what has no tolerance may be among them, and nothing is checked then.

    Raises:
        PipelineError: results differ, a process fails, or what this pipeline itself needs is missing.
    """
    from pipeline.errors import PipelineError

    module = importlib.import_module(f"benchmarks.{work}")
    workers = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            for name in (name for name in module.IMPLEMENTATIONS if name not in without):
                worker = Worker(work, name, size, Path(folder), module.ENVIRONMENT.get(name, {}))
                workers.append(worker)
                missing = worker.ready()  # one after the other, so that none is in another's way
                if missing and name not in module.TOLERANCES:
                    raise PipelineError(f"{name}: {missing}")
                if missing:
                    say(f"left out: {name} ({missing})")
                    workers.remove(worker)
                    worker.close()
            check(work, workers, module.GPU_TOLERANCES if size.get("gpu") else module.TOLERANCES)
            say_load()
            times: Times = {worker.name: [] for worker in workers}
            for _ in range(repeats):
                for worker in workers:
                    time.sleep(PAUSE_SECONDS)
                    times[worker.name].append(worker.run())
            memory = {worker.name: worker.memory() for worker in workers}
            say_load()
        finally:
            for worker in workers:
                worker.close()
    for row in rows(size, times):
        more = {**row.more, "memory_mb": memory[row.implementation]}
        yield replace(row, more=more, least=least.get(row.implementation, {}))


def check(work: str, workers: list[Worker], tolerances: dict[str, float]) -> None:
    """Raises: PipelineError: results of implementations are too far apart, or one is missing; see `compared`."""
    from pipeline.errors import PipelineError

    reference = next((worker for worker in workers if worker.name not in tolerances), None)
    if reference is None:
        return
    wanted = reference.results()
    for worker in workers:
        found = worker.results()
        if found.keys() != wanted.keys():
            raise PipelineError(f"{work}: results of {worker.name}: {_names(wanted)} wanted, found {_names(found)}")
        for name, values in found.items():
            if values.shape != wanted[name].shape:
                raise PipelineError(
                    f"{work}: {name} of {worker.name}: {wanted[name].shape} wanted, found {values.shape}"
                )
            apart = float(np.sqrt(np.mean((values - wanted[name]) ** 2) / max(np.mean(wanted[name] ** 2), 1e-30)))
            if not apart <= tolerances.get(worker.name, 0):
                raise PipelineError(
                    f"{work}: {name} of {worker.name} differs from that of {reference.name} by {apart:.3g}, "
                    "so times would not compare"
                )


def _names(results: dict) -> str:
    return ", ".join(results) or "none"
