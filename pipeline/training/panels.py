"""TensorBoard's pictures and histograms of a training, which together take little of its time."""

import contextlib
import time
from collections.abc import Callable, Iterator

import keras
import numpy as np
from keras import ops

from pipeline.config import Config
from pipeline.data.batches import Batches
from pipeline.decoding.alignment import align
from pipeline.evaluation.breakdown import confusions, duration_groups, error_rates_by
from pipeline.inspection.augmentation import log_augmentation
from pipeline.inspection.error_plots import draw_confusions, draw_error_rates
from pipeline.inspection.gradient_flow import GradientFlow, draw_gradient_flow, gradient_flow
from pipeline.inspection.tensorboard import TensorBoardLog
from pipeline.inspection.utterance_plots import draw_mfcc, draw_posteriors
from pipeline.text import Units
from pipeline.training.backend import bring_up_to_date
from pipeline.training.callbacks import Shown, Validation

AUGMENTED = 3
"""Training utterances that are shown before and after augmentation."""
FLOW_LABELS = 4
"""Labels that gradient flow through training is about, of one utterance."""
HISTOGRAM_VALUES = 20_000
"""Of a large matrix that its histogram is made of."""


class Allowance:
    """Bounds the time that pictures take by a share of the whole training's, as long as that will probably be.

    What the beginning took, in which pictures also get ready, is spread over the training.

    Args:
        share: in 0..1.
        clock: in seconds.
    """

    def __init__(self, share: float, clock: Callable[[], float] = time.perf_counter):
        self._share, self._clock, self._begin = share, clock, clock()
        self._beginning = 0.0
        self._latest: dict[str, float] = {}
        self.spent = 0.0
        """Seconds."""

    def begun(self) -> None:
        """What was spent so far is that of the beginning, and tells nothing about what the same will take."""
        self._beginning = self.spent
        self._latest.clear()

    def affords(self, work: str, done: float) -> bool:
        """Whether work may be done when that share of the training is; it will take as long as it last did."""
        whole = self._share * (self._clock() - self._begin) / done
        return self.spent - self._beginning + self._latest.get(work, 0.0) <= (whole - self._beginning) * done

    @contextlib.contextmanager
    def spending(self, work: str) -> Iterator[None]:
        begin = self._clock()
        try:
            yield
        finally:
            self._latest[work] = self._clock() - begin
            self.spent += self._latest[work]


class Panels(keras.callbacks.Callback):
    """Draws the first epoch, the last, and of the others as many as `training.pictures` has time for.

    Comes after the callbacks whose results it shows. It changes neither weights nor random numbers.
    """

    def __init__(self, settings: Config, units: Units, train: Batches, validation: Validation, log: TensorBoardLog):
        super().__init__()
        self._settings, self._units, self._train = settings, units, train
        self._validation, self._log = validation, log
        self._drawn: int | None = None
        self._epoch, self._epochs = 0, settings.training.epochs
        self._begun_at: int | None = None
        self._flows: dict[str, GradientFlow] = {}
        self._begun_with: list[np.ndarray] = []

    def on_train_begin(self, logs=None):
        self._allowance = Allowance(self._settings.training.pictures)

    def on_epoch_begin(self, epoch, logs=None):
        if self._begun_at is None:
            self._begun_at = epoch
        if epoch == 0:
            self._begun_with = [ops.convert_to_numpy(variable) for variable in self.model.trainable_variables]
            with self._allowance.spending("augmentation"):
                pairs = self._train.before_and_after(AUGMENTED)
                log_augmentation(self._log, pairs, self._settings.features.sample_rate)

    def on_epoch_end(self, epoch, logs=None):
        self._epoch = epoch + 1
        if self._drawn is None:
            self._draw(flow=True)
            self._allowance.begun()
        elif self._affords("pictures"):
            doubled = self._epoch.bit_count() == 1  # 1, 2, 4, 8, ...
            self._draw(flow=doubled and self._affords("gradient flow"))

    def on_train_end(self, logs=None):
        if self._epoch and self._drawn != self._epoch:
            self._draw(flow=True)

    def _affords(self, work: str) -> bool:
        return self._allowance.affords(work, (self._epoch - self._begun_at) / (self._epochs - self._begun_at))

    def _draw(self, flow: bool) -> None:
        bring_up_to_date(self.model)
        with self._allowance.spending("pictures"):
            if self._drawn is None:
                for shown in self._validation.shown:
                    self._introduce(shown)
            for shown in self._validation.shown:
                figure = draw_posteriors(
                    shown.log_probs, self._units, self._settings.features.frame_seconds, shown.reference
                )
                self._log.picture(self._epoch, f"utterances/{shown.name}/posteriors", figure)
            self._draw_errors()
            self._log.histograms(self._epoch, self._distributions())
        if flow:
            self._draw_flow()
        self._drawn = self._epoch
        self._log.scalars(self._epoch, {"throughput/seconds for pictures so far": self._allowance.spent})

    def _introduce(self, shown: Shown) -> None:
        """What stays the same from epoch to epoch."""
        features = self._settings.features
        if features.input == "audio":
            self._log.audio(self._epoch, f"utterances/{shown.name}/audio", shown.signal, features.sample_rate)
        values, _ = self.model.features_of(shown.signal[None], np.array([len(shown.signal)], np.int32))
        figure = draw_mfcc(ops.convert_to_numpy(values)[0, :, : features.coefficients], features.hop_ms / 1000)
        self._log.picture(self._epoch, f"utterances/{shown.name}/MFCC", figure)

    def _draw_errors(self) -> None:
        validation = self._validation
        texts = validation.references, validation.hypotheses
        counts = confusions(*texts, self._units.kind)
        self._log.picture(self._epoch, "errors/confusion of units", draw_confusions(counts))
        seconds = [one.samples / self._settings.features.lengths_per_second for one in validation.utterances]
        groups = {"duration": duration_groups(seconds)}
        if any(one.speaker for one in validation.utterances):
            groups["speaker"] = [one.speaker or "not told" for one in validation.utterances]
        rates = {title: error_rates_by(names, *texts) for title, names in groups.items()}
        self._log.picture(self._epoch, "errors/by duration and speaker", draw_error_rates(rates))

    def _distributions(self) -> dict[str, np.ndarray]:
        """Of all weights, and of the gradients as the optimizer remembers them."""
        pairs = self.model.optimizer.mean_gradients()
        return {
            f"{kind}/{variable.path.removeprefix(self.model.name + '/')}": _sample(ops.convert_to_numpy(values))
            for kind, place in (("weights", 0), ("gradients", 1))
            for variable, values in ((pair[0], pair[place]) for pair in pairs)
        }

    def _draw_flow(self) -> None:
        """Gradient flow of one utterance; in the first epoch also that of the weights that training began with."""
        if not self._validation.shown:
            return
        shown = self._validation.shown[len(self._validation.shown) // 2]
        places = [run.start for run in align(shown.log_probs, list(shown.labels)) or []]
        if not places:
            return
        inputs = {self.model.input_name: shown.signal[None], "lengths": np.array([len(shown.signal)], np.int32)}
        batch = inputs, {"labels": np.array([shown.labels], np.int32)}, [places], FLOW_LABELS
        with self._allowance.spending("gradient flow"):
            if self._begun_with:
                with _weights(self.model, self._begun_with):
                    self._flows["untrained"] = gradient_flow(self.model, *batch)
                self._begun_with = []
            self._flows[f"epoch {self._epoch}"] = gradient_flow(self.model, *batch)
            self._log.picture(self._epoch, "gradient flow/through training", draw_gradient_flow(self._flows))


@contextlib.contextmanager
def _weights(model: keras.Model, values: list[np.ndarray]) -> Iterator[None]:
    """Inside, the model's trainable weights are these."""
    kept = [ops.convert_to_numpy(variable) for variable in model.trainable_variables]
    try:
        for variable, value in zip(model.trainable_variables, values, strict=True):
            variable.assign(value)
        yield
    finally:
        for variable, value in zip(model.trainable_variables, kept, strict=True):
            variable.assign(value)


def _sample(values: np.ndarray) -> np.ndarray:
    """So many values as tell a distribution; an odd step, so that it is not the same unit's each time."""
    return values.ravel()[:: max(1, values.size // HISTOGRAM_VALUES) | 1]
