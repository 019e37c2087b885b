"""Noise: recordings or made, added at a wanted ratio to the speech."""

import functools
import logging
from pathlib import Path

import numpy as np
import soundfile

from pipeline import config
from pipeline.audio import AudioError, load_audio
from pipeline.errors import InputError

_MADE_SECONDS = 60  # of each made noise; its end fits its beginning
_LOWEST_HZ = 20.0  # pink noise below would be heard by nobody and take the power
_MOST_SECONDS = 2 * 3600  # of recordings, kept in memory: 460 MB at 16 kHz
_FRAME_SECONDS = 0.02
_ACTIVE_DB = 15.9  # the margin of ITU-T P.56

log = logging.getLogger(__name__)


def load_noises(noise: config.Noise, sample_rate: int, folder: Path, seed: int) -> tuple[np.ndarray, ...]:
    """Every recording and every made noise.

    Args:
        noise: which.
        sample_rate: in hertz.
        folder: what `noise.folder` is relative to.
        seed: of the made noise, and of which recordings are kept if there are more than two hours.

    Returns:
        float32 [samples] each; the same arrays for the same arguments.

    Raises:
        InputError: a folder that is missing or holds no audio that can be read.
    """
    recordings = () if noise.folder is None else _recordings(folder / noise.folder, sample_rate, seed)
    return recordings + tuple(_made(kind, sample_rate, seed) for kind in noise.made)


@functools.lru_cache(maxsize=4)
def _recordings(folder: Path, sample_rate: int, seed: int) -> tuple[np.ndarray, ...]:
    if not folder.is_dir():
        raise InputError(f"augment.noise.folder: a folder of recordings wanted, found none at {folder}")
    endings = {f".{ending.lower()}" for ending in soundfile.available_formats()} | {".opus", ".oga", ".aif"} - {".raw"}
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in endings and path.is_file())
    recordings, left = [], _MOST_SECONDS * sample_rate
    for number in np.random.default_rng(seed).permutation(len(paths)):
        if left <= 0:
            log.warning("%s: %d of %d recordings of noise kept", folder, len(recordings), len(paths))
            break
        try:
            recording = load_audio(paths[number], sample_rate)[:left]
        except AudioError as error:
            log.warning("skipped noise %s", error)
            continue
        if recording.any():
            recordings.append(recording)
            left -= len(recording)
        else:
            log.warning("skipped noise %s: it is silent", paths[number])
    if not recordings:
        found = f"none of {len(paths)} can be used" if paths else "found none"
        raise InputError(f"augment.noise.folder: audio files wanted in {folder}, {found}")
    return tuple(recordings)


@functools.lru_cache(maxsize=8)
def _made(kind: str, sample_rate: int, seed: int) -> np.ndarray:
    """White noise, of the same power in every hertz, or pink noise, of the same power in every octave."""
    import scipy.fft

    random = np.random.default_rng([seed, ord(kind[0])])
    samples = random.standard_normal(_MADE_SECONDS * sample_rate, dtype=np.float32)
    if kind == "pink":
        spectrum = scipy.fft.rfft(samples)
        hertz = np.arange(len(spectrum), dtype=np.float32) / _MADE_SECONDS
        spectrum *= np.where(hertz < _LOWEST_HZ, 0, 1 / np.sqrt(np.maximum(hertz, _LOWEST_HZ)))
        samples = scipy.fft.irfft(spectrum, len(samples))
    return samples * np.float32(0.1 / np.sqrt(np.mean(np.square(samples))))


def with_noise(audio: np.ndarray, noise: np.ndarray, place: float, snr_db: float, sample_rate: int) -> np.ndarray:
    """Speech with a piece of noise as long as itself.

    Args:
        audio: float32 [samples].
        noise: float32 [other samples]; it is repeated if it is shorter.
        place: 0..1, where in the noise the piece lies.
        snr_db: the level of speech where it is active, see `active_power`, over that of the piece, in decibels.
        sample_rate: in hertz.

    Returns:
        float32 [samples]; `audio` itself if it or the piece is silent.
    """
    if len(noise) >= len(audio):
        start = int(place * (len(noise) - len(audio) + 1))
        piece = noise[start : start + len(audio)]
    else:
        piece = np.resize(np.roll(noise, -int(place * len(noise))), len(audio))
    power, noise_power = active_power(audio, sample_rate), float(np.dot(piece, piece)) / len(piece)
    if not power or not noise_power:
        return audio
    mixed = piece * np.float32(np.sqrt(power / noise_power) * 10 ** (-snr_db / 20))
    mixed += audio
    return mixed


def active_power(audio: np.ndarray, sample_rate: int) -> float:
    """Mean square of speech where it is active: its pauses do not count.

    The active frames, of 20 ms, are those at most 15.9 dB below the mean power of all active ones: the margin of
    ITU-T P.56, with frames for its envelope.

    Args:
        audio: float32 [samples].
        sample_rate: in hertz.
    """
    size = min(len(audio), max(1, round(_FRAME_SECONDS * sample_rate)))
    frames = audio[: len(audio) // size * size].reshape(-1, size)
    powers = np.sort(np.einsum("ij,ij->i", frames, frames))[::-1].astype(np.float64) / size
    means = np.cumsum(powers) / np.arange(1, 1 + len(powers))
    active = np.flatnonzero(powers >= means * 10 ** (-_ACTIVE_DB / 10))[-1]
    return float(means[active])
