"""An exported model's speed and memory on one core, beside pocketsphinx."""

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import audio_files
import command
import numpy as np

from benchmarks.processes import one_core, python, say, say_load
from benchmarks.timing import Row, Stopwatch, Times, at_least, measure, rows

EXAMPLE = "python scripts/bench.py inference --model exported/commands-spelled-lstm recordings/ --json"
PACKET_SECONDS = 0.02
TOGETHER = 8
BEAM = 16
KEYWORDS = 20
TARGETS = {
    "transcribe": {"real_time_factor": 0.01},
    "packet": {"median_ms": 1.5, "p99_ms": 4},
    "spot": {"ratio": 1.2},
    "clip": {"median_ms": 8},
    "start": {"median_ms": 600},
    "command line": {"median_ms": 5000},
    "memory": {"growth_mb": 10},
}
"""On one core, for two layers of 256 LSTM units."""
APART = 0.1
"""How far LiteRT's posteriors of 8 bits may be from the SavedModel's, of 1, in the mean of all frames."""
TASKS = ("transcribe", "spot", "clip", "packet", "start", "memory")
"""Methods of `_Bench`."""
Ways = dict[str, Callable[[], object]]


def add_options(work: argparse.ArgumentParser) -> None:
    """Of this work."""
    work.add_argument("--model", metavar="EXPORTED", required=True, help="an exported model's folder")
    work.add_argument(
        "audio",
        metavar="AUDIO",
        nargs="*",
        help="audio files, folders, patterns; of long ones and many the first are enough (default: made-up sounds)",
    )
    work.add_argument("--task", choices=TASKS, action="append", help="only this; may be repeated (default: all)")
    work.add_argument("--hours", type=at_least(0, float), default=0.05, help="to stream (default: %(default)s)")
    work.add_argument("--repeats", type=at_least(1), default=5, help="timed runs of each (default: %(default)s)")


def measured(arguments) -> Iterator[Row]:
    """Transcription, packets of a stream, keywords, starts and memory, all in processes that may use one core.

    Ratios are to the first row of each table. Targets are meant for two layers of 256 LSTM units.
    """
    with one_core(), tempfile.TemporaryDirectory() as folder:
        command.load_tensorflow()
        bench = _Bench(arguments, Path(folder))
        say_load()
        for task in arguments.task or TASKS:
            yield from getattr(bench, task)()
        say_load()


class _Bench:
    """The recognizers and their audio.

    Args:
        arguments: of the command line.
        folder: an empty one, for what other processes are to hear.

    Raises:
        InputError: the model or the audio cannot be used.
        PipelineError: LiteRT hears something else.
    """

    def __init__(self, arguments, folder: Path):
        from pipeline.errors import InputError
        from pipeline.inference import Recognizer

        self._model, self._hours, self._repeats = arguments.model, arguments.hours, arguments.repeats
        self._recognizer = Recognizer(arguments.model)
        self._runtimes = {"pipeline": "tensorflow"}
        self._recognizers = {"pipeline": self._recognizer}
        try:
            self._recognizers["pipeline, LiteRT"] = Recognizer(arguments.model, runtime="litert")
            self._runtimes["pipeline, LiteRT"] = "litert"
        except InputError as error:
            say(f"left out: LiteRT ({error})")
        self._rate = self._recognizer.sample_rate
        self._audio = _load(arguments.audio, self._rate)
        _check_alike(self._recognizers, self._audio)
        self._folder = folder
        self._seconds = sum(map(len, self._audio)) / self._rate

    def transcribe(self) -> Iterator[Row]:
        """Whole utterances; times are of one."""
        each = {name: self._transcriber(recognizer) for name, recognizer in self._recognizers.items()}
        ways = {
            "pipeline": each.pop("pipeline"),
            f"pipeline, batch {TOGETHER}": self._together,
            f"pipeline, beam {BEAM}": self._by_beam(),
            **each,
            **_pocketsphinx(self._audio, self._rate),
        }
        for row in rows(self._size("transcribe"), self._times(ways), len(self._audio)):
            factor = row.median_ms * len(self._audio) / 1000 / self._seconds
            ours = row.implementation != "pocketsphinx"
            yield replace(row, more={**row.more, "real_time_factor": factor}, target=_target("transcribe", ours))

    def spot(self) -> Iterator[Row]:
        """Keywords in whole utterances, beside transcription of the same."""
        from benchmarks.sounds import keywords

        words = keywords(self._recognizer.about.units, KEYWORDS)
        ways = {
            "pipeline": self._transcriber(self._recognizer),
            "pipeline, spot": lambda: [self._recognizer.spot(audio, words) for audio in self._audio],
        }
        size = {**self._size("spot"), "keywords": KEYWORDS}
        for row in rows(size, self._times(ways), len(self._audio)):
            yield replace(row, target=_target("spot", row.implementation != "pipeline"))

    def clip(self) -> Iterator[Row]:
        """One second."""
        clip = np.resize(max(self._audio, key=len), self._rate)
        ways = {name: lambda of=of: of.transcribe(clip) for name, of in self._recognizers.items()}
        for row in rows({"task": "clip", "seconds": 1.0}, self._times(ways, 10)):
            yield replace(row, target=_target("clip", row.implementation != "pipeline"))

    def packet(self) -> Iterator[Row]:
        """All audio as one stream."""
        if self._recognizer.about.cannot_stream:
            say(f"left out: streams (this model has {self._recognizer.about.cannot_stream})")
            return
        for recognizer in self._recognizers.values():
            _packet_times(recognizer, self._audio)  # the first ones only make it ready
        times = {name: [] for name in self._recognizers}
        for _ in range(self._repeats):
            for name, recognizer in self._recognizers.items():
                times[name] += _packet_times(recognizer, self._audio)
        for row in rows({"task": "packet", "seconds": PACKET_SECONDS}, times):
            wall, cpu = np.percentile(times[row.implementation], 99, axis=0)
            late = {"p99_ms": float(wall), "p99_cpu_ms": float(cpu)}
            yield replace(row, more={**row.more, **late}, target=_target("packet"))

    def start(self) -> Iterator[Row]:
        """Whole processes: the interpreter's start, imports, the model's load, and a first result of one second."""
        import soundfile

        clip = np.resize(max(self._audio, key=len), self._rate)
        np.save(self._folder / "clip.npy", clip)
        soundfile.write(self._folder / "clip.wav", clip, self._rate)
        fresh = {name: ["-m", "benchmarks.fresh", self._model, of] for name, of in self._runtimes.items()}
        ways = {name: lambda line=line: python(*line, self._folder / "clip.npy") for name, line in fresh.items()}
        transcribe = [command.ROOT / "scripts" / "transcribe.py", "--model", self._model, self._folder / "clip.wav"]
        ways |= {"transcribe.py": lambda: python(*transcribe)}
        if "pipeline, LiteRT" in self._runtimes:
            ways |= {"transcribe.py, LiteRT": lambda: python(*transcribe, "--runtime", "litert")}
        targets = {"pipeline, LiteRT": "start", "transcribe.py": "command line"}
        for row in rows({"task": "start", "seconds": 1.0}, self._times(ways)):
            yield replace(row, target=_target(targets.get(row.implementation)))

    def memory(self) -> Iterator[Row]:
        """Streams, each in a process of its own."""
        if self._recognizer.about.cannot_stream:
            return
        np.save(self._folder / "all.npy", np.concatenate(self._audio))
        ours = None
        for name, runtime in self._runtimes.items():
            line = ["-m", "benchmarks.fresh", self._model, runtime, self._folder / "all.npy", str(self._hours)]
            found = json.loads(python(*line))
            median = found.pop("median_ms")
            ours = ours or median
            found["growth_mb"] = max(0.0, found["end_mb"] - found["early_mb"])
            size = {"task": "memory", "hours": self._hours, "seconds": 0.1}
            yield Row(size, name, median, median / ours, found, _target("memory"))

    def _size(self, task: str) -> dict:
        return {"task": task, "utterances": len(self._audio), "seconds": round(self._seconds, 1)}

    def _times(self, ways: Ways, more: int = 1) -> Times:
        for way in ways.values():
            way()  # the first one only makes it ready
        return measure(ways, more * self._repeats)

    def _transcriber(self, recognizer) -> Callable[[], object]:
        return lambda: [recognizer.transcribe(audio) for audio in self._audio]

    def _together(self) -> None:
        for begin in range(0, len(self._audio), TOGETHER):
            self._recognizer.transcribe_all(self._audio[begin : begin + TOGETHER])

    def _by_beam(self) -> Callable[[], object]:
        from pipeline.decoding.beam import BeamDecoder

        recognizer, about = self._recognizer, self._recognizer.about
        greedy, beam = recognizer.decoder, BeamDecoder(about.units, about.frame_seconds, BEAM).decode

        def transcribe() -> None:
            recognizer.decoder = beam
            try:
                self._transcriber(recognizer)()
            finally:
                recognizer.decoder = greedy

        return transcribe


def _check_alike(recognizers: dict, utterances: list[np.ndarray]) -> None:
    """Raises: PipelineError: the second one's posteriors are more than APART from the first one's."""
    from pipeline.errors import PipelineError

    if len(recognizers) < 2:
        return
    (first, reference), (name, other) = recognizers.items()
    pairs = [(np.exp(reference.log_probs(audio)), np.exp(other.log_probs(audio))) for audio in utterances]
    apart = np.mean(np.concatenate([np.abs(one - two).sum(-1) / 2 for one, two in pairs]))
    say(f"posteriors of {name} are {apart:.3f} from those of {first}, of 1")
    if not apart <= APART:
        raise PipelineError(f"{name}: posteriors are {apart:.3f} from those of {first}, so times would not compare")


def _load(names: list[str], rate: int) -> list[np.ndarray]:
    from benchmarks import sounds
    from pipeline.audio import load_audio
    from pipeline.errors import InputError

    if not names:
        say("audio: made-up sounds without words; a recognizer may take longer for speech")
        return sounds.utterances(rate)
    found = [(file, load_audio(file, rate)) for file in audio_files.find(names)]
    for file, audio in found:
        if len(audio) < PACKET_SECONDS * rate:
            raise InputError(f"{file}: {PACKET_SECONDS} s or more wanted, found {len(audio) / rate:.3f} s")
    return [audio for _, audio in found]


def _packet_times(recognizer, utterances: list[np.ndarray]) -> list[tuple[float, float]]:
    """Of each packet."""
    stream, size, times = recognizer.stream(), round(PACKET_SECONDS * recognizer.sample_rate), []
    audio = np.concatenate(utterances)
    for begin in range(0, len(audio), size):
        watch = Stopwatch()
        if stream.accept_waveform(audio[begin : begin + size]):
            stream.result()
        times.append(watch.read())
    return times


def _pocketsphinx(utterances: list[np.ndarray], rate: int) -> Ways:
    """With its own English model, which wants 16 kHz; nothing where it is not installed."""
    try:
        import pocketsphinx
    except ImportError:
        say("left out: pocketsphinx (not installed: pip install -r requirements-bench.txt)")
        return {}
    import soxr

    decoder = pocketsphinx.Decoder(samprate=16000, loglevel="FATAL")
    at_16_khz = [np.clip(soxr.resample(audio, rate, 16000), -1, 1) for audio in utterances]
    blocks = [(32767 * audio).astype("<i2").tobytes() for audio in at_16_khz]

    def transcribe() -> None:
        for block in blocks:
            decoder.start_utt()
            decoder.process_raw(block, full_utt=True)
            decoder.end_utt()
            decoder.hyp()

    return {"pocketsphinx": transcribe}


def _target(task: str | None, ours: bool = True) -> dict[str, float]:
    return TARGETS.get(task, {}) if ours else {}
