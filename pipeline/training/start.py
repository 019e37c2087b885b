"""Where a training starts: from the weights of a model that was trained before, on other speech or for other words."""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from pipeline.config import Config, load_config
from pipeline.errors import InputError
from pipeline.models.acoustic import AcousticModel
from pipeline.text import Units
from pipeline.training.run import Run, differences

_FREE = ("model.dropout", "features.silent_frames")
"""Settings of the network and its features in which the two models may differ."""


def start_from(model: AcousticModel, units: Units, folders: list[str]) -> list[str]:
    """Gives a new model the weights of a trained one, its features' mean and variance included.

    An output goes to the same symbol's; those of symbols that are new stay as they were drawn. A word is never the
    same as a character: "a" is both. Of several models it is the mean of their weights, which is of use where they
    have been trained from the same one (Wortsman et al., "Model soups", 2022).

    Args:
        model: new, changed in place.
        units: what it is to spell in.
        folders: of runs, whose best models are meant, or of exports.

    Returns:
        The symbols that are new to any of them.

    Raises:
        InputError: there is no such model, or its network or its features are others.
    """
    known, weights = zip(*(_weights_for(model, units, folder) for folder in folders), strict=True)
    for mine, values in zip(model.weights, zip(*weights, strict=True), strict=True):
        mine.assign(np.mean(values, axis=0))
    return [symbol for symbol in units.symbols if not all(symbol in each for each in known)]


def _weights_for(model: AcousticModel, units: Units, folder: str) -> tuple[set[str], list[np.ndarray]]:
    """The symbols that a trained model knows, and what the new one's weights would be if it started from it alone."""
    settings, known, trained = _load(Path(folder))
    _check(settings, model.settings, folder)
    shared = known.symbols if known.kind == units.kind else []
    numbers = {symbol: number for number, symbol in enumerate(shared, start=1)}
    pairs = [(0, 0), *((at, numbers.get(symbol)) for at, symbol in enumerate(units.symbols, start=1))]
    to, of = np.array([pair for pair in pairs if pair[1] is not None]).T
    weights = []
    for mine, theirs in zip(model.weights, trained.weights, strict=True):
        values = keras.ops.convert_to_numpy(theirs)
        if any(mine is each for each in model.logits.weights):
            found, values = values, keras.ops.convert_to_numpy(mine).copy()
            values[..., to] = found[..., of]
        weights.append(values)
    return set(numbers), weights


def _load(folder: Path) -> tuple[Config, Units, AcousticModel]:
    assets = folder / "assets"
    if not (folder / "saved_model.pb").exists():
        return Run(folder).load()[:3]
    settings, units = load_config(assets / "config.yaml"), Units.load(assets / "units.txt")
    model = AcousticModel(settings, len(units), portable=True)
    try:
        values = tf.train.load_checkpoint(str(folder / "variables" / "variables"))
        for number, weight in enumerate(model.weights):
            weight.assign(values.get_tensor(f"weights/{number}/.ATTRIBUTES/VARIABLE_VALUE"))
    except (OSError, ValueError, tf.errors.OpError) as error:
        raise InputError(f"{folder}: an export of this pipeline wanted, its weights cannot be read") from error
    return settings, units, model


def _check(old: Config, new: Config, folder: str | Path) -> None:
    parts = [each.model_dump(mode="json", include={"features": True, "model": True}) for each in (old, new)]
    different = {key: values for key, values in differences(*parts).items() if key not in _FREE}
    if different:
        key, (theirs, mine) = next(iter(different.items()))
        raise InputError(
            f"training.start: a model with the same features and network wanted; {key} is {mine!r}, "
            f"in {folder} {theirs!r}"
        )
