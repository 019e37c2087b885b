"""Speed and memory of an exported model on one core, beside pocketsphinx."""

import argparse
import copy
import functools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import command

from benchmarks import fresh
from benchmarks.timing import Row, at_least, measure, rows

EXAMPLE = "python scripts/bench.py inference --model exported/commands_lstm barista/audio/0*.opus"
TASKS = ("transcribe", "clip", "packet", "start", "memory")
TOGETHER = 8
BEAM = 16
KEYWORDS = 20
PACKET_SECONDS = 0.02
STREAM_SECONDS = 60.0
"""Of audio, at most, that packets are cut from."""
PEER_RATE = 16000


def add_options(work: argparse.ArgumentParser) -> None:
    """Of this work."""
    work.add_argument("audio", metavar="AUDIO", nargs="*", help="files, folders, patterns; without, sounds are made up")
    work.add_argument("--model", metavar="EXPORTED", required=True, help="an exported model's folder")
    work.add_argument("--task", choices=TASKS, action="append", help="only this; may be repeated (default: all)")
    work.add_argument("--repeats", type=at_least(1), default=7, help="timed runs of each (default: %(default)s)")
    work.add_argument(
        "--hours", type=at_least(0.0, float), default=0.05, help="of the stream for memory (default: %(default)s)"
    )


@dataclass(frozen=True)
class Subject:
    """What is measured: an export by each runtime that it has, the TensorFlow one first, and audio at its rate."""

    folder: Path
    recognizers: dict
    utterances: list
    repeats: int
    hours: float

    @property
    def rate(self) -> int:
        """Of the audio, in hertz."""
        return self.recognizers["pipeline"].sample_rate


def measured(arguments) -> Iterable[Row]:
    """Whole utterances, clips of 1 s, packets of a stream, starts from nothing, and memory, on one core."""
    use_one_core()
    command.load_tensorflow()
    from pipeline.errors import InputError
    from pipeline.inference import Recognizer

    folder = Path(arguments.model).resolve()
    recognizers = {"pipeline": Recognizer(folder)}
    try:
        recognizers["pipeline, LiteRT"] = Recognizer(folder, runtime="litert")
    except InputError as error:
        _left_out("LiteRT", str(error))
    utterances = _load(arguments.audio, recognizers["pipeline"].sample_rate)
    subject = Subject(folder, recognizers, utterances, arguments.repeats, arguments.hours)
    tasks = {"transcribe": transcribe, "clip": clip, "packet": packet, "start": start, "memory": memory}
    cannot_stream = recognizers["pipeline"].about.cannot_stream
    for name in arguments.task or TASKS:
        if name in ("packet", "memory") and cannot_stream:
            _left_out(name, f"{cannot_stream} wants whole utterances")
        else:
            yield from tasks[name](subject)


def use_one_core() -> None:
    """Of this process, its threads and those that it starts; before numpy and TensorFlow make theirs."""
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def transcribe(subject: Subject) -> Iterable[Row]:
    """Whole utterances; milliseconds are of one."""
    runs = _whole(subject.recognizers, subject.utterances)
    greedy, utterances = subject.recognizers["pipeline"], subject.utterances
    groups = [utterances[begin : begin + TOGETHER] for begin in range(0, len(utterances), TOGETHER)]
    runs[f"pipeline, batch {TOGETHER}"] = lambda: [greedy.transcribe_all(group) for group in groups]
    beam = copy.copy(greedy)
    beam.decoder = _beam(greedy.about)
    runs[f"pipeline, beam {BEAM}"] = lambda: [beam.transcribe(audio) for audio in utterances]
    peer = _peer(utterances, subject.rate)
    if peer:
        runs["pocketsphinx"] = peer
    target = {name: {"real_time_factor": 0.01} for name in ("pipeline", f"pipeline, batch {TOGETHER}")}
    return _timed("transcribe", subject, runs, utterances, target)


def clip(subject: Subject) -> Iterable[Row]:
    """The middle second of each utterance; milliseconds are of one."""
    second, clips = subject.rate, []
    for audio in subject.utterances:
        begin = max(0, (len(audio) - second) // 2)
        clips.append(audio[begin : begin + second])
    return _timed("clip", subject, _whole(subject.recognizers, clips), clips, {"pipeline, LiteRT": {"median_ms": 8}})


def packet(subject: Subject) -> Iterable[Row]:
    """A packet of a stream. A row `calm` tells of each packet's quickest time: other programs' share is not in it."""
    import numpy as np

    audio = np.concatenate(subject.utterances)[: round(STREAM_SECONDS * subject.rate)]
    step = round(PACKET_SECONDS * subject.rate)
    packets = [audio[begin : begin + step] for begin in range(0, len(audio), step)]
    times = {name: [] for name in subject.recognizers}
    for repeat in range(1 + subject.repeats):
        for name, recognizer in subject.recognizers.items():
            found = [_milliseconds(functools.partial(recognizer.accept_waveform, part)) for part in packets]
            recognizer.final()
            if repeat:  # the first one warms up
                times[name].append(found)
    flat = {name: np.ravel(found).tolist() for name, found in times.items()}
    flat |= {f"{name}, calm": np.min(found, axis=0).tolist() for name, found in times.items()}
    target = {"pipeline": {"median_ms": 1.5, "p99_ms": 4}}
    return rows({"task": "packet", "ms": round(1000 * PACKET_SECONDS), "packets": len(packets)}, flat, target=target)


def start(subject: Subject) -> Iterable[Row]:
    """A new process until its first result, or its end."""
    import numpy as np
    import soundfile

    audio = subject.utterances[0]
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/one.npy", audio)
        soundfile.write(f"{folder}/one.wav", audio, subject.rate)
        runs = {}
        for name, runtime in _runtimes(subject).items():
            first = ["benchmarks/fresh.py", "first", str(subject.folder), runtime, f"{folder}/one.npy"]
            whole = ["transcribe.py", "--model", str(subject.folder), "--runtime", runtime, f"{folder}/one.wav"]
            runs[name] = functools.partial(_script, first)
            runs[name.replace("pipeline", "transcribe.py")] = functools.partial(_script, whole)
        times = measure(runs, subject.repeats)
    target = {"pipeline, LiteRT": {"median_ms": 600}, "transcribe.py": {"median_ms": 5000}}
    return rows({"task": "start", "seconds": round(len(audio) / subject.rate, 1)}, times, target=target)


def memory(subject: Subject) -> Iterable[Row]:
    """Of a process that hears a stream as fast as it can: resident megabytes after a minute of it and at its end."""
    import numpy as np

    first = None
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/all.npy", np.concatenate(subject.utterances))
        for name, runtime in _runtimes(subject).items():
            options = [str(subject.folder), runtime, f"{folder}/all.npy", str(subject.hours)]
            found = json.loads(_script(["benchmarks/fresh.py", "stream", *options]))
            median, packets = found.pop("median_ms"), found.pop("packets")
            first = first or median
            hours = round(packets * fresh.PACKET_SECONDS / 3600, 4)
            size = {"task": "memory", "ms": round(1000 * fresh.PACKET_SECONDS), "hours": hours}
            yield Row(size, name, median, median / first, found)


def _timed(task: str, subject: Subject, runs: dict[str, Callable], utterances: list, target: dict) -> Iterable[Row]:
    """Rows of runs over all the utterances, each of which ran once before."""
    for run in runs.values():
        run()
    times = measure(runs, subject.repeats)
    seconds, count = sum(map(len, utterances)) / subject.rate, len(utterances)
    real_time = {name: statistics.median(found) / 1000 / seconds for name, found in times.items()}
    size = {"task": task, "utterances": count, "seconds": round(seconds, 1)}
    target = target | {f"pipeline, {KEYWORDS} keywords": {"ratio": 1.2}}
    return rows(size, times, count, real_time_factor=real_time, target=target)


def _whole(recognizers: dict, utterances: list) -> dict[str, Callable]:
    """Transcription by each recognizer, and keywords."""
    runs = {
        name: lambda recognizer=recognizer: [recognizer.transcribe(audio) for audio in utterances]
        for name, recognizer in recognizers.items()
    }
    recognizer = recognizers["pipeline"]
    keywords = _keywords(recognizer.about.units)
    runs[f"pipeline, {KEYWORDS} keywords"] = lambda: [recognizer.spot(audio, keywords) for audio in utterances]
    return runs


def _keywords(units) -> list[str]:
    """Of 3 to 8 characters, or of one or two words."""
    import numpy as np

    from pipeline.text import OTHER

    random = np.random.default_rng(0)
    symbols = [symbol for symbol in units.symbols if symbol not in (" ", OTHER)]
    joint, lengths = ("", range(3, 9)) if units.kind == "characters" else (" ", range(1, 3))
    return [joint.join(random.choice(symbols, lengths[number % len(lengths)])) for number in range(KEYWORDS)]


def _beam(about) -> Callable:
    from pipeline.decoding.beam import BeamDecoder

    return BeamDecoder(about.units, about.frame_seconds, BEAM).decode


def _peer(utterances: list, rate: int) -> Callable | None:
    """Transcription by pocketsphinx with the English model and language model that its package brings."""
    try:
        from pocketsphinx import Decoder
    except ImportError as error:
        _left_out("pocketsphinx", f"{error}; pip install -r requirements-bench.txt")
        return None
    import numpy as np

    from pipeline.audio import to_mono

    resampled = [to_mono(audio, rate, PEER_RATE) for audio in utterances]
    spoken = [(32767 * np.clip(audio, -1, 1)).astype("<i2").tobytes() for audio in resampled]
    decoder = Decoder(samprate=PEER_RATE, loglevel="FATAL")

    def run() -> None:
        for audio in spoken:
            decoder.start_utt()
            decoder.process_raw(audio, full_utt=True)
            decoder.end_utt()
            decoder.hyp()

    return run


def _load(names: list[str], rate: int) -> list:
    """float32 [samples] each."""
    if not names:
        return [_made_up(seed, rate) for seed in range(TOGETHER)]
    from transcribe import find_files

    from pipeline.audio import load_audio

    return [load_audio(file, rate) for file in find_files(names)]


def _made_up(seed: int, rate: int):
    """Some seconds of a hum that comes and goes as syllables do, in noise."""
    import numpy as np

    random = np.random.default_rng(seed)
    moments = np.arange(round(random.uniform(2, 6) * rate)) / rate
    hum = sum(np.sin(2 * np.pi * 120 * harmonic * moments) / harmonic for harmonic in range(1, 20))
    audio = 0.1 * hum * np.maximum(0, np.sin(2 * np.pi * 4 * moments)) + 0.01 * random.normal(size=len(moments))
    return audio.astype(np.float32)


def _runtimes(subject: Subject) -> dict[str, str]:
    return {name: "litert" if "LiteRT" in name else "tensorflow" for name in subject.recognizers}


def _script(arguments: list[str]) -> str:
    """What it prints; of scripts/, on the core that this process has."""
    from pipeline.errors import PipelineError

    options = [sys.executable, str(command.ROOT / "scripts" / arguments[0]), *arguments[1:]]
    environment = os.environ | {"PYTHONPATH": str(command.ROOT)}
    done = subprocess.run(options, env=environment, capture_output=True, text=True)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise PipelineError(f"{arguments[0]}: it failed ({last[0]})")
    return done.stdout


def _milliseconds(run: Callable) -> float:
    begin = time.perf_counter()
    run()
    return 1000 * (time.perf_counter() - begin)


def _left_out(name: str, why: str) -> None:
    print(f"left out: {name} ({why})", file=sys.stderr)
