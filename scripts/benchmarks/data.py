"""The way from audio to batches: seconds of audio a second, and the start with a manifest of many lines."""

import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks import sounds
from benchmarks.processes import module_path, python
from benchmarks.timing import Row, at_least, measure, rows

EXAMPLE = "python scripts/bench.py data --lines 1000000"
RATE = 16000
AUGMENT = {"speed": [0.9, 1.1], "rooms": {"share": 1.0}, "noise": {"made": ["white", "pink"]}}
LEAST = {"ready": {"times_real_time": 3000}, "ready, augmented": {"times_real_time": 800}}
START = {"seconds": 20, "most_mb": 1500}


def add_options(work) -> None:
    """Of this work."""
    work.add_argument("--utterances", type=at_least(8), default=400, help="of 2 to 9 s (default: %(default)s)")
    work.add_argument("--batch", type=at_least(1), default=16, help="utterances (default: %(default)s)")
    work.add_argument("--lines", type=at_least(0), default=0, help="of a manifest to start with (default: none)")
    work.add_argument("--repeats", type=at_least(1), default=5, help="timed runs of each (default: %(default)s)")


def measured(arguments) -> Iterator[Row]:
    """An epoch of batches: from a prepared set, the same with speed, rooms and noise on all of it, from FLAC files, and
    from memory; then what passes until the first batch of a training with a long manifest, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        yield from _epochs(Path(folder), arguments)
        if arguments.lines:
            yield _start(Path(folder), arguments.lines)


def _epochs(folder: Path, arguments) -> Iterator[Row]:
    from pipeline.data.manifest import read_manifest
    from pipeline.data.prepared import prepare
    from pipeline.data.splits import load_splits

    manifest = write_manifest(folder, arguments.utterances)
    prepare({"train": read_manifest(manifest, RATE)}, folder / "ready", RATE, 0.0)
    ready, files = {"kind": "tfds", "path": "ready"}, {"kind": "manifest", "path": manifest.name}
    ways = {
        "ready": (ready, "none", {}),
        "ready, augmented": (ready, "none", AUGMENT),
        "FLAC files": (files, "none", {}),
        "memory": (files, "memory", {}),
    }
    runs, padding = {}, {}
    for name, (source, cache, augment) in ways.items():
        batches = load_splits(settings(folder, source, arguments.batch, cache, augment)).train
        seconds, padding[name] = _deliver(batches)  # rooms are built, and memory is filled
        runs[name] = lambda batches=batches: _deliver(batches)
    for row in rows({"utterances": arguments.utterances, "batch": arguments.batch}, measure(runs, arguments.repeats)):
        more = {"times_real_time": 1000 * seconds / row.median_ms, "padding": padding[row.implementation]}
        yield replace(row, more={**row.more, **more}, least=LEAST.get(row.implementation, {}))


def _deliver(batches) -> tuple[float, float]:
    """Seconds of audio that an epoch delivers, before augmentation, and the share of its batches that is padding."""
    samples, room = 0, 0
    for _, (inputs, _) in batches.of_epoch(0):
        samples += int(inputs["lengths"].sum())
        room += inputs["audio"].size
    return samples / RATE, 1 - samples / room


def write_manifest(folder: Path, utterances: int, files: int = 40) -> Path:
    """So many lines over the same few files of made-up sounds."""
    import soundfile

    names = []
    for number, audio in enumerate(sounds.utterances(RATE, min(files, utterances))):
        names.append((folder / f"{number}.flac", len(audio) / RATE))
        soundfile.write(names[-1][0], audio, RATE)
    manifest = folder / "manifest.jsonl"
    with manifest.open("w", encoding="utf-8") as lines:
        for number in range(utterances):
            file, seconds = names[number % len(names)]
            line = {"audio_filepath": file.name, "text": "may i have a large latte with oat milk and some sugar"}
            lines.write(json.dumps({**line, "duration": seconds, "speaker": f"s{number % 5000}"}) + "\n")
    return manifest


def settings(folder: Path, source: dict, batch: int, cache: str, augment: dict):
    """Of a training on one source, which validates on the same."""
    from pipeline.config import Config

    data = {"folder": str(folder), "train": [source], "valid": [source], "allow_shared_speakers": True}
    data |= {"batch_size": batch, "cache": cache}
    return Config.model_validate({"name": "bench", "augment": augment, "data": data})


def _start(folder: Path, lines: int) -> Row:
    write_manifest(folder, lines)
    os.environ["PYTHONPATH"] = module_path()
    found = json.loads(python("-m", "benchmarks.start", folder).splitlines()[-1])
    return Row({"lines": lines}, "start", 1000 * found["seconds"], 1.0, found, target=START)
