"""The networks that a study compares, each with as many parameters as the others."""

import functools
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.config import Config, with_values
from pipeline.errors import InputError
from pipeline.models.recurrent import cell_named, make_cell

FORMS = {
    "plain": {},
    "norm": {"model.layer_normalization": True},
    "bidirectional": {"model.bidirectional": True},
    "bidirectional+norm": {"model.bidirectional": True, "model.layer_normalization": True},
}
"""What is set for each form of a cell; what is not named is off."""

TOLERANCE = 0.02
"""How far parameter counts may be from the wanted one, as a share of it."""

_MOST_UNITS = 16384


@dataclass(frozen=True)
class Variant:
    """A cell in one of the FORMS."""

    cell: str
    form: str = "plain"

    def __post_init__(self):
        cell_named(self.cell)
        if self.form not in FORMS:
            raise InputError(f"variant {self.form!r}: one of {', '.join(FORMS)} wanted")

    @property
    def name(self) -> str:
        """Such as lstm, or lstm-bidirectional-norm."""
        return self.cell if self.form == "plain" else f"{self.cell}-{self.form.replace('+', '-')}"

    @property
    def is_bidirectional(self) -> bool:
        return "model.bidirectional" in FORMS[self.form]

    @property
    def values(self) -> dict:
        """By key, what a configuration says of it."""
        off = {"model.bidirectional": False, "model.layer_normalization": False}
        return {"model.cell": self.cell, **off, **FORMS[self.form]}


def matched(settings: Config, variant: Variant, units: int, wanted: int, tolerance: float = TOLERANCE) -> Config:
    """The configuration with that variant, whose layers are as wide as makes the wanted number of parameters.

    Args:
        settings: of another variant.
        variant: see above.
        units: of the output, the blank included.
        wanted: trainable parameters.
        tolerance: how far the number may be from that, as a share of it.

    Raises:
        InputError: no width comes that near.
    """
    settings = with_values(settings, variant.values)

    @functools.cache
    def at(width: int) -> int:
        return parameters(with_values(settings, {"model.units": width}), units)

    width = nearest_width(at, wanted)
    if abs(at(width) - wanted) > tolerance * wanted:
        raise InputError(
            f"{variant.name}: {wanted} parameters within {tolerance:.0%} wanted, found {at(width)} at the nearest, "
            f"with model.units = {width}; a larger model.units in the configuration comes nearer"
        )
    return with_values(settings, {"model.units": width})


def nearest_width(count: Callable[[int], int], wanted: int) -> int:
    """The width, from 1 on, whose count is nearest to the wanted one; counts rise with the width."""
    low, high = 1, 2
    while count(high) < wanted and high < _MOST_UNITS:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if count(middle) <= wanted else (low, middle)
    return min((low, high), key=lambda width: abs(count(width) - wanted))


def parameters(settings: Config, units: int) -> int:
    """The trainable parameters of the configuration's acoustic model.

    Args:
        settings: the whole configuration.
        units: of the output, the blank included.
    """
    shape, features = settings.model, settings.features
    coefficients = features.coefficients * (1 + features.deltas)
    inputs, directions, total = coefficients * features.stack, 2 if shape.bidirectional else 1, 0
    for _ in range(shape.layers):
        if shape.layer_normalization:
            total += 2 * inputs
        total += directions * cell_parameters(shape.cell, shape.units, inputs)
        inputs = directions * shape.units
    return total + (inputs + 1) * units


@functools.cache
def cell_parameters(cell: str, width: int, inputs: int) -> int:
    """Of one recurrent layer in one direction."""
    layer = make_cell(cell, width, portable=True, name="counted")
    layer.build((None, None, inputs))
    return layer.count_params()
