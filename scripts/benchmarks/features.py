"""MFCCs of a batch, beside librosa and python_speech_features."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from benchmarks import sounds
from benchmarks.peers import compared
from benchmarks.timing import Row, at_least

EXAMPLE = "python scripts/bench.py features --batch 8 --json"
BACKENDS = ("tensorflow",)
"""Of Keras, on which this runs."""
TOLERANCES = {"librosa": 1e-5, "python_speech_features": 1e-5}
FASTER = {"librosa": {"ratio": 2}}
SIZES = {"batch": 16, "seconds": 5}
RATE = 16000


def add_options(work) -> None:
    """Of this work."""
    work.add_argument("--batch", type=at_least(1), default=SIZES["batch"], help="utterances (default: %(default)s)")
    work.add_argument(
        "--seconds", type=at_least(1), default=SIZES["seconds"], help="whole, of an utterance (default: %(default)s)"
    )
    work.add_argument("--repeats", type=at_least(1), default=15, help="timed runs of each (default: %(default)s)")


def measured(arguments) -> Iterator[Row]:
    """20 coefficients of 40 mel bands, 100 frames a second, of audio at 16 kHz."""
    size = {"batch": arguments.batch, "seconds": arguments.seconds}
    least = FASTER if size == SIZES else {}
    for row in compared("features", size, arguments.repeats, least, arguments.without):
        seconds = size["batch"] * size["seconds"]
        # Of memory most would be the packages', which load parts of themselves as they begin.
        more = {name: value for name, value in row.more.items() if name != "memory_mb"}
        yield replace(row, more={**more, "times_real_time": seconds / row.median_ms * 1000})


def _audio(size: dict) -> np.ndarray:
    """float32 [batch, samples]."""
    found = np.concatenate(sounds.utterances(RATE))
    samples = size["batch"] * size["seconds"] * RATE
    return np.resize(found, samples).reshape(size["batch"], -1)


def _features():
    from pipeline.config import Features

    return Features(sample_rate=RATE, mels=40, coefficients=20)


def _pipeline(size: dict):
    import tensorflow as tf

    from pipeline.features import MFCC

    audio, lengths = _audio(size), np.full(size["batch"], size["seconds"] * RATE, np.int32)

    def build():
        mfcc = tf.function(MFCC(_features()))
        values, frames = mfcc(audio, lengths)
        return lambda: mfcc(audio, lengths)[0].numpy(), {"mfcc": values[:, : frames[0]]}

    return build


def _librosa(size: dict):
    import librosa

    audio, features = _audio(size), _features()

    def run():
        return librosa.feature.mfcc(
            y=audio,
            sr=RATE,
            n_mfcc=features.coefficients,
            n_mels=features.mels,
            n_fft=features.n_fft,
            win_length=features.window_samples,
            hop_length=features.hop_samples,
            fmin=features.low_hz,
            fmax=features.high_hz,
            window=features.window,
            center=False,
            power=2.0,
        )

    return lambda: (run, {"mfcc": run().swapaxes(1, 2)})


def _python_speech_features(size: dict):
    """Its frames begin with the window, ours with the zeros before it, and where audio ends it adds a frame. Its bands
    are others: in what is compared they are ours, so that all else has to agree."""
    import librosa
    from python_speech_features import base

    from pipeline.features import MFCC

    features = _features()
    before = (features.n_fft - features.window_samples) // 2
    hops = (size["seconds"] * RATE - features.n_fft) // features.hop_samples
    audio = _audio(size)[:, before : before + hops * features.hop_samples + features.window_samples]
    window = librosa.filters.get_window(features.window, features.window_samples)
    own, ours = base.get_filterbanks, MFCC(features).mel_matrix.T

    def run():
        return [
            base.mfcc(
                one,
                samplerate=RATE,
                winlen=features.window_ms / 1000,
                winstep=features.hop_ms / 1000,
                numcep=features.coefficients,
                nfilt=features.mels,
                nfft=features.n_fft,
                lowfreq=features.low_hz,
                highfreq=features.high_hz,
                preemph=0,
                ceplifter=0,
                appendEnergy=False,
                winfunc=lambda _: window,
            )
            for one in audio
        ]

    def build():
        base.get_filterbanks = lambda *_: ours
        mfcc = 10 / np.log(10) * np.stack(run())  # decibels
        mfcc[..., 0] += 10 * np.log10(features.n_fft) * np.sqrt(features.mels)  # by which it divides power
        base.get_filterbanks = own
        return run, {"mfcc": mfcc}

    return build


IMPLEMENTATIONS = {"pipeline": _pipeline, "librosa": _librosa, "python_speech_features": _python_speech_features}
ENVIRONMENT = {}
