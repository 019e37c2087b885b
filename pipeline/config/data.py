"""The sections about speech: where it comes from, how it is changed, how it becomes batches."""

import abc
import re
from pathlib import PurePath
from typing import Annotated, Literal

import pydantic
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from pipeline.config.model import Text
from pipeline.config.section import Section, Share, ordered_ranges

Decibels = Annotated[float, Field(ge=-100, le=100)]
Speed = Annotated[float, Field(ge=0.01, le=100)]
# What espeak-ng can do; pipeline/data/synthesis.py has the same limits.
WordsPerMinute = Annotated[int, Field(ge=80, le=450)]
Pitch = Annotated[int, Field(ge=0, le=100)]
ENGLISH = ["en-us", "en-us-nyc", "en-gb", "en-gb-scotland", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-gb-x-rp", "en-029"]


class Noise(Section):
    """Noise added to a share of the utterances."""

    share: Share = 1.0
    snr_db: tuple[Decibels, Decibels] = Field((5.0, 30.0), description="Range of speech's level over the noise's.")
    folder: str | None = Field(None, description="Recordings of noise; relative to data.folder.")
    made: list[Literal["white", "pink"]] = Field([], description="Noise made up, beside the recordings or alone.")

    @pydantic.model_validator(mode="after")
    def _given(self):
        if self.folder is None and not self.made:
            raise ValueError("a folder of noise wanted, or made: [white, pink]")
        return ordered_ranges(self, "snr_db")


class Rooms(Section):
    """Simulated rooms that a share of the utterances is spoken in."""

    share: Share = 0.5
    reverberation_seconds: tuple[PositiveFloat, PositiveFloat] = Field(
        (0.1, 0.6), description="Range of the time in which an echo falls by 60 dB."
    )
    count: PositiveInt = Field(100, description="Different rooms, with a place in it for speaker and microphone each.")

    @pydantic.model_validator(mode="after")
    def _ordered(self):
        return ordered_ranges(self, "reverberation_seconds")


class Band(Section):
    """Limits of the frequencies that a share of the utterances keeps; each is drawn from its range."""

    share: Share = 0.5
    low_hz: tuple[PositiveFloat, PositiveFloat] = (50.0, 300.0)
    high_hz: tuple[PositiveFloat, PositiveFloat] = (3000.0, 7000.0)

    @pydantic.model_validator(mode="after")
    def _ordered(self):
        ordered_ranges(self, "low_hz", "high_hz")
        if self.low_hz[1] >= self.high_hz[0]:
            raise ValueError(f"low_hz below high_hz wanted, got {list(self.low_hz)} and {list(self.high_hz)}")
        return self


class Telephone(Section):
    """A share of the utterances comes through a telephone: 8 kHz, 300 to 3400 Hz, 8 bits by the mu law."""

    share: Share = 0.5


class Clipping(Section):
    """A share of the utterances is recorded too loud, and cut off at full scale."""

    share: Share = 0.2
    over_db: tuple[Decibels, Decibels] = Field((3.0, 15.0), description="How far the peak would be above full scale.")

    @pydantic.model_validator(mode="after")
    def _ordered(self):
        return ordered_ranges(self, "over_db")


class Augment(Section):
    """Changes of the training waveforms, drawn anew for each utterance and epoch, and made in this order."""

    speed: tuple[Speed, Speed] | None = Field(None, description="Range of factors; pitch changes too.")
    tempo: tuple[Speed, Speed] | None = Field(None, description="Range of factors; pitch stays.")
    silence_seconds: tuple[NonNegativeFloat, NonNegativeFloat] | None = Field(
        None, description="Range of silence added before an utterance, and of that after it."
    )
    rooms: Rooms | None = None
    noise: Noise | None = None
    band: Band | None = None
    telephone: Telephone | None = None
    clipping: Clipping | None = None
    gain_db: tuple[Decibels, Decibels] | None = Field(None, description="Range of decibels added.")

    @pydantic.model_validator(mode="after")
    def _ordered(self):
        return ordered_ranges(self, "speed", "tempo", "silence_seconds", "gain_db")


class Speakers(Section):
    """Which speakers of a source are taken; all conditions hold together."""

    include: list[str] | None = None
    exclude: list[str] = Field([])
    share: tuple[Share, Share] = Field((0.0, 1.0), description="Speakers whose hash lies in this part of 0..1.")


class Join(Section):
    """Clips of one speaker, strung together with pauses."""

    utterances: PositiveInt
    words: tuple[PositiveInt, PositiveInt] = Field((1, 7), description="Fewest and most clips in a string.")
    pause_seconds: tuple[NonNegativeFloat, NonNegativeFloat] = (0.05, 0.5)

    @pydantic.model_validator(mode="after")
    def _ordered(self):
        return ordered_ranges(self, "words", "pause_seconds")


class _Source(Section):
    speakers: Speakers = Speakers()
    join: Join | None = None
    weight: PositiveFloat = Field(
        1.0, description="How often an epoch has each utterance; 0.5: half of them, others each time."
    )
    level_db: Annotated[float, Field(ge=-60, le=0)] | None = Field(
        None, description="Root mean square, below full scale, that each utterance is brought to."
    )
    augment: Augment | None = Field(None, description="This source's own augmentation; default: the general one.")

    @property
    @abc.abstractmethod
    def own_text(self) -> Text | None:
        """How it writes transcripts, if not as all do."""

    @property
    @abc.abstractmethod
    def summary(self) -> str:
        """What speech it is, in a few words, for a model's card."""


class _TextSource(_Source):
    """One whose key `text` is its own way of writing transcripts."""

    text: Text | None = Field(None, description="This source's own way of writing transcripts; default: the general.")

    @property
    def own_text(self) -> Text | None:
        return self.text


class ManifestSource(_TextSource):
    """JSON lines with audio_filepath (or features_filepath), text, and optionally duration and speaker."""

    kind: Literal["manifest"]
    path: str = Field(description="Relative to data.folder.")

    @property
    def summary(self) -> str:
        return f"the recordings in `{self.path}`"


class CorpusSource(_TextSource):
    """A corpus as it was downloaded."""

    kind: Literal["corpus"]
    path: str = Field(description="Its folder, or a table's file; relative to data.folder.")
    format: Literal["librispeech", "ljspeech", "common_voice", "kaldi", "speech_commands", "csv", "texts"] | None = (
        Field(None, description="Default: what the folder looks like.")
    )
    split: str | None = Field(None, description="Such as dev-clean, validated, testing; default: everything.")

    @property
    def summary(self) -> str:
        return f"the corpus `{self.path}`" + (f", split `{self.split}`" if self.split else "")


class TfdsSource(_Source):
    """A speech set of TensorFlow Datasets, by its name; or one that prepare.py made, by its folder."""

    kind: Literal["tfds"]
    name: str | None = Field(None, min_length=1)
    path: str | None = Field(None, description="A prepared set's folder; relative to data.folder.")
    split: str = Field("train", description="Or a part of one, such as train[:10%].")
    audio: str = "audio"
    sample_rate: PositiveInt | None = Field(None, description="Of the audio, in hertz, where the set does not tell.")
    text: str | None = Field(None, description="The text feature; or else `label` names the word.")
    transcripts: Text | None = Field(None, description="What other sources call `text`: its own way of writing them.")
    label: str = "label"
    label_texts: list[str] | None = Field(None, description="The words of the labels; default: the set's own names.")
    speaker: str | None = Field(None, description="The feature that tells the speaker.")
    speaker_pattern: str | None = Field(None, description="Regular expression whose first group is the speaker.")
    manual_dir: str | None = Field(None, description="Where the set's archive lies already; relative to data.folder.")
    download_dir: str | None = Field(None, description="Where archives are downloaded to; default: TFDS's own.")
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

    @pydantic.model_validator(mode="after")
    def _named(self):
        if (self.name is None) == (self.path is None):
            raise ValueError("either name or path wanted")
        return self

    @property
    def own_text(self) -> Text | None:
        return self.transcripts

    @property
    def summary(self) -> str:
        return f"TensorFlow Datasets `{self.name or self.path}`, split `{self.split}`"


class SynthesisSource(_TextSource):
    """Speech synthesized by espeak-ng, where a variant, such as f3, is a speaker in whatever accent; or by Piper."""

    kind: Literal["synthesis"]
    phrases: list[str] = Field([], description="Texts; `(red|green)` stands for either.")
    phrases_file: str | None = Field(None, description="More of them, a line each; relative to the working folder.")
    grammar: str | None = Field(
        None, description="A JSGF grammar whose sentences are drawn; relative to the working folder."
    )
    utterances: PositiveInt
    accents: list[str] = Field(ENGLISH, description="Of espeak-ng; default: all of its English ones.")
    words_per_minute: tuple[WordsPerMinute, WordsPerMinute] = (130, 200)
    pitch: tuple[Pitch, Pitch] = Field((30, 70), description="50 is the voice's own.")
    piper: str | None = Field(
        None, description="A Piper voice's .onnx file, to speak instead of espeak-ng; relative to the working folder."
    )

    @pydantic.model_validator(mode="after")
    def _given(self):
        if not self.phrases and self.phrases_file is None and self.grammar is None:
            raise ValueError("phrases, a phrases_file or a grammar wanted")
        return ordered_ranges(self, "words_per_minute", "pitch")

    @property
    def summary(self) -> str:
        speaker = "espeak-ng" if self.piper is None else f"Piper's `{PurePath(self.piper).name}`"
        return f"{self.utterances} utterances synthesized by {speaker}"


Source = Annotated[ManifestSource | CorpusSource | TfdsSource | SynthesisSource, Field(discriminator="kind")]

SOURCES = {
    "manifest": ManifestSource,
    "corpus": CorpusSource,
    "tfds": TfdsSource,
    "synthesis": SynthesisSource,
}
"""By kind."""


class Data(Section):
    folder: str = Field(
        ".", description="What the sources' paths are relative to; itself relative to the working folder."
    )
    train: list[Source] = Field(min_length=1)
    valid: list[Source] = Field(min_length=1)
    test: list[Source] = Field([])
    allow_shared_speakers: bool = False
    batch_size: PositiveInt = Field(32, description="Most utterances in a batch.")
    batch_seconds: PositiveFloat | None = Field(
        None, description="Most seconds of audio in a batch, padding included; default: as many as batch_size has."
    )
    longest_seconds: PositiveFloat = Field(30.0, description="Longer utterances are skipped, and counted.")
    most_skipped: Share = Field(0.2, description="If more of a split's utterances than this are unusable, it ends.")
    cache: Literal["memory", "disk", "none"] = Field("memory", description="Where audio is kept once it was read.")
    cache_gigabytes: PositiveFloat = Field(2.0, description="Most that the cache in memory holds.")
    cache_folder: str | None = Field(
        None, description="For the cache on disk and synthesized speech; default: keras-speech-pipeline in ~/.cache."
    )
