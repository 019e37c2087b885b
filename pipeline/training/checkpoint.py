"""Checkpoints: one file each, written whole or not at all."""

import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import keras
import numpy as np

from pipeline.errors import InputError, PipelineError

_STATE = "state"


def write_atomically(path: Path, write: Callable[[BinaryIO], None]) -> None:
    """Whoever reads `path` finds what was there or what `write` wrote, whatever happens in between.

    Raises:
        PipelineError: it cannot be written, for want of space for example.
    """
    beside = path.with_name(path.name + ".part")
    try:
        with beside.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise PipelineError(f"{path}: cannot be written, {(error.strerror or str(error)).lower()}") from error
    finally:
        beside.unlink(missing_ok=True)


def save_checkpoint(path: Path, variables: list[keras.Variable], state: dict) -> None:
    """Variables in their order, and a state of JSON values, into one .npz file."""
    arrays = {_key(number, variable): keras.ops.convert_to_numpy(variable) for number, variable in enumerate(variables)}
    arrays[_STATE] = np.array(json.dumps(state))
    write_atomically(path, lambda file: np.savez(file, **arrays))


def load_checkpoint(path: Path, variables: list[keras.Variable]) -> dict:
    """Gives the variables the values that `save_checkpoint` wrote, and returns the state.

    Raises:
        InputError: the file is missing or damaged, or of other variables than these. None is changed then.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            state = json.loads(str(arrays[_STATE]))
            values = [arrays[key] for key in arrays.files if key != _STATE]
    except FileNotFoundError as error:
        raise InputError(f"{path}: a checkpoint wanted, there is none") from error
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: not a whole checkpoint ({error})") from error
    found, wanted = [value.shape for value in values], [tuple(variable.shape) for variable in variables]
    if found != wanted:
        raise InputError(f"{path}: a checkpoint of another model; shapes {wanted} wanted, found {found}")
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
    return state


def _key(number: int, variable: keras.Variable) -> str:
    return f"{number:03d} {variable.path.replace('/', '.')}"
