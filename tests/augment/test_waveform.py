"""Each setting does what it says and nothing else, whatever the audio is."""

import itertools
import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.augment import WaveformAugmentation
from pipeline.augment.noise import active_power
from pipeline.config import Augment, Band, Clipping, Noise, Rooms, Telephone
from pipeline.errors import InputError

RATE = 16000
EVERYTHING = Augment(
    speed=(0.8, 1.2),
    tempo=(0.8, 1.2),
    silence_seconds=(0.0, 0.1),
    rooms=Rooms(share=1.0, reverberation_seconds=(0.05, 0.2), count=3),
    noise=Noise(made=["white", "pink"]),
    band=Band(share=1.0),
    telephone=Telephone(share=1.0),
    clipping=Clipping(share=1.0),
    gain_db=(-10.0, 10.0),
)


def changed(audio, seed=0, folder=Path(), rate=RATE, **settings):
    return WaveformAugmentation(Augment(**settings), rate, folder, 0)(audio, np.random.default_rng(seed))


def tone(hz=440.0, seconds=1.0, level=0.3):
    return (level * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def white(seconds=1.0, level=0.05):
    return (level * np.random.default_rng(9).standard_normal(round(seconds * RATE))).astype(np.float32)


def loudest_hz(audio):
    return np.abs(np.fft.rfft(audio * np.hanning(len(audio)), 4 * RATE)).argmax() / 4


def decibels(power):
    return 10 * np.log10(power)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"speed": (1, 1), "tempo": (1, 1), "silence_seconds": (0, 0), "gain_db": (0, 0)},
        {"rooms": Rooms(share=0), "band": Band(share=0), "telephone": Telephone(share=0)},
        {"noise": Noise(share=0, folder="missing"), "clipping": Clipping(share=0)},
        {"clipping": Clipping(share=1, over_db=(-5, 0))},
    ],
)
def test_what_is_off_leaves_the_very_same_audio(settings):
    audio = tone()
    assert changed(audio, **settings) is audio


def test_a_share_is_that_of_the_utterances():
    augmentation = WaveformAugmentation(Augment(clipping=Clipping(share=0.3)), RATE, Path(), 0)
    random, audio = np.random.default_rng(1), tone(seconds=0.01)
    hit = sum(augmentation(audio, random) is not audio for _ in range(2000))
    assert hit == pytest.approx(600, abs=80)  # four standard deviations


def test_the_state_of_the_generator_decides_the_change_in_any_thread():
    augmentation = WaveformAugmentation(EVERYTHING, RATE, Path(), 0)
    again = WaveformAugmentation(EVERYTHING, RATE, Path(), 0)
    audio = white()
    results = [augmentation(audio, np.random.default_rng(seed)) for seed in range(8)]
    with ThreadPoolExecutor(4) as pool:
        others = list(pool.map(lambda seed: again(audio, np.random.default_rng(seed)), range(8)))
    for result, other in zip(results, others, strict=True):
        np.testing.assert_array_equal(result, other)
    assert len({result.tobytes() for result in results}) == 8


def test_what_moves_speech_in_time_is_told_apart_from_what_lies_over_it():
    audio = white()
    of_times = {name: getattr(EVERYTHING, name) for name in ("speed", "tempo", "silence_seconds")}
    timed, whole = WaveformAugmentation(EVERYTHING, RATE, Path(), 0).in_stages(audio, np.random.default_rng(1))
    assert np.array_equal(timed, changed(audio, 1, **of_times))
    assert np.array_equal(whole, changed(audio, 1, **EVERYTHING.model_dump()))
    assert len(timed) == len(whole) != len(audio) and not np.array_equal(timed, whole)


@pytest.mark.parametrize(
    "timed", [{}, {"speed": (0.7, 1.3)}, {"speed": (0.7, 0.9), "tempo": (0.8, 1.3), "silence_seconds": (0.0, 0.3)}]
)
def test_lengths_are_foretold(timed):
    augmentation = WaveformAugmentation(Augment(**timed, clipping=Clipping(share=0.5)), RATE, Path(), 0)
    samples = np.array([1, 100, 4000, 16000, 30000] * 5)
    foretold = augmentation.lengths(samples, np.random.default_rng(4))
    random = np.random.default_rng(4)
    for count, length in zip(samples, foretold, strict=True):
        assert len(augmentation(np.zeros(count, np.float32), random)) == pytest.approx(length, abs=2)


def test_another_seed_makes_other_rooms_and_noise():
    for augment in (Augment(rooms=Rooms(share=1, count=1)), Augment(noise=Noise(made=["white"]))):
        one, other = (WaveformAugmentation(augment, RATE, Path(), s)(tone(), np.random.default_rng(0)) for s in (0, 1))
        assert not np.array_equal(one, other)


def test_a_setting_draws_the_same_whatever_else_is_set():
    alone = changed(tone(), gain_db=(-20, -1))
    beside = changed(tone(), gain_db=(-20, -1), silence_seconds=(0.1, 0.3), clipping=Clipping(share=0))
    assert np.abs(alone).max() == np.abs(beside).max()


wild = st.one_of(
    arrays(np.float32, st.integers(1, 700), elements=st.floats(-1, 1, width=32)),
    st.builds(np.zeros, st.sampled_from([1, 2, 50, 4000]), st.just(np.float32)),
    st.builds(np.ones, st.sampled_from([1, 3, 4000]), st.just(np.float32)),
    st.builds(lambda n: np.resize(np.float32([1, -1]), n), st.integers(1, 5000)),
    st.builds(lambda n, x: np.full(n, x, np.float32), st.integers(1, 900), st.sampled_from([1e-45, 1e-30, 1e-20])),
)
single = st.sampled_from(list(Augment.model_fields))
extreme = Augment(
    speed=(0.01, 100.0),
    tempo=(0.01, 100.0),
    clipping=Clipping(share=1, over_db=(-100, 100)),
    noise=Noise(made=["white"], snr_db=(-100, 100)),
    gain_db=(-100, 100),
)


@settings(max_examples=150, deadline=None)
@given(audio=wild, seed=st.integers(0, 2**32), augment=st.sampled_from([EVERYTHING, extreme]), only=st.none() | single)
def test_any_audio_stays_audio(audio, seed, augment, only):
    if only:
        augment = Augment(**{only: getattr(augment, only)})
    before = audio.copy()
    result = WaveformAugmentation(augment, RATE, Path(), 0)(audio, np.random.default_rng(seed))
    assert result.dtype == np.float32 and result.ndim == 1 and result.size
    assert np.isfinite(result).all() and np.abs(result).max() <= 1
    np.testing.assert_array_equal(audio, before)


@pytest.mark.parametrize("factor", [0.8, 0.9, 1.25])
@pytest.mark.parametrize("setting", ["speed", "tempo"])
def test_faster_speech_is_shorter(setting, factor):
    assert len(changed(tone(), **{setting: (factor, factor)})) == pytest.approx(RATE / factor, abs=1)


def test_a_third_of_the_speech_keeps_its_speed_and_so_its_highest_band():
    same = sum(changed(white(), seed=seed, speed=(0.9, 1.1)).size == RATE for seed in range(300))
    assert same == pytest.approx(100, abs=30)
    assert all(changed(white(), seed=seed, speed=(1.05, 1.1)).size != RATE for seed in range(100))


def test_speed_takes_no_more_than_the_highest_tenth_of_the_band():
    audio = changed(white(), speed=(1.05, 1.05))
    power = np.abs(np.fft.rfft(audio)) ** 2
    below, middle = (int(share * len(power)) for share in (0.9, 0.5))
    assert power[below - 200 : below].mean() > 0.5 * power[middle - 200 : middle].mean()


@pytest.mark.parametrize("factor", [0.8, 1.25])
def test_speed_moves_the_pitch_and_tempo_does_not(factor):
    assert loudest_hz(changed(tone(), speed=(factor, factor))) == pytest.approx(440 * factor, abs=1)
    assert loudest_hz(changed(tone(), tempo=(factor, factor))) == pytest.approx(440, abs=1)


@pytest.mark.parametrize("factor", [0.7, 0.9, 1.1, 1.4])
def test_tempo_fades_between_what_is_alike(factor):
    result = changed(tone(hz=150), tempo=(factor, factor))
    window = np.lib.stride_tricks.sliding_window_view(result, RATE // 150)[400:-400]
    loudness = np.sqrt((window**2).mean(axis=1))
    np.testing.assert_allclose(loudness, 0.3 / np.sqrt(2), rtol=0.1)


def test_tempo_keeps_the_place_of_each_sound():
    audio = np.concatenate([tone(300, 0.5), tone(900, 0.5), tone(2500, 0.5)])
    result = changed(audio, tempo=(1.2, 1.2))
    thirds = np.split(result[: len(result) // 3 * 3], 3)
    assert [loudest_hz(third[1000:-1000]) for third in thirds] == pytest.approx([300, 900, 2500], abs=3)


def test_silence_is_added_before_and_after_independently():
    audio = tone(level=0.9) + np.float32(0.001)
    lengths = set()
    for seed in range(20):
        result = changed(audio, seed, silence_seconds=(0.1, 0.2))
        before = np.flatnonzero(result)[0]
        after = len(result) - len(audio) - before
        np.testing.assert_array_equal(result[before : before + len(audio)], audio)
        assert 1600 <= before <= 3200 and 1600 <= after <= 3200
        lengths.add((before, after))
    assert len({before - after for before, after in lengths}) > 10


@pytest.mark.parametrize("made", ["white", "pink"])
@pytest.mark.parametrize("snr_db", [-5.0, 10.0, 30.0])
@pytest.mark.parametrize("pause", [0.0, 4.0])
def test_noise_has_the_wanted_ratio_to_active_speech(made, snr_db, pause):
    audio = np.concatenate([np.zeros(round(pause * RATE), np.float32), tone(level=0.1)])
    added = changed(audio, noise=Noise(made=[made], snr_db=(snr_db, snr_db))) - audio
    assert decibels(0.1**2 / 2 / np.mean(added**2)) == pytest.approx(snr_db, abs=0.5)


def test_what_noise_takes_above_full_scale_is_not_clipped():
    audio = tone(level=1)
    result = changed(audio, noise=Noise(made=["white"], snr_db=(0, 0)))
    assert np.count_nonzero(np.abs(result) > 0.999) == 1


def test_quiet_frames_are_speech_down_to_the_margin():
    loud, quiet = tone(level=0.5), tone(level=0.05)
    assert active_power(np.concatenate([loud, quiet]), RATE) == pytest.approx(0.5**2 / 2, rel=1e-3)
    assert active_power(np.concatenate([loud, 5 * quiet]), RATE) == pytest.approx((0.25 + 0.0625) / 4, rel=1e-3)


def test_white_noise_is_flat_and_pink_falls_by_3_db_an_octave():
    def octaves(made):
        noise = changed(np.full(20 * RATE, 1e-6, np.float32), noise=Noise(made=[made], snr_db=(-100, -100)))
        spectrum = np.abs(np.fft.rfft(noise)) ** 2
        edges = 20 * np.array([250, 500, 1000, 2000, 4000])
        return decibels(np.array([spectrum[a:b].mean() for a, b in itertools.pairwise(edges)]))

    np.testing.assert_allclose(np.diff(octaves("white")), 0, atol=0.3)
    np.testing.assert_allclose(np.diff(octaves("pink")), -3, atol=0.3)


def test_noise_is_taken_from_random_places_of_all_recordings_and_repeated_if_short(tmp_path):
    (tmp_path / "noise" / "more").mkdir(parents=True)
    soundfile.write(tmp_path / "noise" / "low.wav", tone(300, 0.5) + white(0.5, 0.01), RATE)
    soundfile.write(tmp_path / "noise" / "more" / "high.flac", tone(1500, 3) + white(3, 0.01), RATE)
    augment = Augment(noise=Noise(folder="noise", snr_db=(0, 0)))
    augmentation = WaveformAugmentation(augment, RATE, tmp_path, 0)
    audio = white(level=0.2)
    added = [augmentation(audio, np.random.default_rng(seed)) - audio for seed in range(20)]
    assert {round(loudest_hz(noise)) for noise in added} == {300, 1500}
    assert len({noise[:100].tobytes() for noise in added}) == 20
    for noise in added:
        assert np.abs(noise[-1000:]).max() > 0.8 * np.abs(noise).max()


def test_an_unreadable_recording_is_skipped_and_named(tmp_path, caplog):
    soundfile.write(tmp_path / "good.wav", white(), RATE)
    soundfile.write(tmp_path / "silent.wav", np.zeros(100), RATE)
    (tmp_path / "bad.wav").write_bytes(b"no audio")
    (tmp_path / "readme.txt").write_text("not audio either")
    with caplog.at_level(logging.WARNING):
        WaveformAugmentation(Augment(noise=Noise(folder=".")), RATE, tmp_path, 0)
    messages = sorted(record.getMessage() for record in caplog.records)
    assert len(messages) == 2 and "bad.wav: not audio that can be read" in messages[0] and "silent.wav" in messages[1]


@pytest.mark.parametrize("content", [None, {}, {"readme.txt": b"none"}, {"bad.wav": b"no audio"}, {"empty.flac": b""}])
def test_a_folder_without_noise_is_named(tmp_path, content):
    folder = tmp_path / "noise"
    if content is not None:
        folder.mkdir()
        for name, written in content.items():
            (folder / name).write_bytes(written)
    with pytest.raises(InputError, match=r"^augment\.noise\.folder: .* wanted") as caught:
        WaveformAugmentation(Augment(noise=Noise(folder="noise", made=["white"])), RATE, tmp_path, 0)
    assert str(folder) in str(caught.value) and "\n" not in str(caught.value)
