import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.audio import AudioError, duration, load_audio, stream_audio, to_mono


def sine(rate, seconds=1.0):
    return (0.5 * np.sin(2 * np.pi * 440 * np.arange(int(rate * seconds)) / rate)).astype(np.float32)


@pytest.mark.parametrize(
    ("suffix", "format", "subtype"),
    [
        ("wav", "WAV", "PCM_16"),
        ("wav", "WAV", "FLOAT"),
        ("wav", "WAV", "PCM_U8"),
        ("flac", "FLAC", "PCM_16"),
        ("ogg", "OGG", "VORBIS"),
        ("opus", "OGG", "OPUS"),
        ("mp3", "MP3", "MPEG_LAYER_III"),
    ],
)
@pytest.mark.parametrize("rate", [16000, 48000])
def test_every_format_is_read(tmp_path, suffix, format, subtype, rate):
    soundfile.write(tmp_path / f"a.{suffix}", sine(rate), rate, format=format, subtype=subtype)
    audio = load_audio(tmp_path / f"a.{suffix}", 16000)
    assert audio.dtype == np.float32 and audio.ndim == 1
    assert len(audio) == pytest.approx(16000, abs=2000)  # mp3 adds silence
    middle = np.abs(np.fft.rfft(audio[4000:12000]))
    assert middle.argmax() * 2 == pytest.approx(440, abs=2)


def test_stereo_at_44100_becomes_mono_at_16000(tmp_path):
    left = sine(44100)
    soundfile.write(tmp_path / "a.wav", np.stack([left, np.zeros_like(left)], axis=1), 44100, subtype="FLOAT")
    audio = load_audio(tmp_path / "a.wav", 16000)
    assert len(audio) == 16000
    np.testing.assert_allclose(audio[1000:15000], 0.5 * sine(16000)[1000:15000], atol=1e-3)


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_channels_are_averaged(tmp_path, channels):
    samples = np.random.default_rng(0).uniform(-1, 1, size=(500, channels)).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", samples, 16000, subtype="FLOAT")
    np.testing.assert_allclose(load_audio(tmp_path / "a.wav", 16000), samples.mean(axis=1), atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(100, 5000),
    st.sampled_from([8000, 11025, 16000, 22050, 44100, 48000, 96000]),
    st.sampled_from([8000, 16000]),
)
def test_resampling_keeps_the_duration(count, found_rate, wanted_rate):
    audio = to_mono(np.zeros(count, np.float32), found_rate, wanted_rate)
    assert abs(len(audio) - count * wanted_rate / found_rate) <= 1


def test_int16_samples_are_scaled_to_one():
    np.testing.assert_array_equal(to_mono(np.array([-32768, 0, 16384], np.int16), 8000, 8000), [-1, 0, 0.5])


def test_a_duration_is_announced_without_reading(tmp_path):
    soundfile.write(tmp_path / "a.flac", sine(8000, 1.5), 8000)
    (tmp_path / "text.wav").write_text("not audio at all")
    assert [duration(tmp_path / name) for name in ("a.flac", "text.wav", "none.wav")] == [1.5, 0, 0]


def test_bytes_are_read_as_files_are(tmp_path):
    soundfile.write(tmp_path / "a.flac", sine(8000), 8000)
    np.testing.assert_array_equal(
        load_audio((tmp_path / "a.flac").read_bytes(), 8000), load_audio(tmp_path / "a.flac", 8000)
    )


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "opus", "mp3"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_truncated_file_is_named(tmp_path, suffix, share):
    kind = {"opus": {"format": "OGG", "subtype": "OPUS"}}.get(suffix, {})
    noise = np.random.default_rng(0).normal(size=48000).astype(np.float32) * 0.1
    soundfile.write(tmp_path / f"whole.{suffix}", noise, 16000, **kind)
    content = (tmp_path / f"whole.{suffix}").read_bytes()
    (tmp_path / f"a.{suffix}").write_bytes(content[: int(len(content) * share)])
    with pytest.raises(AudioError, match=rf"a\.{suffix}: .*truncated"):
        load_audio(tmp_path / f"a.{suffix}", 16000)


def test_files_that_hold_no_audio_are_named(tmp_path):
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("not audio at all")
    soundfile.write(tmp_path / "silent.wav", np.zeros(0), 16000)
    soundfile.write(tmp_path / "nan.wav", np.full(9, np.nan), 16000, subtype="FLOAT")
    for name, problem in {
        "missing.wav": "no such file",
        "": "found a folder",
        "empty.wav": "an empty file",
        "text.wav": "not audio",
        "silent.wav": "0 samples",
        "nan.wav": "9 that are NaN",
    }.items():
        with pytest.raises(AudioError, match=problem):
            load_audio(tmp_path / name, 16000)
    with pytest.raises(AudioError, match="0 bytes"):
        load_audio(b"", 16000)


def test_bytes_that_hold_no_audio_are_refused():
    with pytest.raises(AudioError, match="not audio that can be read"):
        load_audio(b"not audio at all", 16000)


def test_samples_too_few_for_the_wanted_rate_are_refused():
    with pytest.raises(AudioError, match="1 samples at 48000 Hz give none at 16000 Hz"):
        to_mono(np.zeros(1, np.float32), 48000, 16000)


def test_a_file_too_short_for_the_wanted_rate_is_refused_in_pieces_too(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.ones(1), 48000)
    for read in (load_audio, lambda *rest: list(stream_audio(*rest))):
        with pytest.raises(AudioError, match=r"a\.wav: .* 1 samples at 48000 Hz give none at 16000 Hz"):
            read(tmp_path / "a.wav", 16000)


def test_infinite_samples_are_refused():
    with pytest.raises(AudioError, match="1 that are NaN, infinite"):
        to_mono(np.array([0, np.inf], np.float32), 16000, 16000)


def test_samples_of_other_types_are_refused():
    with pytest.raises(AudioError, match="found int64"):
        to_mono(np.zeros(9, np.int64), 8000, 8000)
    with pytest.raises(AudioError, match="3 dimensions"):
        to_mono(np.zeros((2, 2, 2)), 8000, 8000)


@pytest.mark.parametrize(("rate", "channels"), [(16000, 1), (44100, 2), (8000, 1)])
@pytest.mark.parametrize("seconds", [0.01, 0.3, 9.0])
def test_audio_in_pieces_is_the_audio(tmp_path, rate, channels, seconds):
    samples = 0.3 * np.random.default_rng(0).normal(size=(int(1.7 * rate), channels))
    soundfile.write(tmp_path / "a.wav", samples, rate, subtype="FLOAT")
    whole = load_audio(tmp_path / "a.wav", 16000)
    pieces = np.concatenate(list(stream_audio(tmp_path / "a.wav", 16000, seconds)))
    assert len(pieces) == len(whole)
    np.testing.assert_allclose(pieces, whole, atol=1e-4)


@pytest.mark.parametrize(
    ("suffix", "rate"), [("wav", 44100), ("flac", 44100), ("ogg", 44100), ("mp3", 44100), ("mp3", 16000)]
)
@pytest.mark.parametrize("seconds", [0.1, 1.0])
def test_every_format_is_the_same_in_pieces(tmp_path, suffix, rate, seconds):
    loudness = np.repeat(np.random.default_rng(0).uniform(0, 0.3, size=40), rate // 10)
    soundfile.write(tmp_path / f"a.{suffix}", loudness * sine(rate, 4.0)[: len(loudness)], rate)  # MP3 saves up bits
    whole = load_audio(tmp_path / f"a.{suffix}", 16000)
    pieces = np.concatenate(list(stream_audio(tmp_path / f"a.{suffix}", 16000, seconds)))
    assert len(pieces) == len(whole)
    np.testing.assert_allclose(pieces, whole, atol=1e-3)


def test_what_is_wrong_is_told_when_it_is_reached(tmp_path):
    samples = np.zeros(48000, np.float32)
    samples[40000] = np.nan
    soundfile.write(tmp_path / "nan.wav", samples, 16000, subtype="FLOAT")
    pieces = stream_audio(tmp_path / "nan.wav", 16000)
    assert len(next(pieces)) == 16000
    with pytest.raises(AudioError, match=r"nan\.wav: finite samples wanted"):
        list(pieces)
    for content, problem in ((b"", "empty file"), (b"RIFF", "not audio")):
        (tmp_path / "bad.wav").write_bytes(content)
        with pytest.raises(AudioError, match=problem):
            list(stream_audio(tmp_path / "bad.wav", 16000))


def test_a_truncated_file_is_told_in_pieces_too(tmp_path):
    soundfile.write(tmp_path / "a.mp3", sine(16000, 9.0), 16000, format="MP3")
    whole = (tmp_path / "a.mp3").read_bytes()
    (tmp_path / "a.mp3").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(AudioError, match=r"a\.mp3: truncated"):
        list(stream_audio(tmp_path / "a.mp3", 16000))


@pytest.mark.parametrize("name", ["a.raw", b"\xff\xe9.wav".decode(errors="surrogateescape")])
def test_a_file_that_soundfile_cannot_open_is_named(tmp_path, name):
    (tmp_path / name).write_bytes(b"some samples without a header")
    with pytest.raises(AudioError, match="not audio that can be read"):
        load_audio(tmp_path / name, 16000)
    assert duration(tmp_path / name) == 0.0


def test_samples_that_overflow_are_named(tmp_path):
    loud = np.sign(np.random.default_rng(0).normal(size=(8000, 2))).astype(np.float32) * 3e38
    soundfile.write(tmp_path / "loud.wav", loud, 8000, subtype="FLOAT")
    with pytest.raises(AudioError, match=r"loud\.wav: finite samples wanted"):
        load_audio(tmp_path / "loud.wav", 16000)
