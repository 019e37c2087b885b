from pathlib import Path

import pytest

from pipeline.config import load_config, with_values
from pipeline.data import synthesis
from pipeline.errors import InputError
from pipeline.models.recurrent import make_cell

ROOT = Path(__file__).resolve().parents[1]
MINIMAL = "data:\n  train: [{kind: manifest, path: a.jsonl}]\n  valid: [{kind: manifest, path: b.jsonl}]\n"
SYNTHESIS = MINIMAL.replace("{kind: manifest, path: a.jsonl}", "{kind: synthesis, phrases: [hello], utterances: 5}")


def load(tmp_path, text=MINIMAL, *overrides):
    (tmp_path / "words.yaml").write_text(text, encoding="utf-8")
    return load_config(tmp_path / "words.yaml", list(overrides))


def test_defaults_fill_what_is_not_said(tmp_path):
    settings = load(tmp_path)
    assert (settings.name, settings.model.cell, settings.features.sample_rate) == ("words", "lstm", 16000)


def test_overrides_come_on_top(tmp_path):
    settings = load(tmp_path, MINIMAL, "model.cell=simple_rnn", "augment.speed=[0.9, 1.1]", "data.train.0.path=c.jsonl")
    assert settings.model.cell == "simple_rnn"
    assert settings.augment.speed == (0.9, 1.1)
    assert settings.data.train[0].path == "c.jsonl"


@pytest.mark.parametrize(
    "overrides",
    [
        ["model.units=7"],
        ["augment.speed=[0.9, 1.1]", "text.replace={'&': und, \u00df: ss}", "units.symbols=[' ', 'no', \u00fc]"],
        ["data.train.0.join={utterances: 9, words: [2, 3]}", "data.train.0.speakers.share=[0, 0.5]"],
        ["data.test=[{kind: tfds, name: spoken_digit, speaker: name}]"],
    ],
)
@pytest.mark.parametrize("kind", ["manifest", "synthesis"])
def test_what_is_written_is_read_back(tmp_path, kind, overrides):
    settings = load(tmp_path, {"manifest": MINIMAL, "synthesis": SYNTHESIS}[kind], *overrides)
    assert load(tmp_path, settings.to_yaml()) == settings


@pytest.mark.parametrize("text", ["1e-4", "1E-4", "1.e-4", "1.0e-4", "0.0001", ".1e-3", "+1e-4"])
def test_a_float_may_be_written_with_an_exponent_alone(tmp_path, text):
    assert load(tmp_path, MINIMAL, f"training.learning_rate={text}").training.learning_rate == 1e-4


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_configuration_here_is_valid(path):
    assert load_config(path).name == path.stem


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.cel=lstm", "unknown key model.cel; did you mean cell?"),
        ("modle.cell=lstm", "unknown key modle; did you mean model?"),
        ("data.train.0.pth=x", "unknown key data.train.0.pth; did you mean path?"),
        ("model.units=many", "model.units = 'many': "),
        ("model.units=0", "model.units = 0: "),
        ("model.units=true", "model.units = True: input should be a valid integer"),
        ("model.units='7'", "model.units = '7': input should be a valid integer"),
        ("model.bidirectional=1", "model.bidirectional = 1: input should be a valid boolean"),
        ("description=7", "description = 7: input should be a valid string"),
        ("model=5", "model = 5: "),
        ("text.lowercase=maybe", "text.lowercase = 'maybe': "),
        ("seed=-1", "seed = -1: "),
        ("model.dropout=1", "model.dropout = 1: "),
        ("features.deltas=3", "features.deltas = 3: input should be 0, 1 or 2"),
        ("data.train.0.kind=tape", "'manifest', 'corpus', 'tfds', 'synthesis'"),
        ("data.train.0.join.utterance=5", "unknown key data.train.0.join.utterance; did you mean utterances?"),
        ("data.train=[]", "data.train = []: "),
        ("training.learning_rate=.nan", "training.learning_rate = nan: "),
        ("features.mel_scale=slany", "did you mean slaney?"),
        ("data.train=[{kind: tfds, name: x, speaker_pattern: '('}]", "a regular expression wanted"),
        ("data.train=[{kind: tfds, name: x, speaker_pattern: 'x'}]", "a regular expression with a group wanted"),
        ("features.coefficients=50", "coefficients of at most mels = 40 wanted, got 50"),
        ("features.high_hz=9000", "half the sample rate"),
        ("features.n_fft=100", "n_fft of at least the window's 400 samples wanted, got 100"),
        ("units.phrases=[a lot of]", "phrases: kind = words, and no symbols beside them, wanted"),
        ("units={kind: words, symbols: [go], phrases: [go up]}", "phrases: kind = words, and no symbols"),
        ("augment.speed=[1.1, 0.9]", "a range from low to high wanted"),
        ("model.cell", "key=value wanted"),
        ("=lstm", "key=value wanted"),
        ("model.cell=[", "override 'model.cell=[': the value is not YAML"),
        ("description=2024-13-32", "the value is not YAML"),
        ("data.train.7.path=x", "there is no data.train.7"),
        ("data.train.7=x", "there is no data.train.7"),
        ("data.train.first.path=x", "there is no data.train.first"),
        ("seed.x=1", "seed: "),
        ("name=a/b", "name = 'a/b': "),
    ],
)
def test_a_mistake_is_one_line_that_helps(tmp_path, override, message):
    with pytest.raises(InputError) as error:
        load(tmp_path, MINIMAL, override)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("data: [", r"words\.yaml: line \d+: not YAML"),
        ("seed: 1\nname: a: b\n", r"words\.yaml: line 2: not YAML: mapping values are not allowed"),
        ("seed: 1\nseed: 2\n", r"words\.yaml: line 2: not YAML: 'seed' is there twice"),
        ("data: &a {train: *a}\n", "recursive"),
        ("? [a, b]\n: c\n", "unhashable key"),
        ("seed: 1\0", r"words\.yaml: not YAML: unacceptable character"),
        ("name: 2024-13-32\n", r"words\.yaml: not YAML: month must be"),
        (f"1: 2\n{MINIMAL}", "1"),
        ("- a\n", "a mapping of keys to values wanted"),
        ("", "a mapping of keys to values wanted"),
        ("seed: 1\n", "data is missing"),
    ],
)
def test_a_file_that_is_no_configuration_is_named(tmp_path, text, message):
    with pytest.raises(InputError, match=message) as error:
        load(tmp_path, text)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_utf8_is_named(tmp_path):
    (tmp_path / "latin.yaml").write_bytes(b"description: \xfc\n")
    with pytest.raises(InputError, match=r"latin\.yaml: .* not UTF-8"):
        load_config(tmp_path / "latin.yaml")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("words_per_minute=[79, 200]", "data.train.0.words_per_minute.0 = 79: input should be greater than or equal"),
        ("words_per_minute=[80, 451]", "data.train.0.words_per_minute.1 = 451: input should be less than or equal"),
        ("words_per_minute=[200, 130]", "words_per_minute: a range from low to high wanted, got [200, 130]"),
        ("pitch=[-1, 70]", "data.train.0.pitch.0 = -1: "),
        ("pitch=[30, 101]", "data.train.0.pitch.1 = 101: "),
        ("pitch=[70, 30]", "pitch: a range from low to high wanted, got [70, 30]"),
    ],
)
def test_voices_stay_within_what_espeak_can_do(tmp_path, override, message):
    with pytest.raises(InputError) as error:
        load(tmp_path, SYNTHESIS, f"data.train.0.{override}")
    assert message in str(error.value)


def test_voices_may_go_to_the_limits_of_synthesis(tmp_path):
    speeds, pitches = [synthesis.SLOWEST, synthesis.FASTEST], [0, synthesis.HIGHEST_PITCH]
    overrides = [f"data.train.0.words_per_minute={speeds}", f"data.train.0.pitch={pitches}"]
    source = load(tmp_path, SYNTHESIS, *overrides).data.train[0]
    assert (list(source.words_per_minute), list(source.pitch)) == (speeds, pitches)


def test_an_unknown_cell_is_refused_with_the_names_there_are(tmp_path):
    model = load(tmp_path, MINIMAL, "model.cell=lstmm").model
    with pytest.raises(InputError, match=r"model\.cell = 'lstmm': one of .*simple_rnn.* wanted"):
        make_cell(model.cell, model.units, portable=True, name="cell")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.yaml: a configuration file wanted"):
        load_config(tmp_path / "none.yaml")


TUNE = (
    "tune={training.learning_rate: {low: 1e-4, high: 1e-2, log: true}, model.units: [128, 256], "
    "model.layers: {low: 1, high: 3}}"
)


def test_what_may_be_tuned_is_read_and_written(tmp_path):
    settings = load(tmp_path, MINIMAL, TUNE)
    assert settings.tune["model.units"] == [128, 256]
    assert settings.tune["model.layers"].is_whole and not settings.tune["training.learning_rate"].is_whole
    assert load(tmp_path, settings.to_yaml()) == settings
    assert load(tmp_path, MINIMAL, TUNE, "tune.model.units=[7]").tune["model.units"] == [7]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("tune={model.unit: [1, 2]}", "tune.model.unit: unknown key model.unit; did you mean units?"),
        ("tune={model.units: [8, 0]}", "tune.model.units: model.units = 0: input should be greater than 0"),
        ("tune={model.dropout: {low: 0, high: 2}}", "model.dropout = 2: input should be less than 1"),
        ("tune={model.units: {low: 2, high: 1}}", "tune.model.units: a range from low to high wanted, got 2 to 1"),
        ("tune={model.dropout: {low: 0, high: 1e-1, log: true}}", "low above 0 wanted with log, got 0"),
        ("tune={model.units: {lo: 1, high: 2}}", "unknown key tune.model.units.lo; did you mean low?"),
        ("tune={model.units: 7}", "tune.model.units = 7: a list of values, or low and high, wanted"),
        ("tune={model.units: []}", "tune.model.units = []: list should have at least 1 item"),
        ("tune={data.train.7.weight: [1]}", "there is no data.train.7 to set"),
        ("tune={name: [a, b]}", "tune.name: a setting that a training depends on wanted"),
        ("tune=5", "tune = 5: "),
    ],
)
def test_a_mistake_in_what_may_be_tuned_is_one_line_that_helps(tmp_path, override, message):
    with pytest.raises(InputError) as error:
        load(tmp_path, MINIMAL, override)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_a_configuration_is_changed_by_keys(tmp_path):
    settings = load(tmp_path)
    changed = with_values(settings, {"model.cell": "gru", "augment.speed": [0.9, 1.1], "data.train.0.path": "c.jsonl"})
    assert (changed.model.cell, changed.augment.speed) == ("gru", (0.9, 1.1))
    assert (changed.data.train[0].path, settings.data.train[0].path) == ("c.jsonl", "a.jsonl")
    with pytest.raises(InputError, match=r"unknown key model\.cel; did you mean cell"):
        with_values(settings, {"model.cel": "gru"})
