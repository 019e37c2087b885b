"""The configuration as a whole."""

from typing import Annotated

import pydantic
import yaml
from pydantic import Field

from pipeline.config.data import Augment, Data
from pipeline.config.model import Features, Model, SpecAugment, Text, Training, Units
from pipeline.config.section import Section
from pipeline.config.tune import Tune


class Config(Section):
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    description: str = ""
    licence: str = Field("", description="Sources and licences of the data, for the model's card.")
    limits: str = Field("", description="What the model cannot do, for its card.")
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    features: Features = Features()
    text: Text = Text()
    units: Units = Units()
    spec_augment: SpecAugment = SpecAugment()
    model: Model = Model()
    augment: Augment = Augment()
    data: Data
    training: Training = Training()
    tune: Tune = Field({}, description="What scripts/tune.py varies, by key; training itself knows nothing of it.")

    @pydantic.model_validator(mode="after")
    def _has_audio_where_it_needs_it(self):
        if self.features.input == "audio":
            return self
        idle = {"augment": self.augment != Augment()}
        for split in ("train", "valid", "test"):
            for number, source in enumerate(getattr(self.data, split)):
                place = f"data.{split}.{number}"
                if source.kind != "manifest":
                    raise ValueError(
                        f"{place}.kind = manifest wanted with features.input = features, got {source.kind}"
                    )
                for name in ("join", "level_db", "augment"):
                    idle[f"{place}.{name}"] = getattr(source, name) is not None
        found = next((name for name, there in idle.items() if there), None)
        if found:
            raise ValueError(f"{found}: none wanted with features.input = features, it changes waveforms")
        return self

    @property
    def cannot_stream(self) -> str | None:
        """The setting for which a model needs the whole utterance; None if it can hear it in pieces."""
        features = self.features
        reasons = {
            "features.input = features": features.input == "features",
            "model.bidirectional = true": self.model.bidirectional,
            "features.normalization = utterance": features.normalization == "utterance",
            f"features.top_db = {features.top_db}": features.top_db is not None,
        }
        return next((reason for reason, holds in reasons.items() if holds), None)

    def to_yaml(self) -> str:
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
