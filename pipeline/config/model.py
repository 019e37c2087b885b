"""The sections about the network: its features, text, units, shape and training."""

import json
from typing import Annotated, Literal

import pydantic
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from pipeline.config.section import Section, Share
from pipeline.errors import InputError

Dropout = Annotated[float, Field(ge=0, lt=1)]

DELTA_CONTEXT = 4
"""Frames on each side of the one whose delta is fitted to them; librosa.feature.delta's default."""


class Features(Section):
    """The waveform's way to the network's input. Lengths in milliseconds, frequencies in hertz.

    With `input: features` utterances are features already, `coefficients` each `hop_ms`; what makes MFCCs is idle.
    """

    input: Literal["audio", "features"] = "audio"
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
    least_power: PositiveFloat = Field(
        1e-10, description="Of a mel band; what is quieter counts as so loud. librosa.power_to_db calls it amin."
    )
    top_db: PositiveFloat | None = Field(
        None, description="Floor below the utterance's peak; such a model cannot stream."
    )
    deltas: Literal[0, 1, 2] = 0
    normalization: Literal["global", "utterance", "none"] = "global"
    stack: PositiveInt = Field(3, description="Neighbouring frames joined into one input of the network.")
    stride: PositiveInt = Field(3, description="Frames from one input to the next.")
    silent_frames: NonNegativeInt = Field(
        0, description="Of the network, heard before and after every utterance; for clips that begin with the word."
    )

    @pydantic.model_validator(mode="after")
    def _fits(self):
        if self.input == "features":
            for name, idle in (("deltas", 0), ("centre", False), ("top_db", None), ("silent_frames", 0)):
                if getattr(self, name) != idle:
                    wanted, found = json.dumps(idle), json.dumps(getattr(self, name))
                    raise ValueError(f"{name} = {wanted} wanted with input = features, got {found}")
            return self
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
    def lengths_per_second(self) -> float:
        """What makes seconds of an utterance's length: samples a second, or frames of given features."""
        return 1000 / self.hop_ms if self.input == "features" else self.sample_rate

    @property
    def batch_shape(self) -> tuple[int | None, ...]:
        """[utterances, samples], or [utterances, frames, coefficients] of given features; None is any number."""
        return (None, None, self.coefficients) if self.input == "features" else (None, None)

    @property
    def frame_length(self) -> int:
        """Samples, or frames of given features, from one of the network's frames to the next."""
        return self.stride if self.input == "features" else self.stride * self.hop_samples

    @property
    def frame_seconds(self) -> float:
        """Seconds from one of the network's frames to the next."""
        return self.frame_length / self.lengths_per_second

    @property
    def silent_samples(self) -> int:
        """Of silence on each side of an utterance."""
        return self.silent_frames * self.frame_length

    @property
    def delta_context(self) -> int:
        """Frames on each side of a frame that its deltas need."""
        return DELTA_CONTEXT if self.deltas else 0

    @property
    def first_samples(self) -> int:
        """Samples, or frames of given features, without which the network's first frame is not known.

        Each further one takes a stride.
        """
        if self.input == "features":
            return self.stack
        frames = self.stack + self.delta_context
        return (frames - 1) * self.hop_samples + self.n_fft - (self.n_fft // 2 if self.centre else 0)

    def network_frames(self, length: int) -> int:
        """The frames that the network scores of so many samples, or frames of given features."""
        length += 2 * self.silent_samples if length else 0
        if self.input == "features":
            frames = length
        elif self.centre:
            frames = 1 + length // self.hop_samples if length else 0
        else:
            frames = max(0, 1 + (length - self.n_fft) // self.hop_samples)
        return max(0, 1 + (frames - self.stack) // self.stride - self.silent_frames)


class Text(Section):
    """How transcripts are written before they become units."""

    lowercase: bool = True
    remove: str = Field("", description="Characters taken out, punctuation for example.")
    replace: dict[str, str] = Field({}, description="Replacements, made in this order after lowercasing.")


class Units(Section):
    kind: Literal["characters", "words"] = "characters"
    symbols: list[str] | None = Field(None, description="Default: all that occur in the training transcripts.")
    phrases: list[str] = Field(
        [], description="With kind words and no symbols: texts of several words, each a unit like a word of its own."
    )
    unknown: Literal["skip", "error"] = Field("skip", description="What an utterance with other symbols meets.")

    @pydantic.model_validator(mode="after")
    def _has_phrases_of_words(self):
        if self.phrases and (self.kind != "words" or self.symbols is not None):
            raise ValueError(
                "phrases: kind = words, and no symbols beside them, wanted (symbols may be phrases themselves)"
            )
        return self


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


class Training(Section):
    start: str | Annotated[list[str], Field(min_length=1)] | None = Field(
        None,
        description="A run's or an export's folder whose weights it starts from, or several, for the mean of theirs; "
        "relative to the working folder.",
    )
    epochs: NonNegativeInt = Field(50, description="0: nothing is learnt, the weights of `start` are what there is.")
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
        description="No label is aligned with what comes before the speech and is so much quieter than its loudest; of "
        "no effect with features.input = features.",
    )
    shown: NonNegativeInt = Field(5, description="Validation utterances that TensorBoard shows, from short to long.")
    pictures: Share = Field(
        0.02,
        description="Of the training's time, the share that TensorBoard's pictures and histograms may take; 0: none.",
    )

    @pydantic.model_validator(mode="after")
    def _has_weights(self):
        if not self.epochs and not self.start:
            raise ValueError("start wanted with epochs = 0, got none")
        return self

    @property
    def starts(self) -> list[str]:
        """The folders of `start`."""
        return [self.start] if isinstance(self.start, str) else self.start or []

    def check_learns(self) -> None:
        """Raises: InputError: there are no epochs."""
        if not self.epochs:
            raise InputError("training.epochs: 1 or more wanted, found 0")
