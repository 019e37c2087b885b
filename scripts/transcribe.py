"""Writes down what is said in audio files, or into a microphone, by an exported model."""

import contextlib
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import audio_files
import command
import decoders

TOGETHER = 8
"""Short files that are scored at once."""
LONG_SECONDS = 20.0
"""A longer file is heard in pieces: each utterance by itself, in memory that does not grow with the file."""
BLOCK_SECONDS = 0.1
"""Of a stream, heard at once."""


def main(arguments) -> None:
    from pipeline.errors import InputError

    if arguments.microphone == bool(arguments.audio):
        raise InputError("AUDIO or --microphone wanted, found " + ("both" if arguments.audio else "neither"))
    if arguments.json + arguments.srt + arguments.vtt > 1:
        raise InputError("--json, --srt, --vtt: one of them wanted")
    if arguments.nbest is not None and not arguments.json:
        raise InputError("--nbest: --json wanted too, which shows them")
    files = audio_files.find(arguments.audio, arguments.model)
    _check_subtitles(arguments, files)
    recognizer = decoders.make_recognizer(arguments, endpoints=_endpoints(arguments))
    if (arguments.stream or arguments.microphone) and recognizer.about.cannot_stream:
        option, reason = "--stream" if arguments.stream else "--microphone", recognizer.about.cannot_stream
        raise InputError(f"{option}: a model that can hear audio in pieces wanted, this one has {reason}")
    printer = Printer(arguments, several=len(files) > 1)
    if arguments.microphone:
        with contextlib.suppress(KeyboardInterrupt):
            _follow("microphone", _microphone(recognizer.sample_rate), recognizer, printer)
        return
    if arguments.stream:
        heard = _streams(files, recognizer, printer)
    else:
        heard = transcribe_files(files, recognizer, 0.0 if arguments.pause is not None else LONG_SECONDS)
    bad = []
    with command.progress_bar(len(files), "file") as bar:
        for file, found in heard:
            if isinstance(found, Exception):
                bad.append(str(found))
            elif found is not None:
                printer.print(file, *found)
            bar.update()
    audio_files.tell_bad(bad, len(files))


def _check_subtitles(arguments, files: list[str]) -> None:
    """Raises: InputError: there are to be none, or they have no place."""
    from pipeline.errors import InputError

    if not (arguments.srt or arguments.vtt):
        if arguments.out:
            raise InputError("--out: --srt or --vtt wanted too")
        return
    if len(files) > 1 and not arguments.out:
        raise InputError(f"--out FOLDER wanted, for the subtitles of {len(files)} files")
    by_name = {}
    for file in files:
        if by_name.setdefault(Path(file).stem, file) != file:
            raise InputError(f"--out: files of different names wanted, found {by_name[Path(file).stem]} and {file}")


def _endpoints(arguments):
    from pipeline.errors import InputError
    from pipeline.inference import Endpoints

    if arguments.pause is None:
        return Endpoints()
    try:
        return Endpoints(after_speech=arguments.pause)
    except InputError as error:
        raise InputError(f"--pause {arguments.pause}: seconds above 0 wanted") from error


def transcribe_files(files: list[str], recognizer, whole_seconds: float) -> Iterator[tuple]:
    """(file, (transcript, seconds)) of each in turn, or (file, error); longer ones than so long utterance by utterance.

    Raises:
        InputError: all are to be heard so, by a model that needs them whole.
    """
    from pipeline.audio import duration, stream_audio
    from pipeline.errors import UnreadableError

    waiting = []
    for file in files:
        try:
            long = duration(file) > whole_seconds
            in_pieces = long and not (whole_seconds and recognizer.about.cannot_stream)
            audio = None if in_pieces else audio_files.load(file, recognizer.about)
        except UnreadableError as error:
            audio = error
        if audio is not None:
            waiting.append((file, audio))
        if audio is None or len(waiting) == TOGETHER:
            yield from _together(waiting, recognizer)
            waiting = []
        if audio is None:
            stream, samples = recognizer.stream(), 0
            try:
                for block in stream_audio(file, recognizer.sample_rate):
                    stream.accept_waveform(block)
                    samples += len(block)
                yield file, (stream.final(), samples / recognizer.sample_rate)
            except UnreadableError as error:
                yield file, error
    yield from _together(waiting, recognizer)


def _together(loaded: list[tuple], recognizer) -> Iterator[tuple]:
    good = [audio for _, audio in loaded if not isinstance(audio, Exception)]
    transcripts = iter(recognizer.transcribe_all(good))
    for file, audio in loaded:
        if isinstance(audio, Exception):
            yield file, audio
        else:
            yield file, (next(transcripts), len(audio) / recognizer.about.lengths_per_second)


def _streams(files: list[str], recognizer, printer) -> Iterator[tuple]:
    """Each file as if it were spoken now, its utterances printed when they are over: (file, None) or (file, error)."""
    from pipeline.audio import stream_audio
    from pipeline.errors import UnreadableError

    for file in files:
        try:
            audio_files.check_kind(file, recognizer.about)
            _follow(file, stream_audio(file, recognizer.sample_rate, BLOCK_SECONDS), recognizer, printer)
            yield file, None
        except UnreadableError as error:
            yield file, error


def _follow(name: str, blocks: Iterator, recognizer, printer) -> None:
    """Prints the utterances of a stream when they are over; or, if they are to be printed together, at its end."""
    stream, samples = recognizer.stream(), 0
    try:
        for block in blocks:
            samples += len(block)
            if stream.accept_waveform(block) and not printer.prints_wholes:
                while transcript := stream.result():
                    if transcript.text or printer.prints_objects:
                        printer.print(name, transcript, samples / recognizer.sample_rate)
            elif printer.shows_partials:
                printer.show(stream.partial().text)
    finally:  # Ctrl-C ends a microphone
        last = stream.final()
        if last.text or printer.prints_wholes:
            printer.print(name, last, samples / recognizer.sample_rate)


def _microphone(sample_rate: int) -> Iterator:
    """Blocks of float32 [samples] as they are spoken, until Ctrl-C."""
    from pipeline.errors import InputError, PipelineError

    try:
        import sounddevice
    except (ImportError, OSError) as error:  # OSError: PortAudio itself is missing
        raise InputError(
            f"--microphone: sounddevice wanted ({error}); pip install -r requirements-microphone.txt"
        ) from error
    size = round(BLOCK_SECONDS * sample_rate)
    try:
        with sounddevice.InputStream(samplerate=sample_rate, channels=1, dtype="float32", blocksize=size) as stream:
            print("listening; Ctrl-C ends", file=sys.stderr)
            while True:
                yield stream.read(size)[0][:, 0]
    except sounddevice.PortAudioError as error:
        raise PipelineError(f"microphone: it cannot be listened to ({error})") from error


def _rounded(values):
    """Nested values, with as many places as mean something: milliseconds, and a confidence's thousandths."""
    if isinstance(values, dict):
        return {name: _rounded(value) for name, value in values.items()}
    if isinstance(values, (list, tuple)):
        return [_rounded(value) for value in values]
    return round(values, 3) if isinstance(values, float) else values


class Printer:
    """Prints transcripts as the options ask."""

    def __init__(self, arguments, several: bool):
        from pipeline.errors import InputError

        self._arguments, self._several = arguments, several
        self.prints_wholes = arguments.srt or arguments.vtt  # whose lines are numbered from the first to the last
        self.prints_objects = arguments.json  # also of an utterance that is answered with nothing
        self.shows_partials = sys.stderr.isatty() and not arguments.json
        if arguments.out:
            try:
                Path(arguments.out).mkdir(parents=True, exist_ok=True)
            except FileExistsError as error:
                raise InputError(f"--out {arguments.out}: a folder wanted, found a file") from error

    def print(self, name: str, transcript, seconds: float) -> None:
        from pipeline.decoding.subtitles import to_srt, to_vtt

        if self.shows_partials:
            self.show("")
        arguments = self._arguments
        if arguments.json:
            values = _rounded({"audio": name, "duration": seconds, **asdict(transcript)})
            self._say(json.dumps(values, ensure_ascii=False))
        elif arguments.srt or arguments.vtt:
            ending, subtitles = (".srt", to_srt(transcript)) if arguments.srt else (".vtt", to_vtt(transcript))
            if arguments.out:
                (Path(arguments.out) / (Path(name).stem + ending)).write_text(subtitles, encoding="utf-8")
            elif subtitles:
                self._say(subtitles.rstrip("\n"))
        else:
            self._say(f"{name}: {transcript.text}" if self._several else transcript.text)

    def show(self, partial: str) -> None:
        """What is heard so far, on the line under the others, on a terminal."""
        print(f"\r\033[K{partial}", end="", file=sys.stderr, flush=True)

    def _say(self, line: str) -> None:
        import tqdm

        with tqdm.tqdm.external_write_mode():  # above the bar
            print(line, flush=True)


arguments = command.parser(__doc__, "python scripts/transcribe.py --model exported/quickstart order.wav --json")
decoders.add_options(arguments)
arguments.add_argument("audio", metavar="AUDIO", nargs="*", help=audio_files.HELP)
arguments.add_argument("--stream", action="store_true", help="hear files as they would be spoken; a line an utterance")
arguments.add_argument(
    "--microphone", action="store_true", help="hear what is said now; wants requirements-microphone.txt"
)
arguments.add_argument(
    "--pause",
    metavar="SECONDS",
    type=float,
    help="of silence, ends an utterance in a stream or a file of over 20 s (default: 1, or 1.5 for a model of words); "
    "if given, in any file",
)
arguments.add_argument(
    "--json",
    action="store_true",
    help="one JSON object a file, with words and their times; in a stream one an utterance, its times and the duration "
    "since the stream's start",
)
arguments.add_argument("--srt", action="store_true", help="SubRip subtitles")
arguments.add_argument("--vtt", action="store_true", help="WebVTT subtitles")
arguments.add_argument("--out", metavar="FOLDER", help="subtitles go there, a file for each of AUDIO")

if __name__ == "__main__":
    command.run(main, arguments)
