"""What a training says while it runs."""

import sys

import keras
import tqdm


class ProgressBar(keras.callbacks.Callback):
    """The batches of an epoch as a bar, on a terminal; nothing elsewhere.

    Args:
        epochs: in the training.
    """

    def __init__(self, epochs: int):
        super().__init__()
        self._epochs = epochs
        self._total: int | None = None
        self._bar: tqdm.tqdm | None = None

    def on_epoch_begin(self, epoch, logs=None):
        self._bar = tqdm.tqdm(
            desc=f"epoch {epoch + 1}/{self._epochs}",
            total=self._total,
            unit="batch",
            leave=False,
            disable=not sys.stderr.isatty(),
        )

    def on_train_batch_end(self, batch, logs=None):
        self._bar.update()
        self._bar.set_postfix(loss=f"{logs['loss']:.2f}")

    def on_epoch_end(self, epoch, logs=None):
        self._total = self._bar.n
        self._bar.close()


def epoch_line(epoch: dict, epochs: int) -> str:
    """One line about one epoch."""
    return (
        f"epoch {epoch['epoch']:>{len(str(epochs))}}/{epochs}  loss {epoch['loss']:7.2f}  "
        f"valid: loss {epoch['val_loss']:7.2f}  CER {epoch['cer']:6.1%}  WER {epoch['wer']:6.1%}  "
        f"{epoch['audio_seconds_per_second']:4.0f} x real time"
    )
