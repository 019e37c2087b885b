"""Single words, in memory: what sequences for the memory task are made of."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.augment import WaveformAugmentation
from pipeline.config import Config, SynthesisSource
from pipeline.data import sources
from pipeline.data.cache import cache_folder
from pipeline.data.synthesis_source import synthesize
from pipeline.data.utterances import Skipped, Utterance, normalizer
from pipeline.errors import InputError

log = logging.getLogger(__name__)

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

SPLITS = {"train": (0.0, 0.7), "valid": (0.7, 0.8), "test": (0.8, 1.0)}
"""Of synthesized digits, the share of voices in each split."""

SYNTHESIZED = {"train": 1200, "valid": 200, "test": 400}
"""Clips of each split."""

COPIES = 2
"""Augmented ones of each training clip, beside the clip itself."""


@dataclass(frozen=True)
class Clip:
    """One word.

    Attributes:
        label: its number among the words.
        speaker: None if the source does not tell.
        audio: float32 [samples] in -1..1.
    """

    label: int
    speaker: str | None
    audio: np.ndarray


def clips_of(settings: Config) -> tuple[list[str], dict[str, list[Clip]]]:
    """The words that a configuration's sources have as single clips, and the clips of each split.

    Training clips come augmented too, as is configured, COPIES times each.

    Raises:
        InputError: see `single_words`; or a clip cannot be read.
    """
    words, found = single_words(settings)
    clips = {split: [Clip(label, u.speaker, u.load()) for label, u in own] for split, own in found.items()}
    return words, {**clips, "train": clips["train"] + _augmented(clips["train"], settings)}


def single_words(settings: Config) -> tuple[list[str], dict[str, list[tuple[int, Utterance]]]]:
    """The words that are utterances of their own in the training data; and these by split, with the words' numbers.

    Strings are not joined; utterances of several words, or of words that are not in the training data, are left out.

    Raises:
        InputError: the sources cannot be read, a split has none, or there are fewer than two words.
    """
    normalize = normalizer(settings)
    found: dict[str, list[tuple[str, Utterance]]] = {}
    for split in ("train", "valid", "test"):
        single = [source.model_copy(update={"join": None, "weight": 1.0}) for source in getattr(settings.data, split)]
        read = sources.read(single, settings, split, bad := Skipped())(0) if single else []
        if len(bad):
            log.warning("data.%s: %s", split, bad.summary(len(read) + len(bad)))
        texts = [(normalize(utterance.transcript), utterance) for utterance in read]
        found[split] = [(text, utterance) for text, utterance in texts if text and " " not in text]
    words = sorted({text for text, _ in found["train"]})
    told = "wanted for the memory task (or --memory-speech synthesized)"
    if len(words) < 2:
        raise InputError(f"data.train: clips of at least two single words {told}, found {words or 'none'}")
    known = {split: [(words.index(text), u) for text, u in own if text in words] for split, own in found.items()}
    for split, own in known.items():
        if not own:
            raise InputError(f"data.{split}: clips of single words {told}, found none")
    return words, known


def synthesized_digits(settings: Config) -> tuple[list[str], dict[str, list[Clip]]]:
    """The same of digits spoken by espeak-ng; no voice is in two splits."""
    clips = {}
    for split, share in SPLITS.items():
        source = SynthesisSource(
            kind="synthesis",
            phrases=[f"({'|'.join(DIGITS)})"],
            utterances=SYNTHESIZED[split],
            speakers={"share": share},
        )
        folder = cache_folder(settings.data)
        spoken = synthesize(source, settings.features.sample_rate, settings.seed, f"memory.{split}", folder)
        clips[split] = [Clip(DIGITS.index(u.transcript), u.speaker, u.load()) for u in spoken]
    return list(DIGITS), {**clips, "train": clips["train"] + _augmented(clips["train"], settings)}


def _augmented(clips: list[Clip], settings: Config) -> list[Clip]:
    rate, folder = settings.features.sample_rate, Path(settings.data.folder)
    augmentation = WaveformAugmentation(settings.augment, rate, folder, settings.seed)
    random = np.random.default_rng([settings.seed, *b"memory clips"])
    return [Clip(clip.label, clip.speaker, augmentation(clip.audio, random)) for _ in range(COPIES) for clip in clips]
