"""Connected words from single ones: clips of one speaker, strung together with pauses."""

import functools
import itertools
from collections import defaultdict
from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np

from pipeline.config import Join
from pipeline.data.utterances import Utterance


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Joined(Utterance):
    """A string of clips.

    Attributes:
        spans: of each clip in the order of time, its first sample and the first after it.
    """

    spans: tuple[tuple[int, int], ...]

    @property
    def key(self) -> Hashable:
        """Its name tells its place and its clips; it is made anew each time that its epoch comes."""
        return self.name


def join(
    clips: list[Utterance], settings: Join, sample_rate: int, random: np.random.Generator, name: str
) -> list[Joined]:
    """Strings of random clips, each of one speaker, with random pauses before, between and after.

    Speakers take turns, so that all are heard equally often whatever their number of clips. Clips without a speaker
    count as one speaker's.
    """
    by_speaker = defaultdict(list)
    for clip in clips:
        by_speaker[clip.speaker].append(clip)
    speakers = sorted(by_speaker, key=str)
    strings = []
    for number in range(settings.utterances):
        speaker = speakers[number % len(speakers)]
        count = int(random.integers(*settings.words, endpoint=True))
        own = by_speaker[speaker]
        chosen = [own[i] for i in random.integers(len(own), size=count)]
        pauses = [round(seconds * sample_rate) for seconds in random.uniform(*settings.pause_seconds, size=count + 1)]
        strings.append(
            Joined(
                name=f"{name}[{number}] of {', '.join(clip.name for clip in chosen)}",
                transcript=" ".join(clip.transcript for clip in chosen),
                speaker=speaker,
                samples=sum(clip.samples for clip in chosen) + sum(pauses),
                load=functools.partial(_concatenate, chosen, pauses),
                spans=_spans([clip.samples for clip in chosen], pauses),
            )
        )
    return strings


def _concatenate(clips: list[Utterance], pauses: list[int]) -> np.ndarray:
    parts = [np.zeros(pauses[0], np.float32)]
    for clip, pause in zip(clips, pauses[1:], strict=True):
        parts += [clip.load(), np.zeros(pause, np.float32)]
    return np.concatenate(parts)


def _spans(lengths: list[int], pauses: list[int]) -> tuple[tuple[int, int], ...]:
    """Where clips of such lengths lie, with a pause before each and one after the last."""
    edges = list(itertools.accumulate(itertools.chain.from_iterable(zip(pauses, lengths, strict=False))))
    return tuple(zip(edges[::2], edges[1::2], strict=True))
