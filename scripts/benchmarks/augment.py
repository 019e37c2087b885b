"""Waveform augmentation, setting by setting."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks import sounds
from benchmarks.timing import Row, at_least, measure, rows

EXAMPLE = "python scripts/bench.py augment --threads 2"
COMMON = "speed, rooms, noise"
LEAST = {"times_real_time": 800}
RATE = 16000


def add_options(work) -> None:
    """Of this work."""
    work.add_argument("--utterances", type=at_least(1), default=40, help="of 8 s (default: %(default)s)")
    work.add_argument("--threads", type=at_least(1), default=2, help="that share them (default: %(default)s)")
    work.add_argument("--repeats", type=at_least(1), default=9, help="timed runs of each (default: %(default)s)")


def measured(arguments) -> Iterator[Row]:
    """Milliseconds an utterance of 8 s at 16 kHz, where every utterance is changed; ratios are to the first row."""
    import librosa

    audio = np.resize(np.concatenate(sounds.utterances(RATE)), (arguments.utterances, 8 * RATE))
    with ThreadPoolExecutor(arguments.threads) as pool:

        def run(change):
            def one(number):
                return change(audio[number], np.random.default_rng(number))

            one(0)  # what is made at the first use
            return lambda: list(pool.map(one, range(len(audio))))

        runs = {name: run(change) for name, change in _augmentations().items()}
        runs["librosa's time_stretch"] = run(lambda one, _: librosa.effects.time_stretch(one, rate=1.1))
        times = measure(runs, arguments.repeats)
    size = {"utterances": arguments.utterances, "seconds": 8, "threads": arguments.threads}
    for row in rows(size, times, items=len(audio)):
        least = LEAST if row.implementation == COMMON else {}
        yield replace(row, more={**row.more, "times_real_time": 8000 / row.median_ms}, least=least)


def _augmentations() -> dict:
    from pipeline import config
    from pipeline.augment import WaveformAugmentation

    alone = {
        "speed": (0.9, 1.1),
        "tempo": (0.9, 1.1),
        "silence_seconds": (0.0, 0.5),
        "rooms": config.Rooms(share=1.0),
        "noise": config.Noise(made=["white", "pink"]),
        "band": config.Band(share=1.0),
        "telephone": config.Telephone(share=1.0),
        "clipping": config.Clipping(share=1.0),
        "gain_db": (-10.0, 5.0),
    }
    named = {COMMON: {name: alone[name] for name in ("speed", "rooms", "noise")}, "all": alone}
    named |= {name: {name: setting} for name, setting in alone.items()}
    return {
        name: WaveformAugmentation(config.Augment(**settings), RATE, Path(), seed=0) for name, settings in named.items()
    }
