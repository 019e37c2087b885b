"""Times this pipeline and its peers on the same work, in one run."""

import argparse
import json
import statistics
import time
from collections.abc import Callable

import command

UNALIKE = 1e-3
"""How far, in nats and relative to a loss, implementations may be apart; more, and times would not compare."""


def main(arguments) -> None:
    size, runs = arguments.work_of(arguments)
    times = measure(runs, arguments.repeats)
    if not arguments.json:
        print(f"{arguments.work}: " + ", ".join(f"{value} {name}" for name, value in size.items()))
        print(f"{'implementation':<24}{'median ms':>12}{'ratio':>8}")
    for name, milliseconds in times.items():
        ratio = milliseconds / times["pipeline"]
        if arguments.json:
            values = {"work": arguments.work, "size": size, "implementation": name}
            print(json.dumps({**values, "median_ms": round(milliseconds, 3), "ratio": round(ratio, 3)}))
        else:
            print(f"{name:<24}{milliseconds:>12.1f}{ratio:>8.2f}")


def measure(runs: dict[str, Callable[[], None]], repeats: int) -> dict[str, float]:
    """Median milliseconds of each run. They take turns, so that a machine's other work slows all alike."""
    times = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            times[name].append(1000 * (time.perf_counter() - start))
    return {name: statistics.median(values) for name, values in times.items()}


def ctc(arguments) -> tuple[dict[str, int], dict[str, Callable[[], None]]]:
    """Loss and gradient of random logits, utterances of all the frames and labels, in a compiled function.

    Returns:
        The size, and what runs each implementation; each has run before.
    """
    import numpy as np

    from pipeline.data.utterances import frames_needed
    from pipeline.errors import InputError, PipelineError

    size = {name: getattr(arguments, name) for name in ("batch", "frames", "labels", "units")}
    random = np.random.default_rng(0)
    logits = random.normal(size=(arguments.batch, arguments.frames, arguments.units)).astype(np.float32)
    labels = random.integers(1, arguments.units, (arguments.batch, arguments.labels)).astype(np.int32)
    label_lengths = np.full(arguments.batch, arguments.labels, np.int32)
    frames = np.full(arguments.batch, arguments.frames, np.int32)
    needed = max(frames_needed(tuple(row)) for row in labels)
    if arguments.frames < needed:
        raise InputError(
            f"--frames {arguments.frames}: {needed} wanted for {arguments.labels} labels and their repeats"
        )

    command.load_tensorflow()
    import keras

    from pipeline.ctc import ctc_loss

    implementations = {
        "pipeline": lambda scores: ctc_loss(labels, scores, label_lengths, frames),
        "keras.ops.ctc_loss": lambda scores: keras.ops.ctc_loss(labels, scores, label_lengths, frames),
    }
    functions = {name: _loss_and_gradient(loss) for name, loss in implementations.items()}
    losses, gradients = functions["pipeline"](logits)
    for name, function in functions.items():
        others, other_gradients = function(logits)
        for values, wanted in ((others, losses), (other_gradients, gradients)):
            if not np.allclose(values, wanted, rtol=UNALIKE, atol=UNALIKE):
                apart = np.abs(np.subtract(values, wanted)).max()
                raise PipelineError(f"ctc: {name} differs from pipeline by {apart:.3g}, so times would not compare")
    return size, {name: lambda function=function: function(logits)[1].numpy() for name, function in functions.items()}


def _loss_and_gradient(loss_of: Callable) -> Callable:
    import tensorflow as tf

    @tf.function
    def run(logits):
        logits = tf.convert_to_tensor(logits)
        with tf.GradientTape() as tape:
            tape.watch(logits)
            loss = loss_of(logits)
            total = tf.reduce_sum(loss)
        return loss, tape.gradient(total, logits)

    return run


def _at_least(low: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        value = int(text)
        if value < low:
            raise argparse.ArgumentTypeError(f"{value}: {low} or more wanted")
        return value

    return number


arguments = command.parser(__doc__, "python scripts/bench.py ctc --frames 1000 --labels 150 --json")
works = arguments.add_subparsers(dest="work", metavar="WORK", required=True)
work = works.add_parser(
    "ctc",
    help="the CTC loss and its gradient, beside Keras's",
    description=ctc.__doc__.split("\n")[0],
    epilog=arguments.epilog,
    formatter_class=arguments.formatter_class,
)
work.set_defaults(work_of=ctc)
work.add_argument("--batch", type=_at_least(1), default=32, help="utterances (default: %(default)s)")
work.add_argument("--frames", type=_at_least(1), default=400, help="of each utterance (default: %(default)s)")
work.add_argument("--labels", type=_at_least(1), default=60, help="of each utterance (default: %(default)s)")
work.add_argument("--units", type=_at_least(2), default=30, help="the blank among them (default: %(default)s)")
work.add_argument("--repeats", type=_at_least(1), default=7, help="timed runs of each (default: %(default)s)")
work.add_argument("--json", action="store_true", help="print a JSON object for each implementation")

if __name__ == "__main__":
    command.run(main, arguments)
