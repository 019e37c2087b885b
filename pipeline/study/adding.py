"""The adding problem (Hochreiter & Schmidhuber 1997, section 5.4), in short form: a check of cells and of training.

Each element of a sequence is a pair: a value drawn from -1..1, and a marker that is 1 for two elements, -1 for the
first and the last, and else 0. The first marked element is one of the first ten; the second, another of the first half.
Where the first element is marked as one of the two, its value counts as 0. Sequences are of random lengths from T to T
+ T/10. At a sequence's end the network must tell 0.5 + (X1 + X2) / 4, X1 and X2 being the marked values. It is right if
it is off by less than 0.04; always to say 0.5 has a mean squared error of 1/24.
"""

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from pipeline.models.recurrent import make_cell
from pipeline.study.results import Results
from pipeline.study.variants import cell_parameters, nearest_width

RIGHT_WITHIN = 0.04
GUESSING = 1 / 24
"""Mean squared error of a network that always says 0.5."""

_TESTED = 1000


@dataclass(frozen=True)
class AddingProblem:
    """How long sequences are, and how they are learnt.

    Attributes:
        length: T.
        steps: of a training.
        batch: sequences in a step.
        parameters: of the recurrent layer, as near as its width allows.
        learning_rate: of Adam.
    """

    length: int = 50
    steps: int = 1500
    batch: int = 32
    parameters: int = 4480  # 32 units of LSTM
    learning_rate: float = 3e-3


def sequences(random: np.random.Generator, count: int, length: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sequences float32 [count, frames, 2], zero past their lengths int32 [count], and targets float32 [count].

    Raises:
        ValueError: a length below 10.
    """
    if length < 10:
        raise ValueError(f"a length of 10 or more wanted, found {length}")
    lengths = random.integers(length, length + length // 10, size=count, endpoint=True).astype(np.int32)
    values = random.uniform(-1, 1, (count, lengths.max())).astype(np.float32)
    markers = np.zeros_like(values)
    rows = np.arange(count)
    first = random.integers(0, min(10, length // 2), size=count)
    second = random.integers(0, length // 2 - 1, size=count)
    second += second >= first  # another than the first
    markers[rows, 0] = markers[rows, lengths - 1] = -1
    markers[rows, first] = markers[rows, second] = 1
    values[rows, 0] = np.where((first == 0) | (second == 0), 0.0, values[rows, 0])
    targets = 0.5 + (values[rows, first] + values[rows, second]) / 4
    inside = np.arange(values.shape[1])[None] < lengths[:, None]
    return np.stack([values, markers], axis=-1) * inside[..., None], lengths, targets.astype(np.float32)


def add(cell: str, problem: AddingProblem, seed: int) -> dict:
    """Trains one recurrent layer on the problem.

    Returns:
        "error", the mean squared one on sequences that were not learnt from; "right", the share of those that are off
        by less than RIGHT_WITHIN; "units", "parameters", "seconds".
    """
    keras.utils.set_random_seed(seed)
    width = nearest_width(lambda units: cell_parameters(cell, units, 2), problem.parameters)
    model = _LastOutput(make_cell(cell, width, False, "recurrent"))
    model.compile(keras.optimizers.Adam(problem.learning_rate, global_clipnorm=1.0), "mse", jit_compile=False)
    begin = time.perf_counter()
    made = _dataset(np.random.default_rng([seed, 1]), problem)
    model.fit(made, steps_per_epoch=problem.steps, epochs=1, shuffle=False, verbose=0)
    seconds = time.perf_counter() - begin
    inputs, lengths, targets = sequences(np.random.default_rng([seed, 2]), _TESTED, problem.length)
    found = ops.convert_to_numpy(model((inputs, lengths)))[:, 0]
    return {
        "error": float(np.mean((found - targets) ** 2)),
        "right": float(np.mean(np.abs(found - targets) < RIGHT_WITHIN)),
        "units": width,
        "parameters": cell_parameters(cell, width, 2),
        "seconds": seconds,
    }


def run_adding(
    cells: list[str], problems: list[AddingProblem], seed: int, results: Results, tell: Callable[[str, dict], None]
) -> None:
    """Trains what the results have not, and notes what is found under "adding"; `tell` is called with it.

    Raises:
        InputError: the results are of trainings of another number of steps.
    """
    if problems:
        results.once("adding_steps", problems[0].steps)
    for problem, cell in itertools.product(problems, cells):
        name = f"{cell}, {problem.length}, {seed}"
        if name in results.values["adding"]:
            continue
        found = add(cell, problem, seed)
        results.values["adding"][name] = {**found, "steps": problem.steps}
        results.save()
        tell(name, found)
        keras.backend.clear_session()


class _LastOutput(keras.Model):
    """A recurrent layer, and a number from its output at the last true frame."""

    def __init__(self, recurrent: keras.layers.RNN):
        super().__init__(name="last_output")
        self.recurrent, self.number = recurrent, keras.layers.Dense(1)

    def call(self, inputs, training=False):
        values, lengths = inputs
        outputs = self.recurrent(values, training=training)[0]
        return self.number(ops.take_along_axis(outputs, lengths[:, None, None] - 1, axis=1)[:, 0])


def _dataset(random: np.random.Generator, problem: AddingProblem) -> tf.data.Dataset:
    def batches() -> Iterator:
        while True:
            values, lengths, targets = sequences(random, problem.batch, problem.length)
            yield (values, lengths), targets[:, None]

    number = tf.TensorSpec([None, 1], tf.float32)
    signature = (tf.TensorSpec([None, None, 2], tf.float32), tf.TensorSpec([None], tf.int32)), number
    return tf.data.Dataset.from_generator(batches, output_signature=signature).prefetch(2)
