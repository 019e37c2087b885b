import pytest

from pipeline.config import Features, load_config
from pipeline.errors import InputError

FEATURES = (
    "features: {input: features}\n"
    "data:\n  train: [{kind: manifest, path: a.jsonl}]\n  valid: [{kind: manifest, path: b.jsonl}]\n"
)


def load(tmp_path, *overrides):
    (tmp_path / "words.yaml").write_text(FEATURES)
    return load_config(tmp_path / "words.yaml", list(overrides))


@pytest.mark.parametrize("hop_ms", [10.0, 12.5, 7.0])
@pytest.mark.parametrize(("stack", "stride"), [(3, 3), (1, 1), (2, 5)])
def test_lengths_are_frames(hop_ms, stack, stride):
    features = Features(input="features", hop_ms=hop_ms, stack=stack, stride=stride)
    assert features.lengths_per_second == pytest.approx(1000 / hop_ms)
    assert features.frame_seconds == pytest.approx(hop_ms * stride / 1000)
    counts = [features.network_frames(length) for length in range(40)]
    assert counts == [len(range(0, max(0, length - stack + 1), stride)) for length in range(40)]
    assert counts.index(1) == features.first_samples
    assert features.first_samples + features.frame_length == counts.index(2)


def test_audio_keeps_its_lengths():
    features = Features(sample_rate=8000, n_fft=256, stride=2)
    assert (features.lengths_per_second, features.frame_length) == (8000, 160)
    assert features.frame_seconds == pytest.approx(0.02)


def test_what_makes_mfccs_is_idle(tmp_path):
    settings = load(tmp_path, "features.coefficients=80", "features.hop_ms=12.5", "features.n_fft=64")
    assert settings.features.batch_shape == (None, None, 80)
    assert settings.cannot_stream == "features.input = features"
    (tmp_path / "again.yaml").write_text(settings.to_yaml())
    assert load_config(tmp_path / "again.yaml") == settings


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("features.deltas=1", "features: deltas = 0 wanted with input = features, got 1"),
        ("features.top_db=80.0", "features: top_db = null wanted with input = features, got 80.0"),
        ("features.centre=true", "features: centre = false wanted with input = features, got true"),
        ("augment.speed=[0.9, 1.1]", "augment: none wanted with features.input = features"),
        ("data.valid.0.level_db=-20", "data.valid.0.level_db: none wanted with features.input = features"),
        ("data.train.0.join={utterances: 3}", "data.train.0.join: none wanted with features.input = features"),
        ("data.train.0.augment.gain_db=[0, 6]", "data.train.0.augment: none wanted with features.input = features"),
        (
            "data.test=[{kind: synthesis, phrases: [a], utterances: 1}]",
            "data.test.0.kind = manifest wanted with features.input = features, got synthesis",
        ),
    ],
)
def test_what_needs_a_waveform_is_refused_in_one_line(tmp_path, override, message):
    with pytest.raises(InputError) as error:
        load(tmp_path, override)
    assert str(error.value).startswith(f"{tmp_path / 'words.yaml'}: {message}")
    assert "\n" not in str(error.value)
