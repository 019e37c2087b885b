"""Augmentation of waveforms, as the `augment` section of a configuration says."""

from pathlib import Path

import numpy as np
import soxr

from pipeline import config
from pipeline.augment.channel import band_limited, clipped, over_telephone
from pipeline.augment.noise import load_noises, with_noise
from pipeline.augment.rooms import simulated_rooms
from pipeline.augment.tempo import change_tempo
from pipeline.errors import InputError

OWN_SPEED = 1 / 3
"""Share of utterances that keep their speed, if the range has it: resampling empties the band below half the sample
rate, and a network that never sees it filled in training is lost where it is, outside training."""

_DRAWS = 4
"""Most numbers that a setting draws for an utterance: whether it takes part, and three more."""

_TIMED = ("speed", "tempo", "silence_seconds")
"""What changes the number of samples; it comes before all else."""

_AT_ONCE = 10_000  # utterances whose lengths are told together


class WaveformAugmentation:
    """Changes utterances at random. The same settings, seed, audio and state of `random` give the same samples.

    Changes are made in the order of the section's fields, each where it is configured. What exceeds full scale after
    one is brought down to it as a whole; only `clipping` and `gain_db` clip. Threads may share an object.

    Args:
        augment: what to change.
        sample_rate: of the audio, in hertz.
        folder: what `augment.noise.folder` is relative to.
        seed: of the rooms and of the noise that is made.

    Raises:
        InputError: a folder of noise that holds none, or a band that begins above half the sample rate.

    Example:
        augmentation = WaveformAugmentation(config.Augment(speed=(0.9, 1.1)), 16000, Path("data"), seed=0)
        changed = augmentation(audio, np.random.default_rng([0, epoch, number]))
    """

    def __init__(self, augment: config.Augment, sample_rate: int, folder: Path, seed: int):
        self._rate = sample_rate
        if augment.band and augment.band.low_hz[1] >= sample_rate / 2:
            wanted = f"at most half the sample rate, {sample_rate / 2:g}, wanted"
            raise InputError(f"augment.band.low_hz: {wanted}, found {augment.band.low_hz[1]:g}")
        steps = {
            "speed": self._speed,
            "tempo": self._tempo,
            "silence_seconds": self._silence,
            "rooms": self._room,
            "noise": self._noise,
            "band": self._band,
            "telephone": self._telephone,
            "clipping": self._clipping,
            "gain_db": self._gain,
        }
        self.draws = len(steps) * _DRAWS
        """Numbers that are drawn for an utterance."""
        self._augment = augment
        self._steps = [
            (row, getattr(setting, "share", 1.0), step, setting)
            for row, (name, step) in enumerate(steps.items())
            if (setting := getattr(augment, name)) is not None
        ]
        if augment.noise and augment.noise.share:
            self._noises = load_noises(augment.noise, sample_rate, Path(folder), seed)
        if augment.rooms and augment.rooms.share:
            self._rooms = simulated_rooms(augment.rooms, sample_rate, seed)

    def __call__(self, audio: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """One utterance, changed: the latter of `in_stages`."""
        return self.in_stages(audio, random)[1]

    def in_stages(self, audio: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """One utterance, changed.

        Args:
            audio: float32 [samples], in -1..1, at least one.
            random: where the choices come from. Each setting has draws of its own, and they are drawn whatever is
                configured: what one setting does depends on no other.

        Returns:
            Twice float32 [other samples], in -1..1, at least one; `audio` itself if nothing is changed. The first is
            changed by speed, tempo and silence alone, which are all that change the number of samples; the second is
            the same speech at the same times, with what lies over it.
        """
        draws = random.random(self.draws).reshape(-1, _DRAWS)
        timed = audio
        for row, share, step, setting in self._steps:
            if draws[row, 0] < share:
                changed = step(audio, setting, draws[row, 1:])
                audio = audio if changed is audio else _within_full_scale(changed)
            if row < len(_TIMED):
                timed = audio
        return timed, audio

    def lengths(self, samples: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """How long utterances become.

        Args:
            samples: [utterances], how long they are.
            random: what they will be changed by, one after the other.

        Returns:
            float64 [utterances], the samples of each after it is changed; by resampling one more or less.
        """
        lengths = np.array(samples, float)
        speed, tempo, silence = (getattr(self._augment, name) for name in _TIMED)
        for begin in range(0, len(lengths), _AT_ONCE):
            some = lengths[begin : begin + _AT_ONCE]
            draws = random.random((len(some), self.draws // _DRAWS, _DRAWS))[:, :, 1:]
            if speed is not None:
                some /= _speed_factor(speed, draws[:, 0])
            if tempo is not None:
                some /= _between(tempo, draws[:, 1, 0])
            if silence is not None:
                some += self._rate * (_between(silence, draws[:, 2, 0]) + _between(silence, draws[:, 2, 1]))
        return lengths

    def _speed(self, audio, factors, draws):
        factor = float(_speed_factor(factors, draws))
        if factor == 1:
            return audio
        changed = soxr.resample(audio, factor, 1.0, quality="HQ")  # as if recorded at `factor` times the rate
        return changed if changed.size else audio[:1]

    def _tempo(self, audio, factors, draws):
        factor = _between(factors, draws[0])
        return audio if factor == 1 else change_tempo(audio, factor, self._rate)

    def _silence(self, audio, seconds, draws):
        before, after = (round(_between(seconds, draw) * self._rate) for draw in draws[:2])
        return np.pad(audio, (before, after)) if before or after else audio

    def _room(self, audio, _, draws):
        return self._rooms[int(draws[0] * len(self._rooms))](audio)

    def _noise(self, audio, noise, draws):
        recording = self._noises[int(draws[0] * len(self._noises))]
        return with_noise(audio, recording, draws[1], _between(noise.snr_db, draws[2]), self._rate)

    def _band(self, audio, band, draws):
        return band_limited(audio, _between(band.low_hz, draws[0]), _between(band.high_hz, draws[1]), self._rate)

    def _telephone(self, audio, _, __):
        return over_telephone(audio, self._rate)

    def _clipping(self, audio, clipping, draws):
        return clipped(audio, _between(clipping.over_db, draws[0]))

    def _gain(self, audio, gain_db, draws):
        gain = 10 ** (_between(gain_db, draws[0]) / 20)
        return audio if gain == 1 else np.clip(audio * np.float32(gain), -1, 1)


def _speed_factor(factors: tuple[float, float], draws: np.ndarray) -> np.ndarray:
    """[...] of draws [..., 3]."""
    low, high = factors
    keeps = low <= 1 <= high and draws[..., 1] < OWN_SPEED
    return np.where(keeps, 1.0, _between(factors, draws[..., 0]))


def _between(bounds: tuple[float, float], draw: float | np.ndarray) -> float | np.ndarray:
    low, high = bounds
    return low + (high - low) * draw


def _within_full_scale(audio: np.ndarray) -> np.ndarray:
    peak = max(audio.max(), -audio.min())
    return audio / peak if peak > 1 else audio
