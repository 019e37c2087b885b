"""What an export takes over from the earlier one that it replaces."""

import logging
import shutil
from pathlib import Path

import numpy as np
import tensorflow as tf

from pipeline.decoding.keywords import THRESHOLDS_FILE
from pipeline.decoding.weights import FILE as DECODING_FILE

log = logging.getLogger(__name__)

_ASKED_FOR = {"model.tflite": "--litert", "model.onnx": "--onnx"}


def take_over(earlier: Path, new: Path) -> None:
    """Copies what was tuned for an earlier export, if that is of the same model; warns of what is lost.

    Args:
        earlier: an export's folder, or none.
        new: of the export that replaces it, whole but for what is taken over.
    """
    tuned = [file for file in (THRESHOLDS_FILE, DECODING_FILE) if (earlier / file).exists()]
    same = bool(tuned) and _is_same_model(earlier, new)
    for file in tuned:
        if same:
            shutil.copy(earlier / file, new / file)
        else:
            log.warning("%s: dropped, it was tuned for the model that is replaced", earlier / file)
    for name, option in _ASKED_FOR.items():
        if (earlier / name).exists() and not (new / name).exists():
            log.warning("%s: dropped, it was of the export that is replaced; %s makes it anew", earlier / name, option)


def _is_same_model(one: Path, other: Path) -> bool:
    """Whether both have the same units and weights, in the lower precision of the two."""
    try:
        if (one / "assets" / "units.txt").read_bytes() != (other / "assets" / "units.txt").read_bytes():
            return False
        before, after = (tf.train.load_checkpoint(str(folder / "variables" / "variables")) for folder in (one, other))
        shapes = before.get_variable_to_shape_map()
        if shapes != after.get_variable_to_shape_map():
            return False
        names = [name for name in shapes if before.get_variable_to_dtype_map()[name].is_floating]
        return all(_equal(before.get_tensor(name), after.get_tensor(name)) for name in names)
    except (OSError, ValueError, tf.errors.OpError):  # a damaged export may be replaced too
        return False


def _equal(one: np.ndarray, other: np.ndarray) -> bool:
    dtype = min(one.dtype, other.dtype, key=lambda dtype: dtype.itemsize)
    return np.array_equal(one.astype(dtype), other.astype(dtype))
