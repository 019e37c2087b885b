"""Processes on one core."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator

import command


def python(*line) -> str:
    """What a new interpreter prints.

    Raises:
        PipelineError: it fails.
    """
    from pipeline.errors import PipelineError

    done = subprocess.run([sys.executable, *map(str, line)], capture_output=True, text=True)
    if done.returncode:
        problem = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise PipelineError(f"{' '.join(map(str, line[:2]))}: ended with {done.returncode} ({problem})")
    return done.stdout


def module_path() -> str:
    """PYTHONPATH for processes that import this pipeline and its benchmarks."""
    own = [str(command.ROOT), str(command.ROOT / "scripts")]
    return os.pathsep.join([*own, *filter(None, [os.environ.get("PYTHONPATH")])])


@contextlib.contextmanager
def one_core() -> Iterator[None]:
    """This process and those it starts: one core, and one thread for TensorFlow's operations."""
    one = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "OMP_NUM_THREADS": "1"}
    before = dict(os.environ)
    os.environ.update(one, PYTHONPATH=module_path())
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_setaffinity") else set()
    if cores:
        os.sched_setaffinity(0, {max(cores)})
    say(f"one thread, on core {max(cores)} alone" if cores else "one thread; this system ties no process to one core")
    try:
        yield
    finally:
        if cores:
            os.sched_setaffinity(0, cores)
        os.environ.clear()
        os.environ.update(before)


def say_load() -> None:
    """How busy the machine is."""
    if hasattr(os, "getloadavg"):
        say(f"load of the last minute: {os.getloadavg()[0]:.1f}, on {os.cpu_count()} cores")


def say(line: str) -> None:
    """On stderr, where it is in no one's way."""
    print(line, file=sys.stderr, flush=True)
