"""The configuration as a whole."""

from typing import Annotated

import yaml
from pydantic import Field

from pipeline.config.data import Augment, Data
from pipeline.config.model import Features, Model, SpecAugment, Text, Training, Units
from pipeline.config.section import Section


class Config(Section):
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    description: str = ""
    licence: str = Field("", description="Sources and licences of the data, for the model's card.")
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    features: Features = Features()
    text: Text = Text()
    units: Units = Units()
    spec_augment: SpecAugment = SpecAugment()
    model: Model = Model()
    augment: Augment = Augment()
    data: Data
    training: Training = Training()

    @property
    def cannot_stream(self) -> str | None:
        """The setting for which a model needs the whole utterance; None if it can hear it in pieces."""
        features = self.features
        reasons = {
            "model.bidirectional = true": self.model.bidirectional,
            "features.normalization = utterance": features.normalization == "utterance",
            f"features.top_db = {features.top_db}": features.top_db is not None,
        }
        return next((reason for reason, holds in reasons.items() if holds), None)

    def to_yaml(self) -> str:
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
