"""The section about what may be varied in search of a better configuration."""

from typing import Annotated

import pydantic
from pydantic import Field

from pipeline.config.section import Section


class Range(Section):
    """All values from `low` to `high`; whole ones if both are written as whole numbers."""

    low: int | float
    high: int | float
    log: bool = Field(False, description="Drawn evenly by their logarithm.")

    @pydantic.model_validator(mode="after")
    def _ordered(self):
        if not self.low < self.high:
            raise ValueError(f"a range from low to high wanted, got {self.low:g} to {self.high:g}")
        if self.log and self.low <= 0:
            raise ValueError(f"low above 0 wanted with log, got {self.low:g}")
        return self

    @property
    def is_whole(self) -> bool:
        return isinstance(self.low, int) and isinstance(self.high, int)

    @property
    def ends(self) -> list[int | float]:
        return [self.low, self.high]


def _form(value) -> str | None:
    """Which of the two forms a value has."""
    if isinstance(value, dict | Range):
        return "range"
    return "choices" if isinstance(value, list) else None


Choices = Annotated[list[pydantic.JsonValue], Field(min_length=1)]

Tune = dict[
    str,
    Annotated[
        Annotated[Range, pydantic.Tag("range")] | Annotated[Choices, pydantic.Tag("choices")],
        pydantic.Discriminator(
            _form, custom_error_type="tune", custom_error_message="a list of values, or low and high, wanted"
        ),
    ],
]
"""By the key that is varied, such as model.units: the values to choose from."""
