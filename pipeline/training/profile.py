"""The graph of a model and one profiled step of its training, for TensorBoard."""

import keras
import tensorflow as tf

from pipeline.inspection.tensorboard import TensorBoardLog
from pipeline.training.backend import graph_of, start_profile, stop_profile
from pipeline.training.run import Run

FIRST_STEPS = 2
"""They also prepare the model; the one after them is profiled."""


class Profile(keras.callbacks.Callback):
    """Writes the graph, and one step as the profiler saw it, into a run's logs.

    Args:
        run: of the training.
        log: the training's.
        specification: of the model's inputs, a nest of `tf.TensorSpec`.
    """

    def __init__(self, run: Run, log: TensorBoardLog, specification: dict[str, tf.TensorSpec]):
        super().__init__()
        self._run, self._log, self._specification = run, log, specification
        self._steps = 0
        self._profiling = False

    def on_train_begin(self, logs=None):
        graph = graph_of(self.model, self._specification)
        if graph is not None:
            self._log.graph(graph)

    def on_train_batch_begin(self, batch, logs=None):
        if self._steps == FIRST_STEPS:
            start_profile(str(self._run.logs))
            self._profiling = True

    def on_train_batch_end(self, batch, logs=None):
        self._steps += 1
        self._stop()

    def on_train_end(self, logs=None):
        self._stop()

    def _stop(self) -> None:
        if self._profiling:
            self._profiling = False
            stop_profile()
