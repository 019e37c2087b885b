"""The CTC loss and its gradient, beside Keras's and PyTorch's."""

from collections.abc import Iterator

import command
import numpy as np

from benchmarks.peers import compared
from benchmarks.timing import Row, at_least

EXAMPLE = "python scripts/bench.py ctc --frames 1000 --labels 150 --json"
BACKENDS = ("tensorflow",)
"""Of Keras, on which this runs."""
TOLERANCES = {"keras.ops.ctc_loss": 1e-3, "pytorch": 5e-3}
"""PyTorch's gradient gathers the rounding of both recursions: at 1000 frames it is 1.3e-3 off."""
FASTER = {"pytorch": {"ratio": 1.5}}
JUDGED = {"batch": 32, "frames": 1000, "labels": 150, "units": 30}
"""The size that it should be so at."""


def add_options(work) -> None:
    """Of this work."""
    work.add_argument("--batch", type=at_least(1), default=32, help="utterances (default: %(default)s)")
    work.add_argument("--frames", type=at_least(1), default=400, help="of each utterance (default: %(default)s)")
    work.add_argument("--labels", type=at_least(1), default=60, help="of each utterance (default: %(default)s)")
    work.add_argument("--units", type=at_least(2), default=30, help="the blank among them (default: %(default)s)")
    work.add_argument("--repeats", type=at_least(1), default=7, help="timed runs of each (default: %(default)s)")


def measured(arguments) -> Iterator[Row]:
    """Loss and gradient of random logits, utterances of all the frames and labels; memory is the most it needs."""
    size = {name: getattr(arguments, name) for name in ("batch", "frames", "labels", "units")}
    check_frames(size, _arrays(size)[1])
    least = FASTER if size == JUDGED else {}
    yield from compared("ctc", size, arguments.repeats, least, arguments.without)


def check_frames(size: dict, labels: np.ndarray) -> None:
    """Raises: InputError: the labels int32 [batch, labels] do not fit into the size's frames."""
    from pipeline.data.utterances import frames_needed
    from pipeline.errors import InputError

    needed = max(frames_needed(tuple(row)) for row in labels)
    if size["frames"] < needed:
        raise InputError(f"--frames {size['frames']}: {needed} wanted for {size['labels']} labels and their repeats")


def _arrays(size: dict) -> tuple:
    """Logits, labels, and the lengths of both."""
    random = np.random.default_rng(0)
    logits = random.normal(size=(size["batch"], size["frames"], size["units"])).astype(np.float32)
    labels = random.integers(1, size["units"], (size["batch"], size["labels"])).astype(np.int32)
    lengths = [np.full(size["batch"], size[name], np.int32) for name in ("labels", "frames")]
    return logits, labels, *lengths


def _pipeline(size: dict):
    from pipeline.ctc import ctc_loss
    from pipeline.models.hardware import parts_of
    from pipeline.models.parts import in_parts

    return _by_keras(size, lambda *arrays: in_parts(parts_of(size["batch"]), ctc_loss, *arrays))


def _keras(size: dict):
    import keras

    return _by_keras(size, keras.ops.ctc_loss)


def _by_keras(size: dict, loss_of):
    import tensorflow as tf

    logits, labels, label_lengths, frames = _arrays(size)

    @tf.function
    def step(logits):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            losses = loss_of(labels, logits, label_lengths, frames)
            total = tf.reduce_sum(losses)
        return losses, tape.gradient(total, logits)

    def build():
        losses, gradient = step(tf.constant(logits))
        return lambda: step(tf.constant(logits))[1].numpy(), {"loss": losses, "gradient": gradient}

    return build


def _pytorch(size: dict):
    import torch

    logits, labels, label_lengths, frames = (torch.from_numpy(array) for array in _arrays(size))
    scores = logits.transpose(0, 1).contiguous().requires_grad_()

    def step():
        scores.grad = None
        losses = torch.nn.functional.ctc_loss(
            scores.log_softmax(-1), labels.long(), frames.long(), label_lengths.long(), reduction="none"
        )
        losses.sum().backward()
        return losses

    def build():
        losses = step().detach()
        return step, {"loss": losses, "gradient": scores.grad.transpose(0, 1)}

    return build


IMPLEMENTATIONS = {"pipeline": _pipeline, "keras.ops.ctc_loss": _keras, "pytorch": _pytorch}
ENVIRONMENT = {"pipeline": command.TRAINING}
"""As scripts/train.py sets it; the peers have their own defaults, all cores."""
