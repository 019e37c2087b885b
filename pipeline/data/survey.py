"""What a configuration's utterances are like, before any training: one pass over the audio, nothing of it kept."""

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from pipeline import text
from pipeline.config import Config
from pipeline.data import sources
from pipeline.data.utterances import Skipped, Utterance, normalizer, reason_of, units_of, unlearnable
from pipeline.errors import InputError, UnreadableError

MOST = 5000
"""Utterances of a split that are listened to."""

FULL_SCALE = 0.999
"""Samples from here on are held to be clipped: the largest of 16 bits is 0.99997, resampling takes a little away."""

QUIET_DB = 30.0
"""A block so far below an utterance's loudest is silence; what `training.quiet_db` is by default."""

FLOOR_DBFS = -60.0
"""A block below is silence in any case."""

BLOCK_SECONDS = 0.02
"""That energy is measured over."""

SPEECH_BLOCKS = 3
"""In a row that are no silence, where speech begins and ends."""

WORKERS = 4
"""Threads that read files: decoding and hashing leave Python's lock."""


@dataclass(frozen=True)
class Sound:
    """What one utterance's audio is like, at the model's rate.

    Attributes:
        samples: how many.
        rms, peak: 1 is full scale.
        offset: the mean, its direct current.
        clipped: share of samples at full scale.
        leading, trailing: seconds of silence before speech and after it.
        silent: share of blocks that are silence, wherever.
        digest: equal for equal samples.
    """

    samples: int
    rms: float
    peak: float
    offset: float
    clipped: float
    leading: float
    trailing: float
    silent: float
    digest: bytes


@dataclass(frozen=True)
class Row:
    """An utterance as it was found.

    Attributes:
        split, name, transcript, speaker: as the source has them.
        text: the normalized transcript.
        announced: seconds, as the source has them before reading; 0 if unknown.
        seconds: as found, or else as announced.
        file_rate: the file's own rate in hertz; None if the utterance is no file or was not listened to.
        sound: None if it was not listened to or cannot be read.
        unreadable: why it cannot be read.
        outside: which symbol the units lack.
        infeasible: why its frames cannot hold its labels.
    """

    split: str
    name: str
    transcript: str
    speaker: str | None
    text: str
    announced: float
    seconds: float
    file_rate: int | None
    sound: Sound | None
    unreadable: str | None
    outside: str | None
    infeasible: str | None

    @property
    def speech_seconds(self) -> float | None:
        """Without the silence before and after; None if it was not listened to."""
        if self.sound is None:
            return None
        return max(0.0, self.seconds - self.sound.leading - self.sound.trailing)

    @property
    def speaking_rate(self) -> float | None:
        """Characters without spaces, a second of `speech_seconds`; None where there is either none."""
        letters = len(self.text.replace(" ", ""))
        return letters / self.speech_seconds if letters and self.speech_seconds else None


@dataclass(frozen=True)
class Chosen:
    """A split's utterances, and the numbers of those that are listened to."""

    utterances: Sequence[Utterance]
    heard: frozenset[int]


@dataclass(frozen=True)
class Survey:
    """All splits.

    Attributes:
        rows: by split, in the sources' order.
        heard: by split, how many rows were listened to.
        units: as training has them.
        counts: by split, how often each unit, or symbol that the units lack, occurs.
    """

    rows: dict[str, list[Row]]
    heard: dict[str, int]
    units: text.Units
    counts: dict[str, Counter[str]]

    def is_sample(self, split: str) -> bool:
        return self.heard[split] < len(self.rows[split])


def choose(settings: Config, most: int = MOST) -> dict[str, Chosen]:
    """The utterances of each split that the configuration names; of more than `most`, a sample drawn by its seed.

    Raises:
        InputError: a source cannot be read, or holds features instead of audio.
    """
    if settings.features.input == "features":
        raise InputError("features.input: audio wanted, found features: there is nothing to listen to")
    chosen = {}
    for split in ("train", "valid", "test"):
        if configured := getattr(settings.data, split):
            bad = Skipped()
            utterances = sources.read(configured, settings, split, bad)(0)
            numbers: Sequence[int] = range(len(utterances))
            if len(numbers) > most:
                random = np.random.default_rng([settings.seed, *split.encode()])
                numbers = random.choice(len(utterances), size=most, replace=False).tolist()
            broken = [_broken(name, reason) for name, reason in bad]
            numbers = [*numbers, *range(len(utterances), len(utterances) + len(broken))]
            chosen[split] = Chosen([*utterances, *broken], frozenset(numbers))
    return chosen


def _broken(name: str, reason: str) -> Utterance:
    """A line that is none, to be shown beside the files that cannot be read."""

    def load():
        raise UnreadableError(f"{name}: {reason}")

    return Utterance(name, "", None, 0, load)


def survey(chosen: dict[str, Chosen], settings: Config, tell: Callable[[], object] = lambda: None) -> Survey:
    """Reads what is to be listened to. A file that cannot be read is a row that says why.

    Args:
        chosen: what `choose` gave.
        settings: the whole configuration.
        tell: called after each utterance that was listened to.

    Raises:
        InputError: the training transcripts give no units.
    """
    units = units_of(settings, chosen["train"].utterances)
    rows, counts = {}, {}
    pool = ThreadPoolExecutor(WORKERS)
    try:
        for split, each in chosen.items():
            to_hear = [each.utterances[number] for number in sorted(each.heard)]
            listened = pool.map(lambda utterance: _listen(utterance, settings), to_hear)
            rows[split], counts[split] = [], Counter()
            for number, utterance in enumerate(each.utterances):
                found = next(listened) if number in each.heard else (None, None, None)
                rows[split].append(_row(split, utterance, found, settings, units, counts[split]))
                if number in each.heard:
                    tell()
    finally:
        pool.shutdown(cancel_futures=True)
    return Survey(rows, {split: len(each.heard) for split, each in chosen.items()}, units, counts)


def _row(
    split: str,
    utterance: Utterance,
    found: tuple[Sound | None, str | None, int | None],
    settings: Config,
    units: text.Units,
    counts: Counter[str],
) -> Row:
    sound, unreadable, file_rate = found
    normalized = normalizer(settings)(utterance.transcript)
    samples = sound.samples if sound else utterance.samples
    outside = infeasible = None
    try:
        labels = tuple(units.encode(normalized))
        counts.update(units.symbols[label - 1] for label in labels)
        infeasible = unlearnable(labels, samples, settings) if samples else None
    except text.UnknownSymbol as error:
        outside = str(error)
        counts.update(units.split(normalized))
    rate = settings.features.sample_rate
    return Row(
        split,
        utterance.name,
        utterance.transcript,
        utterance.speaker,
        normalized,
        utterance.samples / rate,
        samples / rate,
        file_rate,
        sound,
        unreadable,
        outside,
        infeasible,
    )


def _listen(utterance: Utterance, settings: Config) -> tuple[Sound | None, str | None, int | None]:
    """What the audio is like, or why it cannot be read; and the file's rate."""
    file_rate = None
    try:
        samples = utterance.load()
        file_rate = _file_rate(utterance.name)
        return measure(samples, settings.features.sample_rate), None, file_rate
    except (InputError, OSError, soundfile.SoundFileError) as error:
        return None, reason_of(utterance, error), file_rate


def _file_rate(name: str) -> int | None:
    try:
        return soundfile.info(name).samplerate if Path(name).is_file() else None
    except (OSError, ValueError):  # a name that no file can have
        return None


def measure(samples: np.ndarray, sample_rate: int) -> Sound:
    """What audio is like.

    Args:
        samples: float32 [samples], at least one, full scale -1..1.
        sample_rate: in hertz.
    """
    magnitude = np.abs(samples)
    offset = float(samples.mean(dtype=np.float64))
    quiet = _quiet(samples - np.float32(offset), sample_rate)
    leading, trailing = _ends(quiet)
    seconds = len(samples) / sample_rate
    return Sound(
        samples=len(samples),
        rms=math.sqrt(np.mean(np.square(samples, dtype=np.float64))),
        peak=float(magnitude.max()),
        offset=offset,
        clipped=float(np.mean(magnitude >= FULL_SCALE)),
        leading=leading * seconds / len(quiet),
        trailing=trailing * seconds / len(quiet),
        silent=float(quiet.mean()),
        digest=hashlib.blake2b(np.ascontiguousarray(samples), digest_size=16).digest(),
    )


def _quiet(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """Which blocks are silence, bool [blocks]; audio shorter than a block is one."""
    size = min(round(BLOCK_SECONDS * sample_rate), len(samples))
    blocks = samples[: len(samples) // size * size].reshape(-1, size)
    power = np.einsum("ij,ij->i", blocks, blocks) / size
    return power < max(10 ** (-QUIET_DB / 10) * power.max(), 10 ** (FLOOR_DBFS / 10))


def _ends(quiet: np.ndarray) -> tuple[int, int]:
    """How many blocks of silence come first and last; a lone click among them is no speech."""
    starts = np.flatnonzero(np.convolve(~quiet, np.ones(SPEECH_BLOCKS, int), "valid") == SPEECH_BLOCKS)
    if len(quiet) >= SPEECH_BLOCKS and len(starts):
        return int(starts[0]), int(len(quiet) - SPEECH_BLOCKS - starts[-1])
    loud = np.flatnonzero(~quiet)
    return (int(loud[0]), int(len(quiet) - 1 - loud[-1])) if len(loud) else (len(quiet), 0)


def decibels(amplitude: float) -> float:
    """Below full scale, a sine of which has -3 dB; digital silence is held to be -120 dB."""
    return 20 * math.log10(max(amplitude, 1e-6))
