"""Examples -> padded batches of similar lengths, the same for the same seed and epoch."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from pipeline.audio import AudioError
from pipeline.augment import WaveformAugmentation
from pipeline.config import Config
from pipeline.data.utterances import Example, Skipped, unlearnable

Batch = tuple[dict[str, np.ndarray], dict[str, np.ndarray]]
"""{"audio": float32 [batch, samples], "lengths": int32 [batch]} and {"labels": int32 [batch, labels],
"label_lengths": int32 [batch]}"""

_JITTER = 0.1
"""How far lengths are blurred before sorting: batches differ from epoch to epoch, padding stays near 5 %."""

log = logging.getLogger(__name__)


class Batches:
    """Batches of an epoch's examples.

    Args:
        examples: the examples of an epoch.
        settings: the whole configuration.
        skipped: where utterances go that cannot be read.
        training: shuffle and augment; without it the order is by length and epochs are alike.
        few_shapes: pad to one of a few sizes, for a compiler that starts anew at each.
    """

    def __init__(
        self,
        examples: Callable[[int], list[Example]],
        settings: Config,
        skipped: Skipped,
        training: bool = False,
        few_shapes: bool = False,
    ):
        self._examples, self._settings, self._skipped = examples, settings, skipped
        self._training, self._few_shapes = training, few_shapes
        if training:
            rate, folder = settings.features.sample_rate, Path(settings.data.folder)
            self._augmentation = WaveformAugmentation(settings.augment, rate, folder, settings.seed)
        self.epoch = 0
        """The epoch that the next iteration is of."""
        self.delivered: list[tuple[list[Example], float]] = []
        """The examples of each batch that the latest iteration has given so far, and their seconds of audio."""

    def plan(self, epoch: int) -> list[list[Example]]:
        """Which examples stand in which batch of an epoch."""
        examples = self._examples(epoch)
        lengths = np.array([example.utterance.samples for example in examples], float)
        random = np.random.default_rng([self._settings.seed, epoch])
        if self._training:
            lengths *= random.uniform(1 - _JITTER, 1 + _JITTER, len(examples))
        order = np.argsort(lengths, kind="stable")
        size = self._settings.data.batch_size
        batches = [order[i : i + size] for i in range(0, len(order), size)]
        if self._training:
            random.shuffle(batches)
        return [[examples[i] for i in batch] for batch in batches]

    def count(self) -> int:
        """Batches in an epoch."""
        return -(-len(self._examples(0)) // self._settings.data.batch_size)

    def of_epoch(self, epoch: int, augment: bool = True) -> Iterator[tuple[list[Example], Batch]]:
        """Each batch of an epoch, with the examples it is made of."""
        for number, planned in enumerate(self.plan(epoch)):
            random = np.random.default_rng([self._settings.seed, epoch, number])
            examples, waveforms = [], []
            for example in planned:
                audio = self._audio(example)
                if audio is not None:
                    if self._training and augment:
                        audio = self._augmented(audio, example, random)
                    examples.append(example)
                    waveforms.append(audio)
            if examples:
                yield examples, _pad(waveforms, examples, self._few_shapes)

    def __iter__(self) -> Iterator[Batch]:
        delivered = self.delivered = []  # its own list, should an earlier iteration still be under way in a thread
        for examples, batch in self.of_epoch(self.epoch):
            delivered.append((examples, float(batch[0]["lengths"].sum()) / self._settings.features.sample_rate))
            yield batch

    def _audio(self, example: Example) -> np.ndarray | None:
        """The utterance's samples, or None, noted, if it turns out to be unusable."""
        utterance = example.utterance
        try:
            audio = utterance.load()
            problem = unlearnable(example.labels, len(audio), self._settings)  # the announced length may be wrong
        except AudioError as error:
            problem = str(error)
        if problem is None:
            return audio
        if self._skipped.add(utterance.name, problem):
            log.warning("skipped %s: %s", utterance.name, problem)
        return None

    def _augmented(self, audio: np.ndarray, example: Example, random: np.random.Generator) -> np.ndarray:
        changed = self._augmentation(audio, random)
        return audio if unlearnable(example.labels, len(changed), self._settings) else changed


def _pad(waveforms: list[np.ndarray], examples: list[Example], few_shapes: bool) -> Batch:
    def size(longest: int) -> int:
        return _size_among_few(longest) if few_shapes else longest

    lengths = np.array([len(waveform) for waveform in waveforms], np.int32)
    audio = np.zeros((len(waveforms), size(lengths.max())), np.float32)
    for row, waveform in zip(audio, waveforms, strict=True):
        row[: len(waveform)] = waveform
    label_lengths = np.array([len(example.labels) for example in examples], np.int32)
    labels = np.zeros((len(examples), size(max(1, label_lengths.max()))), np.int32)
    for row, example in zip(labels, examples, strict=True):
        row[: len(example.labels)] = example.labels
    return {"audio": audio, "lengths": lengths}, {"labels": labels, "label_lengths": label_lengths}


def _size_among_few(size: int) -> int:
    """The next size of which there are eight an octave: at most an eighth more."""
    step = 2 ** max(0, (int(size) - 1).bit_length() - 4)
    return -(-int(size) // step) * step
