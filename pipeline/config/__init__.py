"""The typed configuration of an experiment, and the only reader of YAML."""

from pipeline.config.data import (
    Augment,
    Band,
    Clipping,
    CorpusSource,
    Data,
    Join,
    ManifestSource,
    Noise,
    Rooms,
    Source,
    Speakers,
    SynthesisSource,
    Telephone,
    TfdsSource,
)
from pipeline.config.experiment import Config
from pipeline.config.load import config_of, load_config, override, with_values
from pipeline.config.model import DELTA_CONTEXT, Features, Model, SpecAugment, Text, Training, Units
from pipeline.config.tune import Range

__all__ = [
    "DELTA_CONTEXT",
    "Augment",
    "Band",
    "Clipping",
    "Config",
    "CorpusSource",
    "Data",
    "Features",
    "Join",
    "ManifestSource",
    "Model",
    "Noise",
    "Range",
    "Rooms",
    "Source",
    "Speakers",
    "SpecAugment",
    "SynthesisSource",
    "Telephone",
    "Text",
    "TfdsSource",
    "Training",
    "Units",
    "config_of",
    "load_config",
    "override",
    "with_values",
]
