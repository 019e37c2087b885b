"""Processes of a benchmark's own: on one core, or told line by line what to do."""

import contextlib
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

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


class Child:
    """A process that answers on stdout what it is told on stdin, a line each.

    Args:
        name: what errors call it.
        line: arguments to the interpreter.
        problems: a file for what it says on stderr.
        environment: variables that it has besides this process's.
    """

    def __init__(self, name: str, line: list[str], problems: Path, environment: dict[str, str]):
        self.name, self._problems = name, problems
        with problems.open("w") as file:  # a pipe would fill up, as nobody reads it
            self._process = subprocess.Popen(
                [sys.executable, *line],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
                env={**os.environ, **environment, "PYTHONPATH": module_path()},
            )

    def tell(self, what: str) -> None:
        with contextlib.suppress(BrokenPipeError):  # there is no line to come either
            self._process.stdin.write(what + "\n")
            self._process.stdin.flush()

    def line(self, seconds: float | None = None) -> str:
        """Its next one.

        Args:
            seconds: to wait for it; default: as long as it takes.

        Raises:
            PipelineError: there is none in that time, or the process has ended.
        """
        from pipeline.errors import PipelineError

        if seconds is not None and not select.select([self._process.stdout], [], [], seconds)[0]:
            raise PipelineError(f"{self.name}: no answer in {seconds:g} s")
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            problem = (self._problems.read_text().strip().splitlines() or ["no reason given"])[-1]
            raise PipelineError(f"{self.name}: its process ended ({problem})")
        return line.strip()

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


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
