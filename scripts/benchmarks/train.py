"""A training step of the network behind the features, beside stock Keras and PyTorch."""

import functools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import command
import numpy as np

from benchmarks.ctc import check_frames
from benchmarks.peers import compared
from benchmarks.timing import Row, above_zero, at_least

EXAMPLE = "python scripts/bench.py train --cell lstm --json"
NVIDIA = Path("/dev/nvidiactl")
"""There is one where there are such GPUs."""
GATES = {"simple_rnn": 1, "lstm": 4, "gru": 3}
SIZES = {"batch": 32, "frames": 300, "features": 39, "layers": 2, "hidden": 256, "units": 30, "labels": 40}
"""What an option each sets; units are those of the last layer, the blank among them."""
TOLERANCES = {"pipeline, bfloat16": 0.05, "keras": 1e-3, "pytorch": 1e-3}
"""bfloat16 has 8 bits."""
GPU_TOLERANCES = {"pipeline, bfloat16": 0.1, "keras": 0.02, "pytorch": 0.02}
"""Where float32 is multiplied as TensorFloat-32, of 11 bits, as JAX and cuDNN do unless told otherwise."""
FRAME_SECONDS = 0.03
"""Of audio in a frame of the network: three hops of 10 ms."""
FASTER = {"simple_rnn": {"pytorch": 1.5, "keras": 4}, "lstm": {"pytorch": 1.5, "keras": 4}, "gru": {"pytorch": 1.3}}
"""How many times as fast as the peers the pipeline should be, in the sizes above on two cores."""


def add_options(work) -> None:
    """Of this work."""
    add_size_options(work)
    work.add_argument("--gpu", action="store_true", help="PyTorch has the GPU too, which Keras takes by itself")
    work.add_argument(
        "--peak-tflops", metavar="X", type=above_zero, help="of the processor or GPU: tells the share of it"
    )
    work.add_argument("--repeats", type=at_least(1), default=7, help="timed runs of each (default: %(default)s)")


def add_size_options(work) -> None:
    """Of this work, and others that take the same."""
    work.add_argument("--cell", choices=list(GATES), action="append", help="only this; may be repeated (default: all)")
    for name, value in SIZES.items():
        least = 2 if name == "units" else 1
        work.add_argument(f"--{name}", type=at_least(least), default=value, help="(default: %(default)s)")


def sizes(arguments) -> list[dict]:
    """That the options ask for, one a cell.

    Raises:
        InputError: the labels do not fit into the frames.
    """
    found = [
        {"cell": cell, **{name: getattr(arguments, name) for name in SIZES}}
        for cell in dict.fromkeys(arguments.cell or GATES)
    ]
    check_size(found[0])
    return found


def _wanted(size: dict, gpu: bool) -> dict[str, float]:
    """By peer, how many times as fast the pipeline should be."""
    usual = not gpu and all(size[name] == value for name, value in SIZES.items())
    return FASTER[size["cell"]] if usual else {}


def check_size(size: dict) -> None:
    """Raises: InputError: the labels do not fit into the frames."""
    check_frames(size, _labels(size))


def measured(arguments) -> Iterator[Row]:
    """CTC loss and the gradients of all weights, of random input; memory is what a process needs for it at most.

    A frame is 30 ms of audio, as in `configs/commands_lstm.yaml`.
    """
    if arguments.gpu:
        _check_gpu()
    for size in sizes(arguments):
        least = {name: {"ratio": ratio} for name, ratio in _wanted(size, arguments.gpu).items()}
        size = {**size, "gpu": True} if arguments.gpu else size
        own = None
        for row in compared("train", size, arguments.repeats, least, arguments.without):
            own = own or row
            if row.implementation == "pytorch" and row.least:
                row = replace(row, least={**row.least, "memory_mb": own.values()["memory_mb"]})
            steps = 1000 / row.median_ms
            more = {"steps_per_s": steps, "audio_s_per_s": steps * size["batch"] * size["frames"] * FRAME_SECONDS}
            more["gflop_per_s"] = steps * _products(size) / 1e9
            if arguments.peak_tflops:
                more["of_peak"] = more["gflop_per_s"] / 1000 / arguments.peak_tflops
            yield replace(row, more={**row.more, **more})


def _check_gpu() -> None:
    from pipeline.errors import InputError

    try:
        import torch
    except ImportError:  # and is left out
        if not NVIDIA.exists():
            raise InputError(f"--gpu: an NVIDIA GPU wanted, found none ({NVIDIA} is missing)") from None
        return
    if not torch.cuda.is_available():
        raise InputError("--gpu: a GPU wanted that PyTorch can compute on, found none")


def _products(size: dict) -> float:
    """Floating-point operations of the matrix products in a step: what the peak of a processor or a GPU counts."""
    units, inputs = size["hidden"], size["features"]
    total = 3 * 2 * units * size["units"]  # forward, and for the gradients of the weights and of what they multiply
    for layer in range(size["layers"]):
        columns = GATES[size["cell"]] * units
        total += 3 * 2 * units * columns + (3 if layer else 2) * 2 * inputs * columns  # the input has no gradient
        inputs = units
    return float(size["batch"] * size["frames"] * total)


def _labels(size: dict) -> np.ndarray:
    """int32 [batch, labels]."""
    return np.random.default_rng(1).integers(1, size["units"], (size["batch"], size["labels"])).astype(np.int32)


def _arrays(size: dict) -> dict:
    """Input and labels, and weights in Keras's order and layout."""
    random = np.random.default_rng(0)
    gates, hidden = GATES[size["cell"]], size["hidden"]

    def matrix(rows, columns):
        return random.uniform(-1, 1, (rows, columns)).astype(np.float32) / np.sqrt(rows).astype(np.float32)

    weights, inputs = [], size["features"]
    for _ in range(size["layers"]):
        bias = (2, gates * hidden) if size["cell"] == "gru" else (gates * hidden,)
        bias = random.uniform(-0.1, 0.1, bias).astype(np.float32)
        weights += [matrix(inputs, gates * hidden), matrix(hidden, gates * hidden), bias]
        inputs = hidden
    weights += [matrix(hidden, size["units"]), np.zeros(size["units"], np.float32)]
    return {
        "values": random.normal(size=(size["batch"], size["frames"], size["features"])).astype(np.float32),
        "labels": _labels(size),
        "label_lengths": np.full(size["batch"], size["labels"], np.int32),
        "frames": np.full(size["batch"], size["frames"], np.int32),
        "weights": weights,
    }


def _pipeline(size: dict, precision: str):
    import keras
    from keras import ops

    from pipeline.ctc import ctc_loss
    from pipeline.models import hardware
    from pipeline.models.parts import in_parts
    from pipeline.models.recurrent import make_cell

    arrays, dtype = _arrays(size), hardware.dtype_policy(precision)
    parts = hardware.parts_of(size["batch"])

    def build():
        layers = [make_cell(size["cell"], size["hidden"], False, f"layer_{n}", dtype) for n in range(size["layers"])]
        head = keras.layers.Dense(size["units"])

        def logits(values):
            for layer in layers:
                values = in_parts(parts, lambda part, layer=layer: layer(part, training=True)[0], values)
            return head(ops.cast(values, "float32"))

        def loss():
            scores = logits(arrays["values"])
            with keras.name_scope("ctc"):  # for benchmarks.profile
                return in_parts(parts, ctc_loss, arrays["labels"], scores, arrays["label_lengths"], arrays["frames"])

        return _by_keras([*layers, head], logits, loss, arrays)

    return build


def _stock_keras(size: dict):
    import keras

    arrays = _arrays(size)
    cell = {"simple_rnn": keras.layers.SimpleRNN, "lstm": keras.layers.LSTM, "gru": keras.layers.GRU}[size["cell"]]

    def build():
        layers = [cell(size["hidden"], return_sequences=True) for _ in range(size["layers"])]
        layers.append(keras.layers.Dense(size["units"]))
        network = keras.Sequential(layers)

        def loss():
            scores = network(arrays["values"], training=True)
            return keras.ops.ctc_loss(arrays["labels"], scores, arrays["label_lengths"], arrays["frames"])

        return _by_keras(layers, network, loss, arrays)

    return build


def _by_keras(layers, call, loss, arrays):
    import keras

    call(arrays["values"][:1, :2])  # creates the weights
    weights = [weight for layer in layers for weight in layer.weights]
    for weight, value in zip(weights, arrays["weights"], strict=True):
        weight.assign(value)
    if keras.backend.backend() == "jax":
        return _by_jax(weights, loss)
    import tensorflow as tf

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            total = tf.reduce_mean(loss())
        return total, tape.gradient(total, [weight.value for weight in weights])

    return lambda: step()[0].numpy(), _results(*step())


def _by_jax(weights, loss):
    import jax
    import keras

    def total(values):
        with keras.StatelessScope(state_mapping=zip(weights, values, strict=True)):
            return loss().mean()

    step, values = jax.jit(jax.value_and_grad(total)), [weight.value for weight in weights]
    return lambda: jax.block_until_ready(step(values)), _results(*step(values))


def _results(loss, gradients) -> dict:
    return {"loss": loss, **{f"gradient {number}": gradient for number, gradient in enumerate(gradients)}}


def _pytorch(size: dict):
    import torch

    arrays, device = _arrays(size), "cuda" if size.get("gpu") else "cpu"
    kind = {"simple_rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[size["cell"]]
    values = torch.from_numpy(arrays["values"]).transpose(0, 1).contiguous().to(device)
    names = "labels", "label_lengths", "frames"
    labels, lengths, frames = (torch.from_numpy(arrays[name]).long().to(device) for name in names)

    def build():
        network = kind(size["features"], size["hidden"], size["layers"]).to(device)
        head = torch.nn.Linear(size["hidden"], size["units"]).to(device)
        parameters = _to_pytorch(size, network, head, arrays["weights"])

        def step():
            for parameter in parameters:
                parameter.grad = None
            scores = head(network(values)[0]).log_softmax(-1)
            loss = torch.nn.functional.ctc_loss(scores, labels, frames, lengths, reduction="none").mean()
            loss.backward()
            if device == "cuda":
                torch.cuda.synchronize()
            return loss.item()

        return step, _results(step(), _from_pytorch(size, parameters))

    return build


def _to_pytorch(size: dict, network, head, weights: list) -> list:
    """PyTorch's matrices are transposed, all its layers have two biases, and its GRU's gates come in the order r, z."""
    import torch

    parameters, place = [], iter(weights)
    with torch.no_grad():
        for layer in range(size["layers"]):
            kernel, recurrent, bias = next(place), next(place), next(place)
            biases = bias if size["cell"] == "gru" else np.stack([bias, np.zeros_like(bias)])
            named = [f"weight_ih_l{layer}", f"weight_hh_l{layer}", f"bias_ih_l{layer}", f"bias_hh_l{layer}"]
            for name, value in zip(named, [kernel.T, recurrent.T, *biases], strict=True):
                parameters.append(getattr(network, name))
                parameters[-1].copy_(torch.from_numpy(_other_order(size, value).copy()))
        for parameter, value in ((head.weight, next(place).T), (head.bias, next(place))):
            parameter.copy_(torch.from_numpy(value.copy()))
            parameters.append(parameter)
    return parameters


def _from_pytorch(size: dict, parameters: list) -> list:
    gradients, place = [], iter([parameter.grad.cpu().numpy() for parameter in parameters])
    for _ in range(size["layers"]):
        kernel, recurrent, *biases = (_other_order(size, next(place)) for _ in range(4))
        gradients += [kernel.T, recurrent.T, np.stack(biases) if size["cell"] == "gru" else biases[0]]
    return [*gradients, next(place).T, next(place)]


def _other_order(size: dict, values: np.ndarray) -> np.ndarray:
    if size["cell"] != "gru":
        return values
    first, second, third = np.split(values, 3)
    return np.concatenate([second, first, third])


IMPLEMENTATIONS = {
    "pipeline": functools.partial(_pipeline, precision="float32"),
    "pipeline, bfloat16": functools.partial(_pipeline, precision="mixed_bfloat16"),
    "keras": _stock_keras,
    "pytorch": _pytorch,
}
ENVIRONMENT = dict.fromkeys(("pipeline", "pipeline, bfloat16"), command.TRAINING)
"""As scripts/train.py sets it; the peers have their own defaults, all cores."""
