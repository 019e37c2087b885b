"""The CTC loss and its gradient, beside Keras's."""

import argparse
from collections.abc import Callable, Iterable
from dataclasses import replace

import command

from benchmarks.timing import Row, at_least, measure, rows

EXAMPLE = "python scripts/bench.py ctc --frames 1000 --labels 150 --json"
UNALIKE = 1e-3
"""How far, in nats and relative to a loss, implementations may be apart; more, and times would not compare."""


def add_options(work: argparse.ArgumentParser) -> None:
    """Of this work."""
    work.add_argument("--batch", type=at_least(1), default=32, help="utterances (default: %(default)s)")
    work.add_argument("--frames", type=at_least(1), default=400, help="of each utterance (default: %(default)s)")
    work.add_argument("--labels", type=at_least(1), default=60, help="of each utterance (default: %(default)s)")
    work.add_argument("--units", type=at_least(2), default=30, help="the blank among them (default: %(default)s)")
    work.add_argument("--repeats", type=at_least(1), default=7, help="timed runs of each (default: %(default)s)")


def measured(arguments) -> Iterable[Row]:
    """Loss and gradient of random logits, utterances of all the frames and labels, in a compiled function."""
    size, runs = _runs(arguments)
    for row in rows(size, measure(runs, arguments.repeats)):
        yield replace(row, more={})


def _runs(arguments) -> tuple[dict[str, int], dict[str, Callable[[], None]]]:
    """The size, and what runs each implementation; each has run before."""
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
