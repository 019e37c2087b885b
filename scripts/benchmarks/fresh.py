"""What bench.py wants of a process of its own, so that neither its start nor its memory is another's.

`python -m benchmarks.fresh EXPORTED RUNTIME AUDIO.npy [HOURS]` imports no more than a program that recognizes speech.
It prints the audio's transcript; or, with HOURS, what streaming took, as JSON.
"""

import itertools
import json
import statistics
import sys
import time

from benchmarks.memory import resident_megabytes

PACKET_SECONDS = 0.1
WARM_SECONDS = 60.0
"""Of a stream, before its memory is first looked at; of one that is shorter than twice that, half."""


def main(model: str, runtime: str, audio: str, hours: str = "") -> None:
    import numpy as np

    from pipeline.inference import Recognizer

    recognizer, samples = Recognizer(model, runtime=runtime), np.load(audio)
    print(json.dumps(_stream(recognizer, samples, float(hours)) if hours else recognizer.transcribe(samples).text))


def _stream(recognizer, audio, hours: float) -> dict:
    """Milliseconds of packets of audio that begins anew at its end, and megabytes early and at the end."""
    size = round(PACKET_SECONDS * recognizer.sample_rate)
    packets = max(2, round(3600 * hours / PACKET_SECONDS))
    warm = min(round(WARM_SECONDS / PACKET_SECONDS), packets // 2)
    times, early = [], 0.0
    begins = itertools.cycle(range(0, len(audio), size))
    for number, begin in enumerate(itertools.islice(begins, packets)):
        if number == warm:
            early = resident_megabytes()
        start = time.perf_counter()
        if recognizer.accept_waveform(audio[begin : begin + size]):
            recognizer.result()
        times.append(1000 * (time.perf_counter() - start))
    return {
        "median_ms": statistics.median(times),
        "min_ms": min(times),
        "max_ms": max(times),
        "early_mb": early,
        "end_mb": resident_megabytes(),
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
