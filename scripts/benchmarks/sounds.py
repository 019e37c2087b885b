"""Audio and keywords to measure with, where there are none."""

import itertools

import numpy as np

from pipeline.text import OTHER, Units


def utterances(sample_rate: int, count: int = 8) -> list[np.ndarray]:
    """Sounds of 2 to 9 s that have speech's pitch, syllables and pauses, but no words; always the same."""
    random = np.random.default_rng(0)
    return [_voice(seconds, sample_rate, random) for seconds in np.linspace(2, 9, count)]


def keywords(units: Units, count: int) -> list[str]:
    """So many of the model's own: its words, over and over if they are few; or strings of 5 to 13 of its characters."""
    symbols = [symbol for symbol in units.symbols if symbol not in (OTHER, " ")]
    if units.kind == "words":
        return list(itertools.islice(itertools.cycle(symbols), count))
    random = np.random.default_rng(0)
    return ["".join(random.choice(symbols, random.integers(5, 14))) for _ in range(count)]


def _voice(seconds: float, sample_rate: int, random: np.random.Generator) -> np.ndarray:
    time = np.arange(round(seconds * sample_rate)) / sample_rate
    pitch = 120 + 20 * np.sin(2 * np.pi * 0.7 * time + random.uniform(0, 6))  # hertz
    phase = 2 * np.pi * np.cumsum(pitch) / sample_rate
    voiced = sum(np.sin(number * phase) / number for number in range(1, 25))
    syllables = np.clip(np.sin(2 * np.pi * 2 * time + random.uniform(0, 6)), 0, 1)  # four a second, with pauses
    noise = random.normal(size=len(time))
    return (0.1 * syllables * (voiced + 0.3 * noise) + 0.001 * noise).astype(np.float32)
