"""What the sections of a configuration have in common."""

from typing import Annotated

import pydantic
from pydantic import Field

Share = Annotated[float, Field(ge=0, le=1)]


class Section(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, validate_default=True)


def ordered_ranges(section: Section, *names: str) -> Section:
    for name in names:
        bounds = getattr(section, name)
        if bounds is not None and bounds[0] > bounds[1]:
            raise ValueError(f"{name}: a range from low to high wanted, got {list(bounds)}")
    return section
