"""AdamW with a clipped gradient, warm-up then decay, and a moving average of the weights."""

import contextlib
from collections.abc import Iterator

import keras
from keras import ops

from pipeline.config import Training


def make_optimizer(training: Training, batches: int) -> "AveragingAdamW":
    """The optimizer that a configuration describes, for epochs of so many batches."""
    optimizer = AveragingAdamW(
        learning_rate=make_schedule(training, batches),
        weight_decay=training.weight_decay,
        global_clipnorm=training.clip_norm,
        average=training.average,
        name="adam_w",
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "beta", "gamma"])
    return optimizer


def make_schedule(training: Training, batches: int) -> keras.optimizers.schedules.LearningRateSchedule:
    """From near zero linearly up to `learning_rate`, then along a cosine down to `final_learning_rate`."""
    warmup = min(round(training.warmup_epochs * batches), training.epochs * batches - 1)
    peak = training.learning_rate
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=peak / (warmup + 1),
        warmup_target=peak,
        warmup_steps=warmup,
        decay_steps=training.epochs * batches - warmup,
        alpha=min(1.0, training.final_learning_rate / peak),
    )


class AveragingAdamW(keras.optimizers.AdamW):
    """AdamW (Loshchilov & Hutter, 2019) that remembers its gradient's norm and averages the weights it moves.

    Args:
        average: momentum of the moving average; 0 for none. It grows to that value over the first steps, as
            (1 + step) / (10 + step), so that the average is not held back by the weights that training began with.

    Attributes:
        gradient_norm: L2 norm of the last gradient, all weights together, before clipping.
    """

    def __init__(self, *args, average: float = 0.0, **kwargs):
        super().__init__(*args, **kwargs)
        self.average = average
        self._averages: list[keras.Variable] = []

    def get_config(self):
        return {**super().get_config(), "average": self.average}

    def build(self, variables):
        already = self.built
        super().build(variables)
        if already:
            return
        self.gradient_norm = self.add_variable(shape=(), name="gradient_norm")
        if self.average:
            self._averages = [self.add_variable_from_reference(v, name="average") for v in variables]

    def apply(self, grads, trainable_variables=None):
        if trainable_variables is not None:
            self.build(trainable_variables)
        squares = [ops.sum(ops.square(gradient)) for gradient in grads if gradient is not None]
        self.gradient_norm.assign(ops.sqrt(sum(squares)))
        super().apply(grads, trainable_variables)
        step = ops.cast(self.iterations, "float32")  # 1 after the first
        momentum = ops.where(step > 1, ops.minimum(self.average, step / (9.0 + step)), 0.0)
        for variable, average in self._pairs():
            average.assign(momentum * average + (1.0 - momentum) * variable)

    def mean_gradients(self) -> list[tuple[keras.Variable, keras.Variable]]:
        """Each weight with the moving mean of its clipped gradients, Adam's first moment: of about ten batches."""
        return list(zip(self._trainable_variables, self._momentums, strict=True))

    @contextlib.contextmanager
    def averaged(self) -> Iterator[None]:
        """Inside, the model has the averaged weights; without an average it keeps its own."""
        kept = [ops.convert_to_numpy(variable) for variable, _ in self._pairs()]
        for variable, average in self._pairs():
            variable.assign(average)
        try:
            yield
        finally:
            for (variable, _), value in zip(self._pairs(), kept, strict=True):
                variable.assign(value)

    def _pairs(self):
        return list(zip(self._trainable_variables, self._averages, strict=True)) if self._averages else []
