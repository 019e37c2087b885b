"""An utterance, and which of a source's utterances can be learnt from."""

import contextlib
import functools
import hashlib
import itertools
import json
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pipeline import text
from pipeline.config import Augment, Config, Speakers
from pipeline.errors import InputError


@dataclass(frozen=True, slots=True, eq=False)
class Utterance:
    """One recording and its transcript; two that tell the same of one file are still two.

    Attributes:
        name: what messages call it: a path, or a set's own key.
        transcript: as the source wrote it.
        speaker: who speaks; None if the source does not tell.
        samples: its length at the model's rate, or the frames of its features, as announced before it is read; 0 if
            unknown.
        load: reads the audio, float32 [samples] in -1..1 at the model's rate; or features float32 [frames,
            coefficients] for a model that takes them.
        augment: how its source wants it changed in training; None: as is configured for all.
    """

    name: str
    transcript: str
    speaker: str | None
    samples: int
    load: Callable[[], np.ndarray]
    augment: Augment | None = None

    @property
    def key(self) -> Hashable:
        """What tells it from others, and is the same in each epoch that has it."""
        return self


def reason_of(utterance: Utterance, error: Exception) -> str:
    """Why it cannot be read, without its name, which is told beside."""
    return str(error).removeprefix(f"{utterance.name}: ")


@dataclass(frozen=True, slots=True)
class Example:
    """An utterance in the form that a model learns from: the normalized transcript and its unit ids."""

    utterance: Utterance
    text: str
    labels: tuple[int, ...]


class Examples(Sequence):
    """Utterances as examples. Each is spelled when it is asked for, so that a million of them take little memory.

    Attributes:
        utterances: what they are of.
        samples: float64 [examples], the announced lengths.
    """

    def __init__(self, utterances: list[Utterance], normalize: Callable[[str], str], units: text.Units):
        self.utterances, self._normalize, self._units = utterances, normalize, units
        self.samples = np.array([utterance.samples for utterance in utterances], float)

    def __len__(self) -> int:
        return len(self.utterances)

    def __getitem__(self, number: int) -> Example:
        utterance = self.utterances[number]
        transcript = self._normalize(utterance.transcript)
        return Example(utterance, transcript, tuple(self._units.encode(transcript)))


@dataclass
class Skipped:
    """What was left out, and why; nothing is left out without being written down here.

    Attributes:
        within: where it is written down as well: of all splits, say, what this is of one.
    """

    within: "Skipped | None" = None
    _found: dict[Hashable, tuple[str, str]] = field(default_factory=dict)  # names and reasons by key

    def add(self, name: str, reason: str, key: Hashable | None = None) -> bool:
        """Returns whether this is news.

        Args:
            name: what messages call it; several may have the same, and each counts.
            reason: why it is left out.
            key: what it is known by when it is met again, in the next epoch for example; default: it never is.
        """
        key = object() if key is None else key
        new = key not in self._found
        self._found[key] = name, reason
        if self.within is not None:
            self.within.add(name, reason, key)
        return new

    def __len__(self) -> int:
        return len(self._found)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Names and reasons."""
        return iter(self._found.values())

    @property
    def first(self) -> str:
        """Such as: a.wav (no labels); b.wav (longer than 30 s)."""
        told = "; ".join(f"{name} ({reason})" for name, reason in itertools.islice(self, 3))
        return f"{told}{'; ...' if len(self) > 3 else ''}"

    def summary(self, of: int, count: int | None = None) -> str:
        """Such as: skipped 2 of 371 utterances: a.wav (no labels); b.wav (longer than 30 s).

        Args:
            of: utterances in all, those that are left out included.
            count: how many are left out, if some of them are among all more than once.
        """
        count = len(self) if count is None else count
        return f"skipped {count} of {of} utterances: {self.first}"

    @contextlib.contextmanager
    def listed_in(self, path: Path | None) -> Iterator[None]:
        """Saved there if what is done meanwhile ends for bad input, which then says so; None: nowhere."""
        try:
            yield
        except InputError as error:
            if path is None or not len(self):
                raise
            path.parent.mkdir(parents=True, exist_ok=True)
            self.save(path)
            raise InputError(f"{error}; all that were skipped are in {path}") from error

    def save(self, path: Path) -> None:
        lines = [json.dumps({"audio": name, "reason": reason}) for name, reason in self]
        path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")


class BadLines(Skipped):
    """The bad lines of a manifest or corpus: skipped where there is a place for them, or else the first ends it.

    Messages of corpora name a line as manifests' do: file and number, then what was wanted and found.
    """

    def add(self, name: str, reason: str, key: Hashable | None = None) -> bool:
        """Raises: InputError: there is no place for it."""
        if self.within is None:
            raise InputError(f"{name}: {reason}")
        return super().add(name, reason, key)

    @property
    def only(self) -> str:
        """What an error says was found where no line is right; "" if there are none at all."""
        first = next(iter(self), None)
        return "" if first is None else f"{len(self)} bad ones only, the first {': '.join(first)}"


def take_speakers(utterances: Iterable[Utterance], speakers: Speakers) -> list[Utterance]:
    """The utterances of the speakers that a source is to give.

    Raises:
        InputError: speakers are chosen, but an utterance does not tell its speaker or a named one does not occur.
    """
    if speakers == Speakers():
        return list(utterances)
    utterances = list(utterances)
    known = {utterance.speaker for utterance in utterances}
    unknown = next((utterance.name for utterance in utterances if utterance.speaker is None), None)
    if unknown is not None:
        raise InputError(f"{unknown}: a speaker wanted, because the source chooses among speakers; found none")
    for name in [*(speakers.include or []), *speakers.exclude]:
        if name not in known:
            raise InputError(f"speakers: {name!r} does not occur; there are {', '.join(sorted(known)[:20])}")
    low, high = speakers.share

    def taken(speaker: str) -> bool:
        if speaker in speakers.exclude or (speakers.include is not None and speaker not in speakers.include):
            return False
        place = _place(speaker)
        return low <= place < high or place == high == 1.0

    return [utterance for utterance in utterances if taken(utterance.speaker)]


def _place(speaker: str) -> float:
    """A speaker's fixed place in 0..1."""
    return int.from_bytes(hashlib.sha256(speaker.encode()).digest()[:6], "big") / 2**48


def check_speakers(splits: dict[str, Iterable[Utterance]], allow_shared: bool) -> None:
    """Raises: InputError: a speaker is in two splits, unless that is asked for."""
    if allow_shared:
        return
    seen: dict[str, str] = {}
    for split, utterances in splits.items():
        for speaker in sorted({u.speaker for u in utterances if u.speaker is not None}):
            if speaker in seen:
                raise InputError(
                    f"speaker {speaker!r} is both in data.{seen[speaker]} and data.{split}: results would not tell how "
                    "the model does on speakers it never heard. Choose others, or set data.allow_shared_speakers"
                )
            seen[speaker] = split


def normalizer(settings: Config) -> Callable[[str], str]:
    """The configured normalization of transcripts, quick where they come again."""
    return functools.lru_cache(100_000)(functools.partial(text.normalize, **settings.text.model_dump()))


def units_of(settings: Config, training: Iterable[Utterance]) -> text.Units:
    """The units that are configured, or those that the training transcripts need."""
    if settings.units.symbols is not None:
        return text.Units(settings.units.kind, settings.units.symbols)
    normalize = normalizer(settings)
    transcripts = (normalize(utterance.transcript) for utterance in training)
    return text.Units.of_texts(settings.units.kind, transcripts, map(normalize, settings.units.phrases))


def learnable(
    utterances: Sequence[Utterance], settings: Config, units: text.Units, skipped: Skipped, split: str = "data"
) -> Examples:
    """The utterances whose transcripts the units spell and whose frames hold them; the others go into `skipped`.

    Raises:
        InputError: a symbol outside the units, if the configuration says `units.unknown: error`; or nothing is left, or
            less than `data.most_skipped` allows.
    """
    normalize = normalizer(settings)
    kept, left_out = [], Skipped()
    for utterance, frames in zip(utterances, _frames(utterances, settings), strict=True):
        problem = _problem(utterance, normalize(utterance.transcript), int(frames), settings, units)
        if problem is None:
            kept.append(utterance)
        else:
            left_out.add(utterance.name, problem)  # each time that an epoch has it
            skipped.add(utterance.name, problem, utterance.key)
    too_many_skipped(left_out, len(utterances), settings.data.most_skipped, split)
    return Examples(kept, normalize, units)


def _frames(utterances: Sequence[Utterance], settings: Config) -> np.ndarray:
    """int [utterances] of the network's frames, as announced."""
    counts = np.array([utterance.samples for utterance in utterances], np.int64)
    different, places = np.unique(counts, return_inverse=True)
    return np.array([settings.features.network_frames(int(count)) for count in different], np.int64)[places]


def _problem(utterance: Utterance, transcript: str, frames: int, settings: Config, units: text.Units) -> str | None:
    """Why a model cannot learn from the utterance; None if it can, as far as can be told without its audio."""
    if not units.spells(transcript):
        try:
            units.encode(transcript)
        except text.UnknownSymbol as error:
            if settings.units.unknown == "error":
                raise InputError(f"{utterance.name}: {error}") from error
            return str(error)
    if problem := too_long(utterance.samples, settings):
        return problem
    if not utterance.samples or frames >= 2 * len(transcript) > 0:  # enough for whatever units
        return None
    return unlearnable(tuple(units.encode(transcript)), utterance.samples, settings)


def too_many_skipped(
    skipped: Skipped,
    of: int,
    most: float,
    split: str,
    count: int | None = None,
    setting: str = "data.most_skipped",
) -> None:
    """Ends what would go on with too little.

    Args:
        skipped: what is left out.
        of, count: see `Skipped.summary`.
        most: the share of them that may be.
        split: what messages call them.
        setting: what messages call that share.

    Raises:
        InputError: more than that are, or all.
    """
    count = len(skipped) if count is None else count
    if count == of:
        reasons = Counter(reason for _, reason in skipped).most_common(3)
        told = "; ".join(f"{reason} ({times} times)" for reason, times in reasons)
        raise InputError(f"{split}: none of {of} utterances can be used: {told or 'there are none'}")
    if count > most * of:
        raise InputError(f"{split}: {skipped.summary(of, count)}; {setting} allows {most:.0%}")


def too_long(samples: int, settings: Config) -> str | None:
    """Why an utterance of so many is not taken; None if it is."""
    longest = settings.data.longest_seconds
    return f"longer than {longest:g} s" if samples > longest * settings.features.lengths_per_second else None


def unlearnable(labels: tuple[int, ...], samples: int, settings: Config) -> str | None:
    """Why CTC cannot align so many samples with the labels; None if it can."""
    frames, needed = settings.features.network_frames(samples), frames_needed(labels)
    if frames >= needed:
        return None
    seconds = samples / settings.features.lengths_per_second
    return f"{seconds:.2f} s give {frames} frames, its {len(labels)} labels need {needed}"


def frames_needed(labels: tuple[int, ...]) -> int:
    """The fewest frames that CTC can align labels with: one each, and a blank between equal neighbours."""
    repeats = sum(label == following for label, following in itertools.pairwise(labels))
    return max(1, len(labels) + repeats)
