"""Where the time of this pipeline's training step, or of its features, goes."""

import contextlib
import os
import re
import statistics
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import command

from benchmarks import features, train
from benchmarks.processes import say, say_load
from benchmarks.timing import Row, at_least, measure

EXAMPLE = "python scripts/bench.py profile --cell lstm"
BACKENDS = ("tensorflow",)
"""Of Keras, on which this runs."""
ENVIRONMENT = {**command.TRAINING, "TF_NUM_INTEROP_THREADS": "1"}
"""One operation at a time: what passes by the clock is the processor's time, unless something else has the core."""
OPERATION = re.compile(r"([\w./-]+):(\w+)")
"""An event of the profiler: a node of the graph and its kind."""
APART = 0.2
"""How far the parts' sum may be above the processor's time, relative, before something is wrong."""


def add_options(work) -> None:
    """Of this work."""
    train.add_size_options(work)
    work.add_argument("--mfcc", action="store_true", help="of what `bench.py features` times; sizes are its own")
    work.add_argument("--repeats", type=at_least(1), default=5, help="profiled steps (default: %(default)s)")


def measured(arguments) -> Iterator[Row]:
    """The processor's milliseconds in a step (or the features of a batch) on one thread; then, by TensorFlow's
    profiler, those that pass in parts of it, whose ratio is to the former."""
    os.environ.update(ENVIRONMENT)
    command.load_tensorflow()
    say_load()
    work = features if arguments.mfcc else train
    for size in [features.SIZES] if arguments.mfcc else train.sizes(arguments):
        profiles, cpu = _profiled(work.IMPLEMENTATIONS["pipeline"](size), arguments.repeats)
        parts = _parts(profiles, _kind if arguments.mfcc else _part)
        total = sum(milliseconds for milliseconds, _ in parts.values())
        yield Row(size, "pipeline", cpu, 1.0, {"operations": sum(count for _, count in parts.values())})
        for name, (milliseconds, count) in sorted(parts.items(), key=lambda item: -item[1][0]):
            yield Row(size, name, milliseconds, milliseconds / cpu, {"operations": count})
        if total < cpu:
            yield Row(size, "between operations", cpu - total, 1 - total / cpu, {"operations": 0})
        if total > (1 + APART) * cpu:
            say(f"the parts' sum is {total:.0f} ms, the processor's time {cpu:.0f} ms: something else had the core")


Nodes = dict[str, list[float]]
"""By node of the graph, milliseconds of each time that it ran."""


def _profiled(build: Callable, repeats: int) -> tuple[list[Nodes], float]:
    """Steps by the profiler, and then the processor's milliseconds of steps without it.

    The order matters. TensorFlow records no operation any more that it has found to be cheap, and it looks for those
    when nothing is recorded; and the first step is slowed by memory that is new to the process.
    """
    with _recorded({}):
        run, _ = build()
    profiles = [{} for _ in range(repeats)]
    for nodes in profiles:
        with _recorded(nodes):
            run()
    times = measure({"pipeline": run}, repeats)["pipeline"]
    return profiles, statistics.median(cpu for _, cpu in times)


@contextlib.contextmanager
def _recorded(nodes: Nodes) -> Iterator[None]:
    """Adds the nodes that run meanwhile."""
    import tensorflow as tf
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            yield
        space = xplane_pb2.XSpace.FromString(next(Path(folder).rglob("*.xplane.pb")).read_bytes())
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                name = plane.event_metadata[event.metadata_id].name
                if OPERATION.fullmatch(name):
                    nodes.setdefault(name, []).append(event.duration_ps / 1e9)


def _parts(profiles: list[Nodes], part_of: Callable[[str, str], str]) -> dict[str, tuple[float, float]]:
    """By part, of a node's name and kind, milliseconds and operations."""
    times, counts = Counter(), Counter()
    for node, runs in profiles[-1].items():
        part = part_of(*OPERATION.fullmatch(node).groups())
        # Medians and the least, for what else the machine does makes single ones longer.
        times[part] += min(len(one[node]) * statistics.median(one[node]) for one in profiles if node in one)
        counts[part] += len(runs)
    return {part: (times[part], counts[part]) for part in times}


def _kind(name: str, kind: str) -> str:
    return kind


def _part(name: str, kind: str) -> str:
    if "ctc" in name:
        return "CTC"
    product, looped = "MatMul" in kind, "while" in name
    if product:
        return "products, a frame" if looped else "products, all frames"
    return "gates, a frame" if looped else "the rest"
