"""Filters, telephones and clipping."""

import numpy as np
import pytest
from scipy.signal import butter, sosfilt

from pipeline.augment import WaveformAugmentation
from pipeline.augment.channel import band_limited, clipped, over_telephone
from pipeline.config import Augment, Band
from pipeline.errors import InputError

RATE = 16000


def noise(seconds=2.0, level=0.1):
    return (level * np.random.default_rng(1).standard_normal(round(seconds * RATE))).astype(np.float32)


def lost_db(before, after, low, high, rate=RATE):
    """How much less power a band of hertz has."""
    powers = [
        (np.abs(np.fft.rfft(x)) ** 2)[int(low * len(x) / rate) : int(high * len(x) / rate)] for x in (before, after)
    ]
    return 10 * np.log10(powers[0].sum() / powers[1].sum())


@pytest.mark.parametrize(
    "low, high, rate", [(300, 3000, 16000), (50, 7900, 16000), (1, 9000, 48000), (100, 3900, 8000)]
)
def test_the_filters_are_butterworths(low, high, rate):
    audio = noise()
    wanted = sosfilt(butter(4, low, "high", fs=rate, output="sos"), audio.astype(float))
    wanted = sosfilt(butter(4, high, "low", fs=rate, output="sos"), wanted)
    np.testing.assert_allclose(band_limited(audio, low, high, rate), wanted, atol=1e-6)


def test_a_band_loses_what_is_outside():
    audio = noise()
    heard = band_limited(audio, 300, 3000, RATE)
    assert lost_db(audio, heard, 10, 100) > 35 and lost_db(audio, heard, 6500, 8000) > 30
    assert abs(lost_db(audio, heard, 500, 2000)) < 0.2


def test_an_upper_limit_beyond_half_the_rate_is_none():
    audio = noise()
    np.testing.assert_array_equal(band_limited(audio, 50, 8000, RATE), band_limited(audio, 50, 1e6, RATE))
    assert abs(lost_db(audio, band_limited(audio, 50, 8000, RATE), 5000, 7999)) < 0.01


def test_a_band_that_begins_above_half_the_rate_is_named(tmp_path):
    with pytest.raises(InputError, match=r"^augment\.band\.low_hz: .*4000, wanted, found 4500$"):
        WaveformAugmentation(Augment(band=Band(low_hz=(100, 4500), high_hz=(5000, 6000))), 8000, tmp_path, 0)


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 44100])
def test_a_telephone_keeps_its_band_and_time(rate):
    audio = noise()
    heard = over_telephone(audio, rate)
    assert heard.dtype == np.float32 and len(heard) == len(audio)
    assert lost_db(audio, heard, 10, 100, rate) > 20
    assert abs(lost_db(audio, heard, 500, 3000, rate)) < 0.5
    if rate > 8000:
        assert lost_db(audio, heard, 4300, rate / 2, rate) > 30
    shifts = np.fft.irfft(np.fft.rfft(heard) * np.fft.rfft(audio).conj())
    assert min(shifts.argmax(), len(shifts) - shifts.argmax()) <= rate / 4000  # a quarter of a millisecond


@pytest.mark.parametrize("level", [1e-4, 0.01, 0.5])
def test_a_telephone_has_the_noise_of_8_bits(level):
    """The mu law's quantization noise is about 38 dB below speech, and less far only below its smallest steps."""
    audio = (level * np.sin(2 * np.pi * 1000 * np.arange(16000) / 8000)).astype(np.float32)
    heard = over_telephone(audio, 8000)[2000:]
    line = band_limited(audio, 300, 3400, 8000)[2000:]
    below = 10 * np.log10(np.sum(line**2) / np.sum((heard - line) ** 2))
    assert len(np.unique(heard)) <= 255
    assert 30 < below < 45 if level > 1e-3 else 0 < below < 30


def test_clipping_cuts_off_so_much_and_keeps_the_peak():
    audio = (0.4 * np.sin(2 * np.pi * np.arange(16000) / 100)).astype(np.float32)
    heard = clipped(audio, 6.0)
    assert np.abs(heard).max() == pytest.approx(0.4, rel=1e-6)
    over = 10 ** (6 / 20)
    np.testing.assert_allclose(heard, np.clip(audio * over, -0.4, 0.4), rtol=1e-5)
    assert np.mean(np.abs(heard) > 0.3999) == pytest.approx(1 - 2 * np.arcsin(1 / over) / np.pi, abs=0.03)


@pytest.mark.parametrize("over_db", [0.0, -10.0])
def test_what_stays_below_full_scale_is_not_clipped(over_db):
    audio = noise()
    assert clipped(audio, over_db) is audio


def test_gain_is_in_decibels_and_clips_at_full_scale(tmp_path):
    def louder(gain_db):
        augment = Augment(gain_db=(gain_db, gain_db))
        return WaveformAugmentation(augment, RATE, tmp_path, 0)(audio, np.random.default_rng(0))

    audio = noise()
    np.testing.assert_allclose(louder(-20.0), audio / 10, rtol=1e-5)
    np.testing.assert_allclose(louder(6.0), np.clip(audio * 10**0.3, -1, 1), rtol=1e-5)
    assert louder(40.0).min() == -1 and louder(40.0).max() == 1
