"""Sequences of the memory task: a word, then some seconds after which it must still be known."""

import itertools
from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from pipeline.study.clips import Clip

KINDS = ("silence", "noise", "digits")
"""What comes after the word: zeros; white noise, from before the word on; or other words of the same speaker."""

SNR_DB = (10.0, 30.0)
"""Range of the word's level over the noise's."""

LEAD_SECONDS = (0.05, 0.3)
"""Range of what comes before the word."""

PAUSE_SECONDS = (0.05, 0.3)
"""Range of the pauses before each of the other words."""

Batch = tuple[dict[str, np.ndarray], dict[str, np.ndarray]]
"""{"audio": float32 [batch, samples], "lengths": int32 [batch]} and {"labels": int32 [batch]}"""


class Sequences:
    """Makes sequences up, of clips in memory.

    Args:
        clips: of one split.
        sample_rate: of the clips, in hertz.
    """

    def __init__(self, clips: list[Clip], sample_rate: int):
        self._rate = sample_rate
        by_speaker = defaultdict(lambda: defaultdict(list))
        for clip in clips:
            by_speaker[clip.speaker][clip.label].append(clip.audio)
        self._clips = [by_speaker[speaker] for speaker in sorted(by_speaker, key=str)]

    def sequence(self, random: np.random.Generator, delay: float, kind: str) -> tuple[np.ndarray, int]:
        """float32 [samples] and the label of its first word, whose end is `delay` seconds before the sequence's.

        Speakers are drawn with equal chances, then words, then clips. Of other words there are as many as fit whole,
        with pauses.
        """
        own = self._clips[random.integers(len(self._clips))]
        words = sorted(own)
        label = words[random.integers(len(words))]
        first = self._drawn(own[label], random)
        lead, after = round(random.uniform(*LEAD_SECONDS) * self._rate), round(delay * self._rate)
        audio = np.zeros(lead + len(first) + after, np.float32)
        audio[lead : lead + len(first)] = first
        if kind == "digits":
            self._fill(audio[lead + len(first) :], own, words, random)
        elif kind == "noise":
            level = np.sqrt(np.mean(first**2)) * 10 ** (-random.uniform(*SNR_DB) / 20)
            audio += (level * random.standard_normal(len(audio))).astype(np.float32)
        return audio, label

    def batch(self, random: np.random.Generator, size: int, delay: float, kind: str | None = None) -> Batch:
        """So many sequences with one delay, of one kind or of random ones."""
        kinds = [kind or KINDS[random.integers(len(KINDS))] for _ in range(size)]
        made = [self.sequence(random, delay, each) for each in kinds]
        lengths = np.array([len(audio) for audio, _ in made], np.int32)
        signal = np.zeros((size, lengths.max()), np.float32)
        for row, (audio, _) in zip(signal, made, strict=True):
            row[: len(audio)] = audio
        return {"audio": signal, "lengths": lengths}, {"labels": np.array([label for _, label in made], np.int32)}

    def batches(
        self, random: np.random.Generator, size: int, delays: tuple[float, float], growth: int = 0
    ) -> Iterator[Batch]:
        """Without an end, each with one delay, drawn evenly by its logarithm from that range.

        Over the first batches, as many as `growth` says, the longest delay rises from the shortest to its own: a word
        is learnt with little to remember.
        """
        shortest, longest = np.log(delays)
        for number in itertools.count():
            share = min(1.0, number / growth) if growth else 1.0
            delay = np.exp(random.uniform(shortest, shortest + share * (longest - shortest)))
            yield self.batch(random, size, float(delay))

    def _fill(self, gap: np.ndarray, own: dict, words: list[int], random: np.random.Generator) -> None:
        place = 0
        while True:
            clip = self._drawn(own[words[random.integers(len(words))]], random)
            place += round(random.uniform(*PAUSE_SECONDS) * self._rate)
            if place + len(clip) > len(gap):
                return
            gap[place : place + len(clip)] = clip
            place += len(clip)

    def _drawn(self, clips: list[np.ndarray], random: np.random.Generator) -> np.ndarray:
        return clips[random.integers(len(clips))]
