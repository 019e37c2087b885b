"""A model for small devices: fixed shapes, built-in operations and 8-bit weights, for LiteRT (TensorFlow Lite)."""

import json
import tempfile
from pathlib import Path

import tensorflow as tf

from pipeline.errors import InputError
from pipeline.export.serving import save
from pipeline.models.acoustic import AcousticModel
from pipeline.models.streaming import StreamingModel

FRAMES_AT_ONCE = 8
"""Of the network, in a step. More are quicker and come later."""


def write_litert(model: AcousticModel, folder: Path) -> None:
    """Writes `features.tflite`, `model.tflite` and, for whoever runs them, `assets/litert.json` into a folder.

    The first makes MFCC frames of audio; the other makes log posteriors of FRAMES_AT_ONCE frames of the network from
    those and the recurrent states. Between them only windows are cut: see `inference.litert`. They are two files
    because only the network stands 8 bits: the powers that go into MFCCs differ by many orders of magnitude.

    Raises:
        InputError: the model cannot stream.
    """
    if model.settings.cannot_stream:
        raise InputError(f"LiteRT: a model that can stream wanted, this one has {model.settings.cannot_stream}")
    features, streaming = model.settings.features, StreamingModel(model)
    context = features.stack + 2 * features.delta_context
    samples = (FRAMES_AT_ONCE * features.stride - 1) * features.hop_samples + features.n_fft
    window = (FRAMES_AT_ONCE - 1) * features.stride + context

    def mfcc(audio):
        return {"mfcc": model.mfcc.whole_frames(audio)}

    names = [name for name in streaming.start(1) if name.startswith("layer")]

    def score(mfcc, **states):
        log_probs, after = streaming.score(mfcc, [states[name] for name in names], unrolled=True)
        return {"log_probs": log_probs, **dict(zip(names, after, strict=True))}

    sizes = [size for sizes in streaming.state_sizes for size in sizes]
    specs = {name: tf.TensorSpec([1, size], tf.float32, name) for name, size in zip(names, sizes, strict=True)}
    audio = tf.TensorSpec([1, samples], tf.float32, "audio")
    window = tf.TensorSpec([1, window, features.coefficients], tf.float32, "mfcc")
    converted = {
        "features.tflite": _converted(model, tf.function(mfcc).get_concrete_function(audio), quantized=False),
        "model.tflite": _converted(model, tf.function(score).get_concrete_function(window, **specs), quantized=True),
    }
    for name, content in converted.items():
        (folder / name).write_bytes(content)
    host = {
        "n_fft": features.n_fft,
        "hop": features.hop_samples,
        "stride": features.stride,
        "context": context,
        "copies": features.delta_context,
        "centre": features.centre,
        "silent_frames": features.silent_frames,
    }
    (folder / "assets" / "litert.json").write_text(json.dumps(host, indent=2) + "\n", encoding="utf-8")


def _converted(model: AcousticModel, function, quantized: bool) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        save([weight.value for weight in model.weights], Path(folder), function)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        if quantized:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]  # weights in 8 bits, floats between the operations
        return converter.convert()
