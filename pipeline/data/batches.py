"""Examples -> padded batches of similar lengths, the same for the same seed and epoch."""

import logging
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from pipeline.augment import WaveformAugmentation
from pipeline.config import Augment, Config
from pipeline.data.onsets import speech_onset
from pipeline.data.utterances import (
    Example,
    Examples,
    Skipped,
    Utterance,
    reason_of,
    too_long,
    too_many_skipped,
    unlearnable,
)
from pipeline.errors import InputError, UnreadableError

Batch = tuple[dict[str, np.ndarray], dict[str, np.ndarray]]
"""{"audio": float32 [batch, samples], "lengths": int32 [batch]}, or {"features": float32 [batch, frames, coefficients],
"lengths": ...}; and {"labels": int32 [batch, labels], "label_lengths", "onsets": int32 [batch]}; an onset is the
frame before which nothing is said."""

_JITTER = 0.05
"""How far lengths are blurred before sorting: batches differ from epoch to epoch, padding stays below 10 %."""

_AN_OCTAVE = 8
"""Sizes that signals are padded to for a compiler: what is added on top is about a twentieth."""

_SHORTER = 0.8
"""Of what augmentation makes shorter than this share it is looked up whether it still is long enough for its text."""

log = logging.getLogger(__name__)


class Batches:
    """Batches of an epoch's examples.

    Args:
        examples: the examples of an epoch.
        settings: the whole configuration.
        skipped: where utterances go that cannot be read.
        training: shuffle and augment; without it the order is by length and epochs are alike.
        few_shapes: pad to one of a few sizes, for a compiler that starts anew at each.
        split: what messages call the data.
        left_out: utterances that are no examples, and count as well where too much cannot be read.
    """

    def __init__(
        self,
        examples: Callable[[int], Examples],
        settings: Config,
        skipped: Skipped,
        training: bool = False,
        few_shapes: bool = False,
        split: str = "data",
        left_out: int = 0,
    ):
        self._examples, self._settings, self._skipped = examples, settings, skipped
        self._left_out = left_out
        self._training, self._few_shapes, self._split = training, few_shapes, split
        self._augmentations: dict[str, WaveformAugmentation] = {}  # by their settings
        self.epoch = 0
        """The epoch that the next iteration is of."""
        self.delivered: list[tuple[list[Example], float]] = []
        """The examples of each batch that the latest iteration has given so far, and their seconds of audio."""
        self.failure: InputError | None = None
        """Why the latest iteration ended before its time: what is raised among TensorFlow's threads is lost."""
        if training and settings.features.input == "audio":
            folder = Path(settings.data.folder)
            for augment in (settings.augment, *(source.augment for source in settings.data.train if source.augment)):
                self._augmentations[repr(augment)] = WaveformAugmentation(
                    augment, settings.features.sample_rate, folder, settings.seed
                )

    def plan(self, epoch: int) -> list[list[Example]]:
        """Which examples stand in which batch of an epoch."""
        examples = self._examples(epoch)
        return [[examples[i] for i in batch] for batch in self._order(examples, epoch, self._training)]

    def count(self) -> int:
        """Batches in the first epoch; another may have one more or less where seconds limit them."""
        return len(self._order(self._examples(0), 0, self._training))

    def _order(self, examples: Examples, epoch: int, augment: bool) -> list[np.ndarray]:
        """The numbers of the examples in each batch."""
        lengths = self._augmented(examples, epoch) if augment else examples.samples
        random = np.random.default_rng([self._settings.seed, epoch])
        blurred = lengths * random.uniform(1 - _JITTER, 1 + _JITTER, len(lengths)) if self._training else lengths
        order = np.argsort(blurred, kind="stable")
        batches = np.split(order, self._bounds(lengths[order]))
        if self._training:
            random.shuffle(batches)
        return batches

    def _augmented(self, examples: Examples, epoch: int) -> np.ndarray:
        """float [examples], how long they are once they are augmented."""
        if not self._augmentations:
            return examples.samples
        by_each = [each.lengths(examples.samples, self._random(epoch)) for each in self._augmentations.values()]
        if len(by_each) == 1:
            lengths = by_each[0]
        else:
            lengths = np.stack(by_each)[self._owners(examples), np.arange(len(examples))]
        for number in np.flatnonzero(lengths < _SHORTER * examples.samples):
            if unlearnable(examples[number].labels, int(lengths[number]), self._settings):
                lengths[number] = examples.samples[number]  # as `_audio` has it
        return lengths

    def _owners(self, examples: Examples) -> np.ndarray:
        """int [examples]: by which of the augmentations each is changed."""
        order, known = list(self._augmentations), {}

        def place(augment: Augment | None) -> int:
            key = id(augment)  # to compare a million settings would take long
            if key not in known:
                known[key] = order.index(self._own(augment))
            return known[key]

        return np.fromiter((place(utterance.augment) for utterance in examples.utterances), int, len(examples))

    def _own(self, augment: Augment | None) -> str:
        """The settings by which an utterance with these, or none of its own, is augmented."""
        return repr(augment or self._settings.augment)

    def _random(self, epoch: int, draws: int = 0) -> np.random.Generator:
        """Where the augmentation of an epoch has its choices from, after so many draws."""
        return np.random.Generator(np.random.PCG64([self._settings.seed, epoch, 1]).advance(draws))

    def _bounds(self, lengths: np.ndarray) -> list[int]:
        """Where batches begin, but for the first, of examples nearly sorted by length."""
        size, seconds = self._settings.data.batch_size, self._settings.data.batch_seconds
        if seconds is None:
            return list(range(size, len(lengths), size))
        most = seconds * self._settings.features.lengths_per_second
        bounds, begin, longest = [], 0, 0.0
        for number, length in enumerate(lengths.tolist()):
            length = _size_among_few(length, _AN_OCTAVE) if self._few_shapes else length
            count, longest = number - begin, max(longest, length)
            if count and (count == size or (count + 1) * longest > most):
                bounds.append(number)
                begin, longest = number, length
        return bounds

    def of_epoch(self, epoch: int, augment: bool = True) -> Iterator[tuple[list[Example], Batch]]:
        """Each batch of an epoch, with the examples it is made of.

        Raises:
            InputError: more of its utterances turn out to be unreadable than `data.most_skipped` allows.
        """
        examples, unreadable = self._examples(epoch), Skipped()
        augment = augment and self._training
        with ThreadPoolExecutor(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2) as threads:
            for planned in self._order(examples, epoch, augment):
                batch = [examples[index] for index in planned]
                places = [(epoch, int(index)) if augment else None for index in planned]
                found = []
                read = threads.map(self._audio, batch, places)
                for example, (audio, onset, problem) in zip(batch, read, strict=True):
                    if problem is None:
                        found.append((example, audio, onset))
                    else:
                        self._leave_out(example.utterance, problem, unreadable, len(examples))
                if found:
                    kept, waveforms, onsets = zip(*found, strict=True)
                    inputs, labels = _pad(self._settings.features.input, waveforms, kept, self._few_shapes)
                    yield list(kept), (inputs, {**labels, "onsets": np.array(onsets, np.int32)})

    def before_and_after(self, count: int) -> list[tuple[str, np.ndarray, np.ndarray]]:
        """Names and waveforms float32 [samples] of some of the first epoch's utterances, as recorded and as augmented.

        One of each of the first batches that have any; none if nothing is augmented, or what cannot be read.
        """
        if not self._augmentations:
            return []
        examples = self._examples(0)
        pairs = []
        for batch in self._order(examples, 0, augment=True):
            changed = (index for index in batch if self._own(examples.utterances[index].augment) != repr(Augment()))
            index = next(changed, None)
            if index is None:
                continue
            example = examples[index]
            (before, _, problem), (after, _, _) = (self._audio(example, place) for place in (None, (0, int(index))))
            if problem is None:
                pairs.append((f"{len(pairs) + 1} {Path(example.utterance.name).stem}", before, after))
            if len(pairs) == count:
                break
        return pairs

    def __iter__(self) -> Iterator[Batch]:
        delivered = self.delivered = []  # its own list, should an earlier iteration still be under way in a thread
        self.failure = None
        try:
            for examples, batch in self.of_epoch(self.epoch):
                delivered.append(
                    (examples, float(batch[0]["lengths"].sum()) / self._settings.features.lengths_per_second)
                )
                yield batch
        except InputError as error:
            self.failure = error

    def _audio(self, example: Example, place: tuple[int, int] | None) -> tuple[np.ndarray | None, int, str | None]:
        """The utterance's samples or features, and its onset; or why not.

        It is augmented as belongs to an epoch and its number in it, if there are any.
        """
        utterance = example.utterance
        try:
            audio = utterance.load()
        except UnreadableError as error:
            return None, 0, reason_of(utterance, error)
        # The announced length may be wrong.
        problem = too_long(len(audio), self._settings) or unlearnable(example.labels, len(audio), self._settings)
        if problem is not None or self._settings.features.input == "features":
            return audio, 0, problem
        if place is None:
            return audio, self._onset(audio), None
        epoch, number = place
        augmentation = self._augmentations[self._own(utterance.augment)]
        timed, changed = augmentation.in_stages(audio, self._random(epoch, number * augmentation.draws))
        if unlearnable(example.labels, len(changed), self._settings):
            return audio, self._onset(audio), None
        return changed, self._onset(timed), None  # under noise the quiet before the speech would not be told from it

    def _onset(self, audio: np.ndarray) -> int:
        quiet_db = self._settings.training.quiet_db
        return 0 if quiet_db is None else speech_onset(audio, self._settings.features, quiet_db)

    def _leave_out(self, utterance: Utterance, problem: str, unreadable: Skipped, of: int) -> None:
        unreadable.add(utterance.name, problem)
        if self._skipped.add(utterance.name, problem, utterance.key):
            log.warning("skipped %s: %s", utterance.name, problem)
        count, of = len(unreadable) + self._left_out, of + self._left_out
        too_many_skipped(self._skipped, of, self._settings.data.most_skipped, f"data.{self._split}", count)


def _pad(name: str, waveforms: list[np.ndarray], examples: list[Example], few_shapes: bool) -> Batch:
    """Samples, or frames of features, under that name."""

    def size(longest: int, an_octave: int) -> int:
        return _size_among_few(longest, an_octave) if few_shapes else longest

    lengths = np.array([len(waveform) for waveform in waveforms], np.int32)
    signal = np.zeros((len(waveforms), size(lengths.max(), _AN_OCTAVE), *waveforms[0].shape[1:]), np.float32)
    for row, waveform in zip(signal, waveforms, strict=True):
        row[: len(waveform)] = waveform
    label_lengths = np.array([len(example.labels) for example in examples], np.int32)
    labels = np.zeros((len(examples), size(max(1, label_lengths.max()), 1)), np.int32)
    for row, example in zip(labels, examples, strict=True):
        row[: len(example.labels)] = example.labels
    return {name: signal, "lengths": lengths}, {"labels": labels, "label_lengths": label_lengths}


def _size_among_few(size: int, an_octave: int) -> int:
    """The next size of which there are that many, a power of two, an octave."""
    step = max(1, 2 ** (int(size) - 1).bit_length() // 2 // an_octave)
    return -(-int(size) // step) * step
