"""A training as TensorBoard shows it; one step is one epoch."""

import functools
import json
from pathlib import Path

import numpy as np
import tensorflow as tf

from pipeline.evaluation.breakdown import comparison
from pipeline.inspection.pixels import pixels

FINAL = {
    "final/error rate, characters": "cer",
    "final/error rate, words": "wer",
    "final/loss, valid": "val_loss",
    "final/epoch": "epoch",
}
"""What the HParams dashboard compares runs by: its names for the best epoch's values."""


class TensorBoardLog:
    """Writes into a folder that `tensorboard --logdir` reads; a file is there from the first thing written on.

    All of a training goes through one of these: TensorBoard does not return to an older file once it reads a newer.
    A `/` in a name groups what comes before it.
    """

    def __init__(self, folder: str | Path):
        self._folder = Path(folder)

    @functools.cached_property
    def _writer(self):
        return tf.summary.create_file_writer(str(self._folder))

    def scalars(self, epoch: int, values: dict[str, float]) -> None:
        """Curves by name."""
        with self._writer.as_default(step=epoch):
            for name, value in values.items():
                tf.summary.scalar(name, value)
        self._writer.flush()

    def transcripts(self, epoch: int, references: list[str], hypotheses: list[str]) -> None:
        """A table of what was said and what was heard, as `comparison` makes it."""
        with self._writer.as_default(step=epoch):
            tf.summary.text("transcripts", comparison(references, hypotheses))
        self._writer.flush()

    def audio(self, epoch: int, name: str, audio: np.ndarray, sample_rate: int) -> None:
        """A player of float32 [samples] in -1..1."""
        with self._writer.as_default(step=epoch):
            tf.summary.audio(name, audio[None, :, None], sample_rate)

    def picture(self, epoch: int, name: str, figure) -> None:
        """A matplotlib figure."""
        with self._writer.as_default(step=epoch):
            tf.summary.image(name, pixels(figure)[None])

    def histograms(self, epoch: int, values: dict[str, np.ndarray]) -> None:
        """How the numbers in arrays of any shape are distributed, by name."""
        with self._writer.as_default(step=epoch):
            for name, array in values.items():
                tf.summary.histogram(name, array)

    def graph(self, graph: tf.Graph) -> None:
        """The operations of a `tf.function`, for the Graphs dashboard."""
        with self._writer.as_default(step=0):
            tf.summary.graph(graph)
        self._writer.flush()

    def hyperparameters(self, run: str, settings: dict) -> None:
        """What the HParams dashboard tells runs apart by.

        Args:
            run: its name.
            settings: nested mappings, such as a configuration's; names are joined by dots.
        """
        from tensorboard.plugins.hparams import summary_v2 as api  # its `api` imports tf.keras, which may not be there

        values = _flat(settings)
        with self._writer.as_default(step=0):
            api.hparams_config([api.HParam(name) for name in values], [api.Metric(name) for name in FINAL])
            api.hparams(values, trial_id=run)
        self._writer.flush()

    def final(self, best: dict) -> None:
        """The values of the best epoch, as metrics.json has them, beside the hyperparameters."""
        self.scalars(0, {name: best[key] for name, key in FINAL.items()})

    def close(self) -> None:
        if "_writer" in vars(self):
            self._writer.close()


def _flat(settings: dict, prefix: str = "") -> dict[str, bool | int | float | str]:
    values = {}
    for name, value in settings.items():
        if isinstance(value, dict) and value:
            values.update(_flat(value, f"{prefix}{name}."))
        else:
            values[prefix + name] = value if isinstance(value, bool | int | float | str) else json.dumps(value)
    return values
