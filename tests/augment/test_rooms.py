"""Rooms add echoes; they move nothing and make nothing louder."""

import numpy as np
import pytest

from pipeline.augment.rooms import Reverberation, simulated_rooms
from pipeline.config import Rooms

RATE = 16000


def rooms(low, high, count, rate=RATE, seed=3):
    return simulated_rooms(Rooms(reverberation_seconds=(low, high), count=count), rate, seed)


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_the_direct_sound_comes_first_and_at_once(rate):
    for room in rooms(0.1, 0.4, 20, rate):
        assert room.response[0] == 1 and np.isfinite(room.response).all()
        assert len(room.response) <= 0.4 * rate + 1


@pytest.mark.parametrize("samples", [1, 1000, 50000])
def test_audio_keeps_its_length_level_and_place(samples):
    audio = (0.1 * np.random.default_rng(0).standard_normal(samples)).astype(np.float32)
    for room in rooms(0.2, 0.5, 5):
        heard = room(audio)
        assert heard.dtype == np.float32 and len(heard) == samples
        assert np.mean(heard**2) == pytest.approx(np.mean(audio**2), rel=1e-4)
        shifts = np.fft.irfft(np.fft.rfft(heard, 2 * samples) * np.fft.rfft(audio, 2 * samples).conj())
        assert shifts.argmax() == 0


@pytest.mark.parametrize("taps, samples", [(1, 10), (500, 20000), (9600, 100), (9600, 60000), (4097, 4096 * 3)])
def test_blocks_give_the_same_as_one_convolution(taps, samples):
    random = np.random.default_rng(taps)
    response, audio = (random.standard_normal(n).astype(np.float32) for n in (taps, samples))
    heard = Reverberation(response)(audio)
    size = taps + samples
    wanted = np.fft.irfft(np.fft.rfft(response, size) * np.fft.rfft(audio, size), size)[:samples]
    wanted *= np.sqrt(np.sum(audio**2) / np.sum(wanted**2))
    np.testing.assert_allclose(heard, wanted, atol=1e-5 * np.abs(wanted).max())


@pytest.mark.parametrize("seconds", [0.2, 0.6])
def test_echoes_fall_by_60_db_in_the_wanted_time(seconds):
    """By Schroeder's backward integration, from 5 to 35 dB below the whole, in the middle of the rooms."""
    times = []
    for room in rooms(seconds, seconds, 15):
        left = np.cumsum(room.response[::-1].astype(float) ** 2)[::-1]
        decibels = 10 * np.log10(left / left[1])
        inside = np.flatnonzero((decibels < -5) & (decibels > -35))
        slope = np.polyfit(inside / RATE, decibels[inside], 1)[0]
        times.append(-60 / slope)
    assert np.median(times) == pytest.approx(seconds, rel=0.2)


def test_rooms_follow_from_the_seed_and_differ():
    simulated_rooms.cache_clear()
    one = rooms(0.1, 0.3, 4)
    simulated_rooms.cache_clear()
    again, other = rooms(0.1, 0.3, 4), rooms(0.1, 0.3, 4, seed=4)
    for first, second, third in zip(one, again, other, strict=True):
        np.testing.assert_array_equal(first.response, second.response)
        assert not np.array_equal(first.response[:500], third.response[:500])
    assert len({room.response.tobytes() for room in one}) == 4


@pytest.mark.parametrize("seconds", [1e-6, 0.01, 2.0])
def test_extreme_reverberation_is_finite(seconds):
    for room in rooms(seconds, seconds, 2):
        assert np.isfinite(room.response).all() and len(room.response) == max(1, round(seconds * RATE))
