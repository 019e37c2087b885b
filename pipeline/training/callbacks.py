"""What happens around the batches and epochs of a training."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from keras import ops

from pipeline.config import Config
from pipeline.ctc import ctc_loss
from pipeline.data.batches import Batches
from pipeline.data.utterances import Utterance
from pipeline.decoding.greedy import greedy
from pipeline.errors import PipelineError
from pipeline.evaluation.error_rate import error_rates
from pipeline.inspection.tensorboard import TensorBoardLog
from pipeline.text import Units
from pipeline.training.backend import bring_up_to_date, compiled
from pipeline.training.checkpoint import load_checkpoint, save_checkpoint
from pipeline.training.run import Run, write_json

_CURVES = {
    "loss": "loss/train",
    "val_loss": "loss/valid",
    "cer": "error rate/characters",
    "wer": "error rate/words",
    "learning_rate": "optimizer/learning rate",
    "gradient_norm": "optimizer/gradient norm, mean",
    "gradient_norm_max": "optimizer/gradient norm, largest",
    "audio_seconds_per_second": "throughput/seconds of audio a second",
}
"""What TensorBoard calls the values of an epoch."""


class EpochOrder(keras.callbacks.Callback):
    """Tells the batches which epoch they are of, so that a training that goes on sees what it would have seen."""

    def __init__(self, batches: Batches):
        super().__init__()
        self._batches = batches

    def on_epoch_begin(self, epoch, logs=None):
        self._batches.epoch = epoch


class Vitals(keras.callbacks.Callback):
    """Stops a training whose loss or gradient is not finite; logs the gradient's norm, learning rate, throughput."""

    def __init__(self, batches: Batches):
        super().__init__()
        self._batches = batches

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch, self._norms, self._begin = epoch, [], time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        bring_up_to_date(self.model)
        norm = float(self.model.optimizer.gradient_norm)
        self._norms.append(norm)
        for name, value in (("loss", float(logs["loss"])), ("gradient's norm", norm)):
            if not math.isfinite(value):
                examples, _ = self._batches.delivered[batch]
                names = ", ".join(example.utterance.name for example in examples[:4])
                raise PipelineError(
                    f"the {name} is {value} in epoch {self._epoch + 1}, batch {batch + 1} ({len(examples)} utterances: "
                    f"{names}{', ...' if len(examples) > 4 else ''}); a lower training.learning_rate or "
                    "training.clip_norm may help; the last epoch's checkpoint is kept"
                )

    def on_epoch_end(self, epoch, logs=None):
        if self._batches.failure is not None:
            raise self._batches.failure
        if not self._norms:
            raise PipelineError("no training utterance could be read")
        logs["gradient_norm"] = float(np.mean(self._norms))
        logs["gradient_norm_max"] = float(np.max(self._norms))
        logs["learning_rate"] = float(self.model.optimizer.learning_rate)
        logs["seconds"] = time.perf_counter() - self._begin
        logs["audio_seconds"] = sum(seconds for _, seconds in self._batches.delivered)
        logs["audio_seconds_per_second"] = logs["audio_seconds"] / logs["seconds"]


@dataclass(frozen=True)
class Shown:
    """An utterance for TensorBoard: float32 [samples], or features; and log posteriors float32 [frames, units]."""

    name: str
    signal: np.ndarray
    labels: tuple[int, ...]
    reference: str
    hypothesis: str
    log_probs: np.ndarray


class Validation(keras.callbacks.Callback):
    """Logs the loss and error rates on the validation data, by the averaged weights if there are any.

    Attributes:
        utterances: that could be read in the last epoch, from short to long.
        references, hypotheses: their normalized texts.
        shown: `training.shown` of them, from the shortest to the longest, as the model heard them.
    """

    def __init__(self, batches: Batches, units: Units, settings: Config):
        super().__init__()
        self._batches, self._units, self._settings = batches, units, settings
        self.utterances: list[Utterance] = []
        self.references: list[str] = []
        self.hypotheses: list[str] = []
        self.shown: list[Shown] = []

    def on_train_begin(self, logs=None):
        self._step = compiled(self.model, self._score)

    def on_epoch_end(self, epoch, logs=None):
        with self.model.optimizer.averaged():
            logs.update(self.measure())

    def measure(self) -> dict[str, float]:
        """The loss in nats an utterance and error rates, by the weights that the model has.

        Raises:
            PipelineError: nothing with words could be read.
        """
        nats = self._transcribe()
        if not any(self.references):
            raise PipelineError("no validation utterance with words could be read, to choose a model by")
        rates = error_rates(self.references, self.hypotheses)
        return {"val_loss": float(np.mean(nats)), "cer": rates.cer, "wer": rates.wer}

    def _transcribe(self) -> list[float]:
        nats, self.utterances, self.references, self.hypotheses, self.shown = [], [], [], [], []
        frame_seconds, taken = self._settings.features.frame_seconds, 0
        places = spread(sum(map(len, self._batches.plan(0))), self._settings.training.shown)
        for examples, (inputs, labels) in self._batches.of_epoch(0):
            log_probs, frames, losses = map(ops.convert_to_numpy, self._step(inputs, labels))
            nats.extend(losses)
            for row, (example, scores, count) in enumerate(zip(examples, log_probs, frames, strict=True)):
                heard = greedy(scores[:count], self._units, frame_seconds)
                self.utterances.append(example.utterance)
                self.references.append(self._units.without_others(example.text))
                self.hypotheses.append(heard.text)
                if taken in places:
                    signal = inputs[self.model.input_name][row, : inputs["lengths"][row]]
                    said, name = self.references[-1], f"{len(self.shown) + 1} {Path(example.utterance.name).stem}"
                    self.shown.append(Shown(name, signal, example.labels, said, heard.text, scores[:count]))
                taken += 1
        return nats

    def _score(self, inputs, labels):
        outputs = self.model(inputs, training=False)
        nats = ctc_loss(labels["labels"], outputs["logits"], labels["label_lengths"], outputs["frames"])
        return ops.log_softmax(outputs["logits"]), outputs["frames"], nats


class Keeper(keras.callbacks.Callback):
    """Writes down each epoch: checkpoints, metrics.json, TensorBoard; ends a training that gets no better.

    Comes after the callbacks that log what it writes. A kill at any moment loses the epoch under way and no other.

    Attributes:
        epochs: one object an epoch.
        best: the one with the lowest character error rate, of which checkpoints/best is.
    """

    def __init__(
        self,
        run: Run,
        settings: Config,
        validation: Validation,
        log: TensorBoardLog,
        on_epoch: Callable[[dict], None],
    ):
        super().__init__()
        self._run, self._settings, self._training = run, settings, settings.training
        self._validation, self._log, self._on_epoch = validation, log, on_epoch
        self.epochs: list[dict] = []
        self.best: dict | None = None

    @property
    def metrics(self) -> dict:
        return {"finished": self.finished, "best": self.best, "epochs": self.epochs}

    @property
    def finished(self) -> bool:
        patience = self._training.patience
        tired = patience is not None and self.best is not None and len(self.epochs) - self.best["epoch"] >= patience
        return len(self.epochs) >= self._training.epochs or tired

    def resume(self, model: keras.Model) -> None:
        """Gives the model, its optimizer and this the state after the last whole epoch."""
        state = load_checkpoint(self._run.last, [*model.variables, *model.optimizer.variables])
        self.epochs, self.best = state["epochs"], state["best"]
        write_json(self._run.metrics, self.metrics)

    def on_train_begin(self, logs=None):
        if not self.epochs:
            self._log.hyperparameters(self._settings.name, hyperparameters(self._settings))

    def on_epoch_end(self, epoch, logs=None):
        logs = {name: round(float(value), 6) for name, value in logs.items()}
        self.epochs.append({"epoch": epoch + 1, **logs})
        model = self.model
        if self.best is None or logs["cer"] < self.best["cer"]:
            self.best = self.epochs[-1]
            with model.optimizer.averaged():
                save_checkpoint(self._run.best, model.variables, self.best)
        self._log.scalars(epoch + 1, {curve: logs[name] for name, curve in _CURVES.items()})
        shown = self._validation.shown
        self._log.transcripts(epoch + 1, [one.reference for one in shown], [one.hypothesis for one in shown])
        state = {"epochs": self.epochs, "best": self.best}
        save_checkpoint(self._run.last, [*model.variables, *model.optimizer.variables], state)
        write_json(self._run.metrics, self.metrics)
        self._on_epoch(self.epochs[-1])
        model.stop_training = self.finished

    def on_train_end(self, logs=None):
        self._log.final(self.best)


def hyperparameters(settings: Config) -> dict:
    """What of a configuration runs are told apart by: all but where the data is and what is said about it."""
    values = settings.model_dump(mode="json", exclude={"name", "description", "licence", "data", "text"})
    return {**values, "data": settings.data.model_dump(mode="json", include={"batch_size", "batch_seconds"})}


def spread(count: int, wanted: int) -> set[int]:
    """So many numbers of 0..count - 1, evenly from the first to the last."""
    return set(np.linspace(0, count - 1, min(wanted, count)).round().astype(int).tolist())
