"""Where the time of this pipeline's training step goes."""

import os
import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import command

from benchmarks import train
from benchmarks.timing import Row, at_least

EXAMPLE = "python scripts/bench.py profile --cell lstm"
OPERATION = re.compile(r"([\w./-]+):(\w+)")
"""An event of the profiler: a node of the graph and its kind."""


def add_options(work) -> None:
    """Of this work."""
    train.add_size_options(work)
    work.add_argument("--repeats", type=at_least(1), default=5, help="profiled steps (default: %(default)s)")


def measured(arguments) -> Iterator[Row]:
    """The processor's milliseconds in a step, by TensorFlow's profiler: all, then parts, whose ratio is to all."""
    os.environ.update(train.ENVIRONMENT["pipeline"])
    command.load_tensorflow()
    for size in train.sizes(arguments):
        run, _ = train.IMPLEMENTATIONS["pipeline"](size)()
        run()
        found = _operations(run, arguments.repeats)
        total = sum(milliseconds for milliseconds, _ in found.values())
        yield Row(size, "pipeline", total, 1.0, {"operations": sum(count for _, count in found.values())})
        for name, (milliseconds, count) in sorted(found.items(), key=lambda item: -item[1][0]):
            yield Row(size, name, milliseconds, milliseconds / total, {"operations": count})


def _operations(run, repeats: int) -> dict[str, tuple[float, float]]:
    """By part, milliseconds and operations of one run."""
    import tensorflow as tf
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            for _ in range(repeats):
                run()
        file = next(Path(folder).rglob("*.xplane.pb"))
        space = xplane_pb2.XSpace.FromString(file.read_bytes())
    times, counts = Counter(), Counter()
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                operation = OPERATION.fullmatch(plane.event_metadata[event.metadata_id].name)
                if operation and line.name.startswith("tf_Compute"):
                    part = _part(*operation.groups())
                    times[part] += event.duration_ps / 1e9 / repeats
                    counts[part] += 1 / repeats
    return {part: (times[part], counts[part]) for part in times}


def _part(name: str, kind: str) -> str:
    if "ctc" in name:
        return "CTC"
    product, looped = "MatMul" in kind, "while" in name
    if product:
        return "products, a frame" if looped else "products, all frames"
    return "gates, a frame" if looped else "the rest"
