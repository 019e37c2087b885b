"""What augmentation does to utterances: to hear and to see in TensorBoard, or as pictures."""

from collections.abc import Iterable

import numpy as np

from pipeline.inspection.tensorboard import TensorBoardLog

_FLOOR_DB = -80.0
"""Of spectrograms, below the loudest of both."""
_DEVIATIONS = 3
"""From the mean, of normalized MFCCs: where colours end."""


def log_augmentation(
    log: TensorBoardLog, pairs: Iterable[tuple[str, np.ndarray, np.ndarray]], sample_rate: int, step: int = 0
) -> None:
    """Writes players and spectrograms of utterances, before and after, that `tensorboard --logdir` shows.

    Args:
        log: of the training, or a new one.
        pairs: of each utterance its name, and float32 [samples] before and [other samples] after, in -1..1.
        sample_rate: in hertz.
        step: which epoch's augmentation it is.

    Example:
        augmentation = WaveformAugmentation(settings.augment, rate, Path(settings.data.folder), settings.seed)
        random = np.random.default_rng(0)
        pairs = [(name, audio, augmentation(audio, random)) for name, audio in some]
        log_augmentation(TensorBoardLog(run / "logs"), pairs, rate)
    """
    for name, before, after in pairs:
        for when, audio in (("before", before), ("after", after)):
            log.audio(step, f"augmentation/{name}/{when}", audio, sample_rate)
        log.picture(step, f"augmentation/{name}", spectrograms(before, after, sample_rate))


def spectrograms(before: np.ndarray, after: np.ndarray, sample_rate: int):
    """A matplotlib figure of both, one above the other, on the same axes and colours.

    Args:
        before: float32 [samples], in -1..1.
        after: float32 [other samples], in -1..1.
        sample_rate: in hertz.
    """
    from matplotlib.figure import Figure

    powers = [_decibels(audio, sample_rate) for audio in (before, after)]
    loudest = max(power.max() for power in powers)
    figure = Figure(figsize=(8, 5), layout="constrained")
    rows = figure.subplots(2, sharex=True, sharey=True)
    for axes, title, audio, power in zip(rows, ("before", "after"), (before, after), powers, strict=True):
        image = axes.imshow(
            power.T,
            origin="lower",
            aspect="auto",
            extent=(0, len(audio) / sample_rate, 0, sample_rate / 2000),
            vmin=loudest + _FLOOR_DB,
            vmax=loudest,
            cmap="magma",
        )
        axes.set(title=title, ylabel="kHz")
    rows[0].set_xlim(0, max(len(before), len(after)) / sample_rate)
    rows[1].set_xlabel("seconds")
    figure.colorbar(image, ax=rows, label="dB")
    return figure


def mfccs(before: np.ndarray, after: np.ndarray, hop_seconds: float):
    """A matplotlib figure of normalized MFCCs, one above the other, on the same colours; white is the mean.

    Args:
        before: float32 [frames, coefficients].
        after: the same, masked.
        hop_seconds: from one frame to the next.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4), layout="constrained")
    rows = figure.subplots(2, sharex=True)
    for axes, title, values in zip(rows, ("before", "after"), (before, after), strict=True):
        image = axes.imshow(
            values.T,
            origin="lower",
            aspect="auto",
            interpolation="nearest",
            extent=(0, len(values) * hop_seconds, -0.5, values.shape[1] - 0.5),
            vmin=-_DEVIATIONS,
            vmax=_DEVIATIONS,
            cmap="RdBu_r",
        )
        axes.set(title=title, ylabel="coefficient")
    rows[1].set_xlabel("seconds")
    figure.colorbar(image, ax=rows, label="standard deviations")
    return figure


def _decibels(audio: np.ndarray, sample_rate: int) -> np.ndarray:
    """float32 [frames, bins]: the power of windows of 25 ms, every 10 ms, over that of a full-scale sine."""
    window, hop = max(2, round(0.025 * sample_rate)), max(1, round(0.01 * sample_rate))
    padded = np.pad(audio, (0, max(0, window - len(audio))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop] * np.hanning(window + 2)[1:-1]
    power = np.abs(np.fft.rfft(frames)) ** 2 / (window / 4) ** 2
    return 10 * np.log10(np.maximum(power, 1e-12))
