"""What the machine that trains can do."""

import os
from pathlib import Path

import keras

BFLOAT16 = {"avx512_bf16", "amx_bf16"}
"""Processors with one of these multiply matrices of bfloat16 in half the time or less."""
SMALLEST_PART = 4
"""Utterances that are worth a core of their own."""


def has_gpu() -> bool:
    """Whether TensorFlow sees one."""
    import tensorflow as tf

    return bool(tf.config.list_logical_devices("GPU"))


def cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def parts_of(batch: int) -> int:
    """In how many parts a batch is best computed, side by side: TensorFlow seldom has work for two cores in one."""
    if keras.backend.backend() != "tensorflow" or has_gpu():
        return 1
    return max(1, min(cores(), batch // SMALLEST_PART))


def dtype_policy(precision: str) -> str:
    """The dtype policy of Keras that `training.precision` asks for; "auto" takes what this machine is quick at."""
    if precision != "auto":
        return precision
    return "mixed_bfloat16" if multiplies_bfloat16() else "float32"


def multiplies_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether there is a GPU that is quick with bfloat16 (NVIDIA's since Ampere), or else a processor."""
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        capabilities = [tf.config.experimental.get_device_details(gpu).get("compute_capability") for gpu in gpus]
        return all(capability is not None and capability >= (8, 0) for capability in capabilities)
    try:
        return any(
            BFLOAT16 & set(line.split()) for line in cpuinfo.read_text().splitlines() if line.startswith("flags")
        )
    except OSError:
        return False
