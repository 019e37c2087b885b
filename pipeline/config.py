"""The typed configuration of an experiment, and the only reader of YAML.

A configuration is one YAML file; `key=value` overrides come on top of it. Unknown keys, wrong types and impossible
values are refused with one line that names the key, the value, what was wanted and the nearest right name.
"""

import difflib
import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import pydantic
import yaml
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from pipeline.errors import InputError

Share = Annotated[float, Field(ge=0, le=1)]
Decibels = Annotated[float, Field(ge=-100, le=100)]
Speed = Annotated[float, Field(ge=0.01, le=100)]
Dropout = Annotated[float, Field(ge=0, lt=1)]
# What espeak-ng can do; pipeline/data/synthesis.py has the same limits.
WordsPerMinute = Annotated[int, Field(ge=80, le=450)]
Pitch = Annotated[int, Field(ge=0, le=100)]

DELTA_CONTEXT = 4
"""Frames on each side of the one whose delta is fitted to them; librosa.feature.delta's default."""


class Section(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, validate_default=True)


class _Loader(yaml.SafeLoader):
    """YAML as people write it: 1e-4 is a number, and a key that comes twice is a mistake."""

    def construct_mapping(self, node, deep=False):
        keys = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for number, key in enumerate(keys):
            if any(key.value == earlier.value for earlier in keys[:number]):
                raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} is there twice", key.start_mark)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)


def _ordered_ranges(section: Section, *names: str) -> Section:
    for name in names:
        bounds = getattr(section, name)
        if bounds is not None and bounds[0] > bounds[1]:
            raise ValueError(f"{name}: a range from low to high wanted, got {list(bounds)}")
    return section


class Features(Section):
    """The waveform's way to the network's input. Lengths in milliseconds, frequencies in hertz."""

    sample_rate: Annotated[int, Field(ge=1000, le=192000)] = 16000
    window: Literal["hann", "hamming", "blackman", "boxcar"] = "hann"
    window_ms: PositiveFloat = 25.0
    hop_ms: PositiveFloat = 10.0
    n_fft: PositiveInt = 512
    mels: PositiveInt = 40
    coefficients: PositiveInt = 20
    low_hz: NonNegativeFloat = 20.0
    high_hz: PositiveFloat | None = Field(None, description="Default: half the sample rate.")
    mel_scale: Literal["slaney", "htk"] = "slaney"
    lifter: NonNegativeFloat = 0.0
    centre: bool = Field(False, description="Frames centred on their time; looks half an n_fft ahead.")
    top_db: PositiveFloat | None = Field(
        None, description="Floor below the utterance's peak; such a model cannot stream."
    )
    deltas: Literal[0, 1, 2] = 0
    normalization: Literal["global", "utterance", "none"] = "global"
    stack: PositiveInt = Field(3, description="Neighbouring frames joined into one input of the network.")
    stride: PositiveInt = Field(3, description="Frames from one input to the next.")

    @pydantic.model_validator(mode="after")
    def _fits(self):
        nyquist = self.sample_rate / 2
        high = nyquist if self.high_hz is None else self.high_hz
        if not self.low_hz < high <= nyquist:
            raise ValueError(
                f"low_hz < high_hz <= {nyquist:g} (half the sample rate) wanted, got {self.low_hz:g}, {high:g}"
            )
        if self.window_samples > self.n_fft:
            raise ValueError(f"n_fft of at least the window's {self.window_samples} samples wanted, got {self.n_fft}")
        if self.window_samples < 1:
            raise ValueError(f"window_ms of at least one sample wanted, got {self.window_ms:g}")
        if self.hop_samples < 1:
            raise ValueError(f"hop_ms of at least one sample wanted, got {self.hop_ms:g}")
        most = self.stack + 2 * DELTA_CONTEXT - 1  # so that a stream always keeps a frame
        if self.deltas and self.stride > most:
            raise ValueError(f"stride of at most {most} wanted with deltas, got {self.stride}")
        if self.coefficients > self.mels:
            raise ValueError(f"coefficients of at most mels = {self.mels} wanted, got {self.coefficients}")
        return self

    @property
    def window_samples(self) -> int:
        return round(self.window_ms * self.sample_rate / 1000)

    @property
    def hop_samples(self) -> int:
        return round(self.hop_ms * self.sample_rate / 1000)

    @property
    def frame_seconds(self) -> float:
        """Seconds from one of the network's frames to the next."""
        return self.hop_samples * self.stride / self.sample_rate

    @property
    def delta_context(self) -> int:
        """Frames on each side of a frame that its deltas need."""
        return DELTA_CONTEXT if self.deltas else 0

    @property
    def first_samples(self) -> int:
        """Samples that must be there before the network's first frame is known; each further one takes a stride."""
        frames = self.stack + self.delta_context
        return (frames - 1) * self.hop_samples + self.n_fft - (self.n_fft // 2 if self.centre else 0)

    def network_frames(self, samples: int) -> int:
        """The frames that the network sees of so many samples."""
        if self.centre:
            frames = 1 + samples // self.hop_samples if samples else 0
        else:
            frames = max(0, 1 + (samples - self.n_fft) // self.hop_samples)
        return max(0, 1 + (frames - self.stack) // self.stride)


class Text(Section):
    """How transcripts are written before they become units."""

    lowercase: bool = True
    remove: str = Field("", description="Characters taken out, punctuation for example.")
    replace: dict[str, str] = Field({}, description="Replacements, made in this order after lowercasing.")


class Units(Section):
    kind: Literal["characters", "words"] = "characters"
    symbols: list[str] | None = Field(None, description="Default: all that occur in the training transcripts.")
    unknown: Literal["skip", "error"] = Field("skip", description="What an utterance with other symbols meets.")


class SpecAugment(Section):
    """Masks of random width up to the maximum, in MFCC frames and in coefficients; and other microphones."""

    time_masks: NonNegativeInt = 0
    time_width: NonNegativeInt = 20
    time_share: Share = Field(0.3, description="At most this share of an utterance's frames is masked by one mask.")
    coefficient_masks: NonNegativeInt = 0
    coefficient_width: NonNegativeInt = 4
    channel: NonNegativeFloat = Field(
        0.0, description="Deviation of a random constant in each coefficient, in its own standard deviations."
    )


class Model(Section):
    cell: str = Field("lstm", description="A name registered in pipeline/models/recurrent.py.")
    units: PositiveInt = 256
    layers: PositiveInt = 2
    bidirectional: bool = False
    dropout: Dropout = 0.0
    layer_normalization: bool = False


class Augment(Section):
    """Changes of the training waveforms, drawn anew for each utterance and epoch."""

    speed: tuple[Speed, Speed] | None = Field(None, description="Range of factors; pitch changes too.")
    gain_db: tuple[Decibels, Decibels] | None = Field(None, description="Range of decibels added.")

    @pydantic.model_validator(mode="after")
    def _ordered(self):
        return _ordered_ranges(self, "speed", "gain_db")


class Speakers(Section):
    """Which speakers of a source are taken; all conditions hold together."""

    include: list[str] | None = None
    exclude: list[str] = []
    share: tuple[Share, Share] = Field((0.0, 1.0), description="Speakers whose hash lies in this part of 0..1.")


class Join(Section):
    """Clips of one speaker, strung together with pauses."""

    utterances: PositiveInt
    words: tuple[PositiveInt, PositiveInt] = Field((1, 7), description="Fewest and most clips in a string.")
    pause_seconds: tuple[NonNegativeFloat, NonNegativeFloat] = (0.05, 0.5)

    @pydantic.model_validator(mode="after")
    def _ordered(self):
        return _ordered_ranges(self, "words", "pause_seconds")


class _Source(Section):
    speakers: Speakers = Speakers()
    join: Join | None = None


class ManifestSource(_Source):
    """JSON lines with audio_filepath, text, and optionally duration and speaker."""

    kind: Literal["manifest"]
    path: str = Field(description="Relative to data.folder.")


class TfdsSource(_Source):
    """A speech set of TensorFlow Datasets."""

    kind: Literal["tfds"]
    name: str
    split: str = "train"
    audio: str = "audio"
    text: str | None = Field(None, description="The text feature; or else `label` names the word.")
    label: str = "label"
    label_texts: list[str] | None = Field(None, description="The words of the labels; default: the set's own names.")
    speaker: str | None = Field(None, description="The feature that tells the speaker.")
    speaker_pattern: str | None = Field(None, description="Regular expression whose first group is the speaker.")
    manual_dir: str | None = Field(None, description="Where the set's archive lies already; relative to data.folder.")
    data_dir: str | None = Field(None, description="Where prepared sets are kept; default: TFDS's own.")

    @pydantic.field_validator("speaker_pattern")
    @classmethod
    def _is_pattern(cls, pattern: str | None) -> str | None:
        try:
            if pattern is not None and not re.compile(pattern).groups:
                raise ValueError("a regular expression with a group wanted")
        except re.error as error:
            raise ValueError(f"a regular expression wanted ({error})") from error
        return pattern


class SynthesisSource(_Source):
    """Speech synthesized by espeak-ng; a variant, such as f3, is a speaker in whatever accent."""

    kind: Literal["synthesis"]
    phrases: list[str] = Field(min_length=1, description="Texts; `(red|green)` stands for either.")
    utterances: PositiveInt
    accents: list[str] = ["en-us", "en-gb", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-029"]
    words_per_minute: tuple[WordsPerMinute, WordsPerMinute] = (130, 200)
    pitch: tuple[Pitch, Pitch] = Field((30, 70), description="50 is the voice's own.")

    @pydantic.model_validator(mode="after")
    def _ordered(self):
        return _ordered_ranges(self, "words_per_minute", "pitch")


Source = Annotated[ManifestSource | TfdsSource | SynthesisSource, Field(discriminator="kind")]


class Data(Section):
    folder: str = Field(
        ".", description="What the sources' paths are relative to; itself relative to the working folder."
    )
    train: list[Source] = Field(min_length=1)
    valid: list[Source] = Field(min_length=1)
    test: list[Source] = []
    allow_shared_speakers: bool = False
    batch_size: PositiveInt = 32
    longest_seconds: PositiveFloat = Field(30.0, description="Longer utterances are skipped, and counted.")


class Training(Section):
    epochs: PositiveInt = 50
    learning_rate: PositiveFloat = 1e-3
    final_learning_rate: NonNegativeFloat = Field(
        1e-5, description="At the end; no more than learning_rate, whatever it says."
    )
    warmup_epochs: NonNegativeFloat = 1.0
    weight_decay: NonNegativeFloat = 1e-4
    clip_norm: PositiveFloat = 1.0
    patience: PositiveInt | None = Field(
        None, description="Epochs without a better character error rate before the end."
    )
    precision: Literal["auto", "float32", "mixed_bfloat16"] = Field(
        "float32",
        description="Of the recurrent layers' matrix products; auto: bfloat16 where the machine is quick at it.",
    )
    average: Annotated[float, Field(ge=0, lt=1)] = Field(0.0, description="Momentum of the weights' moving average.")
    quiet_db: PositiveFloat | None = Field(
        30.0,
        description="No label is aligned with what comes before the speech and is so much quieter than its loudest.",
    )
    shown: NonNegativeInt = Field(5, description="Validation hypotheses written to TensorBoard each epoch.")


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


def load_config(path: str | Path, overrides: list[str] = ()) -> Config:
    """The configuration in a YAML file, with `key=value` overrides such as `model.cell=simple_rnn` on top.

    `name` defaults to the file's own.

    Raises:
        InputError: the file is missing or not YAML, or a key or value is not one a configuration has.
    """
    path = Path(path)
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except OSError as error:
        raise InputError(f"{path}: a configuration file wanted, {error.strerror.lower()}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: a YAML file wanted, found bytes that are not UTF-8") from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date that no calendar has
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}:" if mark else ""
        problem = " ".join(str(getattr(error, "problem", None) or error).split())
        raise InputError(f"{path}:{line} not YAML: {problem}") from error
    if not isinstance(values, dict):
        raise InputError(f"{path}: a mapping of keys to values wanted, found {values!r}")
    values.setdefault("name", path.stem)
    for override in overrides:
        _override(values, override)
    try:
        # As JSON, because there a list is a tuple too when types are strict: no true for 1, no "7" for 7.
        return Config.model_validate_json(json.dumps(values, default=str), strict=True)
    except pydantic.ValidationError as error:
        raise InputError(f"{path}: {_explain(error)}") from error
    except TypeError as error:
        raise InputError(f"{path}: keys of text wanted, found others ({error})") from error
    except ValueError as error:  # json's
        raise InputError(f"{path}: an alias (*) is recursive") from error


def _override(values: dict, override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise InputError(f"override {override!r}: key=value wanted, such as model.cell=simple_rnn")
    try:
        value = yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError) as error:
        raise InputError(f"override {override!r}: the value is not YAML") from error
    *parents, last = key.split(".")
    place: Any = values
    for depth, parent in enumerate(parents):
        try:
            if isinstance(place, list):
                place = place[int(parent)]
            else:
                if place.get(parent) is None:
                    place[parent] = {}
                place = place[parent]
        except (ValueError, IndexError, AttributeError) as error:
            raise InputError(f"override {override!r}: there is no {'.'.join(parents[: depth + 1])} to set") from error
    if isinstance(place, list) and last.isdigit() and int(last) < len(place):
        place[int(last)] = value
    elif isinstance(place, dict):
        place[last] = value
    else:
        raise InputError(f"override {override!r}: there is no {key} to set")


def _explain(error: pydantic.ValidationError) -> str:
    """The first problem as one line: key, value, what was wanted, the nearest right name."""
    problems = error.errors()
    # An unknown key first: where another is missing, it is often that one misspelt.
    first = next((problem for problem in problems if problem["type"] == "extra_forbidden"), problems[0])
    # Inside a source pydantic adds the union's tag to the location; a user's key has none.
    tags = {get_args(s.model_fields["kind"].annotation)[0] for s in (ManifestSource, TfdsSource, SynthesisSource)}
    key = ".".join(str(part) for part in first["loc"] if part not in tags)
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    if first["type"] == "extra_forbidden":
        names = _names_beside(first["loc"])
        near = difflib.get_close_matches(str(first["loc"][-1]), names, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
        return f"unknown key {key}; {hint}{more}"
    if first["type"] == "missing":
        return f"{key} is missing{more}"
    message = first["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    if isinstance(first["input"], (dict, Section)):
        return f"{key}: {message}{more}"
    hint = ""
    if first["type"] == "literal_error" and isinstance(first["input"], str):
        near = difflib.get_close_matches(first["input"], first["ctx"]["expected"].replace("'", "").split(" or "), n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
    return f"{key} = {first['input']!r}: {message}{hint}{more}"


def _names_beside(location: tuple) -> list[str]:
    """The keys that may stand where the location's last one does."""
    kinds = {"manifest": ManifestSource, "tfds": TfdsSource, "synthesis": SynthesisSource}
    section: Any = Config
    for part in location[:-1]:
        if part in kinds:
            section = kinds[part]
        elif isinstance(part, str) and part in getattr(section, "model_fields", {}):
            annotation = section.model_fields[part].annotation
            section = next((a for a in (annotation, *get_args(annotation)) if hasattr(a, "model_fields")), annotation)
    return list(getattr(section, "model_fields", {}))
