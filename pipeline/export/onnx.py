"""A model for ONNX runtimes: log posteriors of whole utterances."""

from pathlib import Path

import tensorflow as tf

from pipeline.errors import PipelineError
from pipeline.export.serving import LENGTHS, signal_spec
from pipeline.models.acoustic import AcousticModel

OPSET = 17


def load_tf2onnx():
    """Raises: PipelineError: the package is missing."""
    try:
        import tf2onnx
    except ImportError as error:
        raise PipelineError(f"ONNX: tf2onnx wanted ({error}); pip install -r requirements-onnx.txt") from error
    return tf2onnx


def write_onnx(model: AcousticModel, folder: Path) -> None:
    """Writes `model.onnx` into an export's folder: what the signature `log_probs` does, batch and time dynamic.

    Raises:
        PipelineError: tf2onnx is missing, or cannot convert the model.
    """
    tf2onnx = load_tf2onnx()
    features = model.settings.features
    if model.mfcc:
        first = (features.stack - 1) * features.hop_samples + (0 if features.centre else features.n_fft)
        shortest = max(1, first - features.silent_samples)
        model.mfcc.fourier_by_matrix = True  # tf2onnx does not convert the fast transform alone
    else:
        shortest = features.stack

    def log_probs(signal, lengths):
        lengths = tf.clip_by_value(lengths, 0, tf.shape(signal)[1])
        outputs = model({model.input_name: signal, "lengths": lengths}, training=False)
        # ONNX divides integers towards zero, which would make a frame of audio that is too short for one.
        frames = tf.where(lengths < shortest, 0, outputs["frames"])
        return {"log_probs": tf.nn.log_softmax(outputs["logits"]), "frames": frames}

    signature = [signal_spec(features), LENGTHS]
    try:
        tf2onnx.convert.from_function(
            tf.function(log_probs, input_signature=signature),
            input_signature=signature,
            opset=OPSET,
            output_path=str(folder / "model.onnx"),
        )
    except Exception as error:  # tf2onnx raises whatever its hundreds of conversions do
        problem = str(error).strip().splitlines() or [type(error).__name__]
        raise PipelineError(f"ONNX: the model cannot be converted ({problem[0]})") from error
    finally:
        if model.mfcc:
            model.mfcc.fourier_by_matrix = False
