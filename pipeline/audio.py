"""Audio files and bytes -> float32 mono at the wanted rate."""

import contextlib
import io
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
import soxr

from pipeline.errors import UnreadableError
from pipeline.samples import flaw


class AudioError(UnreadableError):
    """Audio that cannot be read, or holds nothing usable."""


class _Forward(soundfile.SoundFile):
    """A file that is read from its start to its end in pieces.

    soundfile seeks to where it is after every read, and there libsndfile's MP3 decoder begins anew, without what its
    next frames need of those before: a click at every piece.
    """

    def seekable(self) -> bool:
        return False


def load_audio(
    source: str | Path | bytes, sample_rate: int, offset: float = 0.0, seconds: float | None = None
) -> np.ndarray:
    """Audio of any format, rate and channel count that soundfile reads.

    Args:
        source: a file's path, or a whole file's bytes.
        sample_rate: the wanted rate, in hertz.
        offset, seconds: of the piece to read; default: everything.

    Returns:
        float32 [samples], mono (the mean of the channels), full scale -1..1.

    Raises:
        AudioError: missing, empty, truncated or not audio; no samples; samples that are not finite; or it ends before
            the piece does.
    """
    name = "audio" if isinstance(source, bytes) else str(source)
    with _opened(source, name) as file:
        rate = file.samplerate
        if offset or seconds is not None:
            samples = _read_piece(file, offset, seconds, name)
        else:
            samples = file.read(dtype="float32", always_2d=True)
            _check_count(file, len(samples), name)
    return to_mono(samples, rate, sample_rate, name)


def _read_piece(file: soundfile.SoundFile, offset: float, seconds: float | None, name: str) -> np.ndarray:
    first = round(offset * file.samplerate)
    count = -1 if seconds is None else round(seconds * file.samplerate)
    if first + max(count, 0) > file.frames + file.samplerate // 20:  # what is announced is often rounded
        wanted, there = f"{offset:g} to {offset + (seconds or 0):g} s", f"{file.frames / file.samplerate:g} s"
        raise AudioError(f"{name}: a piece from {wanted} wanted, it has {there}")
    file.seek(min(first, file.frames))
    return file.read(count, dtype="float32", always_2d=True)


def stream_audio(source: str | Path | bytes, sample_rate: int, seconds: float = 1.0) -> Iterator[np.ndarray]:
    """The same in pieces of about so many seconds, however long the audio is: float32 [samples] each.

    Raises:
        AudioError: see `load_audio`; what is wrong further on is told when it is reached.
    """
    name = "audio" if isinstance(source, bytes) else str(source)
    count = 0
    with _opened(source, name, _Forward) as file:
        resampler = soxr.ResampleStream(file.samplerate, sample_rate, 1, dtype="float32")
        given = 0
        while len(block := file.read(round(seconds * file.samplerate), dtype="float32", always_2d=True)):
            count += len(block)
            piece = resampler.resample_chunk(to_mono(block, sample_rate, sample_rate, name))
            given += len(piece)
            yield piece
        _check_count(file, count, name)
        if not count:
            raise AudioError(f"{name}: audio wanted, found 0 samples")
        piece = resampler.resample_chunk(np.zeros(0, np.float32), last=True)
        if not given + len(piece):
            raise AudioError(_none_left(name, count, file.samplerate, sample_rate))
        yield piece


@contextlib.contextmanager
def _opened(
    source: str | Path | bytes, name: str, kind: type[soundfile.SoundFile] = soundfile.SoundFile
) -> Iterator[soundfile.SoundFile]:
    """An audio file to read; whatever libsndfile says of it is an AudioError."""
    if isinstance(source, bytes):
        if not source:
            raise AudioError(f"{name}: audio wanted, found 0 bytes")
        source = io.BytesIO(source)
    else:
        _check_file(Path(source), name)
    problem = "not audio that can be read"
    try:
        with kind(source) as file:
            problem = "damaged or truncated"
            _check_whole(name, file)
            yield file
    except (soundfile.LibsndfileError, RuntimeError, OSError, TypeError, UnicodeError) as error:
        # TypeError: samples without a header; UnicodeError: a file's name that is none in UTF-8.
        reason = (getattr(error, "error_string", None) or str(error)).strip().rstrip(".")
        raise AudioError(f"{name}: {problem} ({reason})") from error
    if not _ogg_is_whole(source):
        raise AudioError(f"{name}: truncated, the end of the last page is missing")


def _check_finite(samples: np.ndarray, name: str) -> None:
    problem = flaw(samples)
    if problem:
        raise AudioError(f"{name}: {problem}")


def _check_file(path: Path, name: str) -> None:
    try:
        if not path.exists():
            raise AudioError(f"{name}: no such file")
        if not path.is_file():
            raise AudioError(f"{name}: an audio file wanted, found {'a folder' if path.is_dir() else 'none'}")
        if path.stat().st_size == 0:
            raise AudioError(f"{name}: audio wanted, found an empty file")
    except OSError as error:
        raise AudioError(f"{name}: it cannot be read, {error.strerror.lower()}") from error


def _check_count(file: soundfile.SoundFile, found: int, name: str) -> None:
    if 0 < file.frames < 2**40 and found < file.frames:
        raise AudioError(f"{name}: truncated, {file.frames} samples announced, {found} found")


def to_mono(samples: np.ndarray, found_rate: int, sample_rate: int, name: str = "audio") -> np.ndarray:
    """Samples in memory -> float32 [samples], mono at the wanted rate.

    Args:
        samples: float [samples] or [samples, channels] in -1..1, or int16 of the same shapes.
        found_rate: their rate, in hertz.
        sample_rate: the wanted rate, in hertz.
        name: what an error calls the audio.

    Raises:
        AudioError: another type or shape, no samples, or samples that are not finite.
    """
    samples = np.asarray(samples)
    if samples.dtype == np.int16:
        samples = samples.astype(np.float32) / 32768
    if samples.dtype.kind != "f":
        raise AudioError(f"{name}: float samples in -1..1 or int16 ones wanted, found {samples.dtype}")
    if samples.ndim == 2:
        with np.errstate(over="ignore"):  # told below
            samples = samples.mean(axis=1)
    if samples.ndim != 1:
        raise AudioError(f"{name}: samples or samples by channels wanted, found {samples.ndim} dimensions")
    if samples.size == 0:
        raise AudioError(f"{name}: audio wanted, found 0 samples")
    samples = samples.astype(np.float32, copy=False)
    _check_finite(samples, name)
    if found_rate != sample_rate:
        count = samples.size
        samples = soxr.resample(samples, found_rate, sample_rate)
        if samples.size == 0:
            raise AudioError(_none_left(name, count, found_rate, sample_rate))
        _check_finite(samples, name)  # the largest numbers overflow
    return np.ascontiguousarray(samples, dtype=np.float32)


def _none_left(name: str, count: int, found_rate: int, sample_rate: int) -> str:
    return f"{name}: audio wanted, {count} samples at {found_rate} Hz give none at {sample_rate} Hz"


def _check_whole(name: str, file: soundfile.SoundFile) -> None:
    """libsndfile reads what is left of a truncated file without a word; its log tells."""
    log = file.extra_info
    # A writer that streams cannot know the size: it leaves 0 or the largest number, which is no sign of truncation.
    for announced, found in re.findall(r"^data\s*:\s*(\d+) \(should be (\d+)\)", log, re.MULTILINE):
        if int(found) < int(announced) < 0x7FFFFF00:
            raise AudioError(f"{name}: truncated, {announced} bytes of samples announced, {found} found")


def _ogg_is_whole(source: str | Path | io.BytesIO) -> bool:
    """Whether an Ogg stream ends with a whole page that is marked as the last (RFC 3533); true of other formats."""
    if isinstance(source, io.BytesIO):
        content = source.getvalue()
    else:
        with open(source, "rb") as file:
            content = file.read(4)
            if content == b"OggS":
                content += file.read()
    if not content.startswith(b"OggS"):
        return True
    page = content[content.rfind(b"OggS") :]
    segments = page[27 : 27 + page[26]] if len(page) > 27 else b""
    is_last = len(segments) > 0 and page[5] & 4
    return bool(is_last) and len(page) >= 27 + len(segments) + sum(segments) and len(segments) == page[26]


def duration(path: str | Path) -> float:
    """Seconds that an audio file announces, without reading its samples; 0 if it cannot be opened.

    Reading it is then what raises the error: a list of files is not held up by a bad one.
    """
    try:
        info = soundfile.info(str(path))
    except (soundfile.LibsndfileError, RuntimeError, OSError, TypeError, UnicodeError):
        return 0.0
    return info.frames / info.samplerate
