"""What bench.py wants of a process of its own: `fresh.py first|stream EXPORTED RUNTIME AUDIO.npy [HOURS]`.

It imports no more than a program that recognizes speech, so that neither its start nor its memory is another's.
"""

import itertools
import json
import os
import statistics
import sys
import time
from pathlib import Path

PACKET_SECONDS = 0.1


def main(what: str, model: str, runtime: str, audio: str, hours: str = "0") -> None:
    import numpy as np

    from pipeline.inference import Recognizer

    recognizer, samples = Recognizer(model, runtime=runtime), np.load(audio)
    found = _stream(recognizer, samples, float(hours)) if what == "stream" else recognizer.transcribe(samples).text
    print(json.dumps(found))


def _stream(recognizer, audio, hours: float) -> dict:
    """Milliseconds of packets, and megabytes after a minute (of less than two, after half) and at the end."""
    size = round(PACKET_SECONDS * recognizer.sample_rate)
    count = max(2, round(3600 * hours / PACKET_SECONDS))
    warm = min(round(60 / PACKET_SECONDS), count // 2)
    starts = itertools.cycle(range(0, max(1, len(audio) - size), size))
    times, before = [], 0.0
    for number, begin in enumerate(itertools.islice(starts, count)):
        if number == warm:
            before = _megabytes()
        start = time.perf_counter()
        if recognizer.accept_waveform(audio[begin : begin + size]):
            recognizer.result()
        times.append(1000 * (time.perf_counter() - start))
    after = _megabytes()
    times.sort()
    return {
        "packets": count,
        "median_ms": statistics.median(times),
        "min_ms": times[0],
        "p99_ms": times[-1 - count // 100],
        "warm_mb": before,
        "end_mb": after,
    }


def _megabytes() -> float:
    """Resident now; where the system does not tell, the most so far."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 1e6 if sys.platform == "darwin" else most / 1e3


if __name__ == "__main__":
    main(*sys.argv[1:])
