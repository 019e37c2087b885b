import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tiny

from pipeline.config import load_config
from pipeline.errors import InputError, PipelineError
from pipeline.export.saved_model import export
from pipeline.export.serving import Serving
from pipeline.inference import Recognizer
from pipeline.models.acoustic import AcousticModel
from pipeline.training.run import Run
from pipeline.training.start import start_from
from pipeline.training.trainer import train

ROOT = Path(__file__).resolve().parents[2]

WITHOUT_KERAS = """
import sys
from importlib.machinery import PathFinder
find = PathFinder.find_spec
absent = {"keras", "tf_keras", "librosa", "pydantic", "yaml", "jiwer"}
PathFinder.find_spec = lambda name, *rest: None if name.split(".")[0] in absent else find(name, *rest)
import pipeline.inference
assert "tensorflow" not in sys.modules, "importing inference loads TensorFlow"
from pipeline.inference import Recognizer
import numpy as np
print(Recognizer(sys.argv[1]).transcribe(np.load(sys.argv[2])).text)
"""


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A run's folder, its export, and its model."""
    folder = tmp_path_factory.mktemp("export")
    settings = load_config(tiny.write_config(folder, training={"epochs": 8}, model={"units": 24}))
    train(settings, folder / "run")
    export(folder / "run", folder / "out")
    return folder / "run", folder / "out", Run(folder / "run").load()[2]


@pytest.fixture(scope="module")
def speech():
    """A padded batch: audio and lengths."""
    random = np.random.default_rng(5)
    utterances = [tiny.tones(text, random) for text in ("abc", "ca", "b")]
    audio = np.zeros((3, max(map(len, utterances)) + 500), np.float32)
    for row, utterance in zip(audio, utterances, strict=True):
        row[: len(utterance)] = utterance
    return audio, np.array([len(utterance) for utterance in utterances], np.int32)


def test_the_export_scores_as_the_trained_model_does(exported, speech):
    _, out, model = exported
    audio, lengths = speech
    served = tf.saved_model.load(str(out)).signatures["log_probs"](
        audio=tf.constant(audio), lengths=tf.constant(lengths)
    )
    outputs = model({"audio": audio, "lengths": lengths})
    np.testing.assert_array_equal(served["frames"], outputs["frames"])
    np.testing.assert_allclose(served["log_probs"], tf.nn.log_softmax(outputs["logits"]), atol=1e-5)


def test_half_precision_halves_the_weights_and_changes_next_to_nothing(exported, speech, tmp_path):
    run, whole, model = exported
    export(run, tmp_path / "half", half=True)
    files = [folder / "variables" / "variables.data-00000-of-00001" for folder in (whole, tmp_path / "half")]
    sizes = [file.stat().st_size for file in files]
    assert sizes[1] < 0.6 * sizes[0]
    audio, lengths = speech
    signatures = tf.saved_model.load(str(tmp_path / "half")).signatures
    lengths = np.full_like(lengths, audio.shape[1])
    found = signatures["log_probs"](audio=tf.constant(audio), lengths=tf.constant(lengths))["log_probs"]
    wanted = tf.nn.log_softmax(model({"audio": audio, "lengths": lengths})["logits"])
    difference = np.abs(found - wanted)
    assert 0 < difference.max() < 0.05 and difference.mean() < 0.005
    state = signatures["stream_start"](batch=tf.constant(len(audio)))
    state = signatures["stream"](audio=tf.constant(audio), **state)
    streamed = state.pop("log_probs")
    np.testing.assert_allclose(streamed, found[:, : streamed.shape[1]], atol=1e-4)
    started = AcousticModel(load_config(run / "config.yaml"), model.logits.units)
    start_from(started, Run(run).load()[1], [tmp_path / "half"])
    for mine, theirs in zip(started.weights, model.weights, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-6)


def test_text_by_signature_and_by_recognizer_agree_whatever_the_batch(exported, speech):
    _, out, _ = exported
    audio, lengths = speech
    serve = tf.saved_model.load(str(out)).signatures["serving_default"]
    served = serve(audio=tf.constant(audio), lengths=tf.constant(lengths))
    recognizer = Recognizer(out)
    for row, length, text, confidence in zip(audio, lengths, served["text"], served["confidence"], strict=True):
        transcript = recognizer.transcribe(row[:length])
        assert transcript.text == text.numpy().decode()
        assert transcript.confidence == pytest.approx(float(confidence), abs=1e-4)
        assert 0 <= transcript.confidence <= 1


def test_what_is_less_sure_than_any_validation_utterance_is_answered_with_nothing(exported, speech):
    _, out, model = exported
    audio, lengths = speech
    about = Recognizer(out).about
    assert 0 < about.least_confidence <= 0.05
    sure = []
    for least in (0.0, 0.5, 1.0):
        serve = Serving(model, about.units, about.calibration, least).signatures()["serving_default"]
        served = serve(tf.constant(audio), tf.constant(lengths))
        sure = sure or served["text"].numpy().tolist()
        expected = [text if found >= least else b"" for text, found in zip(sure, served["confidence"], strict=True)]
        assert served["text"].numpy().tolist() == expected
    assert any(sure) and not any(expected)


@pytest.mark.parametrize("packet", [1, 160, 10**6])
def test_streaming_signatures_score_as_the_whole(exported, speech, packet):
    signatures = tf.saved_model.load(str(exported[1])).signatures
    audio = speech[0][:2, : 700 if packet == 1 else None]
    whole = signatures["log_probs"](audio=tf.constant(audio), lengths=tf.constant([audio.shape[1]] * 2))
    state = signatures["stream_start"](batch=tf.constant(2))
    pieces = []
    for begin in range(0, audio.shape[1], packet):
        state = signatures["stream"](audio=tf.constant(audio[:, begin : begin + packet]), **state)
        pieces.append(state.pop("log_probs"))
    pieces.append(signatures["stream_end"](**state)["log_probs"])
    found = tf.concat(pieces, axis=1)
    assert found.shape[1] == whole["frames"][0]
    np.testing.assert_allclose(found, whole["log_probs"][:, : found.shape[1]], atol=1e-4)


def test_keywords_are_scored_by_signature(exported, speech):
    audio, lengths = speech
    spot = tf.saved_model.load(str(exported[1])).signatures["spot"]
    found = spot(audio=tf.constant(audio), lengths=tf.constant(lengths), keywords=tf.constant(["abc", "b"]))
    assert found["scores"].shape == found["start"].shape == found["end"].shape == (3, 2)
    alone = Recognizer(exported[1]).spot(audio[0, : lengths[0]], ["abc", "b"])
    assert [detection.score for detection in alone] == pytest.approx(found["scores"].numpy()[0].tolist(), abs=1e-4)
    with pytest.raises(tf.errors.InvalidArgumentError, match="not among the model"):
        spot(audio=tf.constant(audio), lengths=tf.constant(lengths), keywords=tf.constant(["xyz"]))


def test_an_export_without_its_validation_data_is_not_calibrated(exported, tmp_path, caplog):
    export(exported[0], tmp_path / "out", ["data.folder=nowhere"])
    assert "not calibrated, for want of the validation data: nowhere" in caplog.text
    assert "not calibrated" in (tmp_path / "out" / "card.md").read_text()
    assert not (tmp_path / "out" / "reliability.png").exists()
    assert Recognizer(tmp_path / "out").about.calibration.word == (1.0, 0.0)


@pytest.mark.parametrize("samples", [0, 1, 255, 256, 300])
def test_very_short_audio_has_a_transcript(exported, samples):
    _, out, _ = exported
    audio = np.zeros(samples, np.float32)
    assert Recognizer(out).transcribe(audio).text == ""
    serve = tf.saved_model.load(str(out)).signatures["serving_default"]
    served = serve(audio=tf.constant(audio[None]), lengths=tf.constant([samples]))
    assert served["text"].numpy().tolist() == [b""]


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30])
def test_samples_that_are_no_numbers_are_silence(exported, speech, bad):
    model, audio = tf.saved_model.load(str(exported[1])), speech[0].copy()
    silent = audio.copy()
    audio[0, 700:900], silent[0, 700:900] = bad, 0
    inputs = [{"audio": tf.constant(each), "lengths": tf.constant(speech[1])} for each in (audio, silent)]
    for name, more in (("serving_default", {}), ("log_probs", {}), ("spot", {"keywords": tf.constant(["a", "abc"])})):
        found, wanted = (model.signatures[name](**each, **more) for each in inputs)
        for key, values in wanted.items():
            assert np.array_equal(found[key].numpy(), values.numpy()), (name, key)


def test_lengths_beyond_the_audio_are_those_of_the_audio(exported, speech):
    _, out, _ = exported
    audio, _ = speech
    score = tf.saved_model.load(str(out)).signatures["log_probs"]
    beyond = score(audio=tf.constant(audio), lengths=tf.constant([10**6] * 3))
    exact = score(audio=tf.constant(audio), lengths=tf.constant([audio.shape[1]] * 3))
    np.testing.assert_array_equal(beyond["frames"], exact["frames"])
    np.testing.assert_array_equal(beyond["log_probs"], exact["log_probs"])


def test_weights_are_stored_once(exported):
    _, out, model = exported
    size = (out / "variables" / "variables.data-00000-of-00001").stat().st_size
    weights = sum(int(np.prod(variable.shape)) for variable in model.weights) * 4
    assert weights <= size < weights + 2000


def test_no_operation_needs_a_gpu(exported):
    _, out, _ = exported
    assert b"Cudnn" not in (out / "saved_model.pb").read_bytes()


def test_it_runs_where_keras_is_not_installed(exported, speech, tmp_path):
    _, out, _ = exported
    audio, lengths = speech
    np.save(tmp_path / "audio.npy", audio[0, : lengths[0]])
    command = [sys.executable, "-c", WITHOUT_KERAS, str(out), str(tmp_path / "audio.npy")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == Recognizer(out).transcribe(audio[0, : lengths[0]]).text


def test_the_folder_is_complete(exported):
    run, out, _ = exported
    assert (out / "assets" / "units.txt").read_text() == Run(run).units.read_text()
    assert load_config(out / "assets" / "config.yaml") == load_config(Run(run).config)
    assert json.loads((out / "assets" / "model.json").read_text())["sample_rate"] == tiny.RATE
    assert "word error rate" in (out / "card.md").read_text()


def test_an_export_is_replaced_but_nothing_else_is(exported, tmp_path):
    run, out, _ = exported
    export(run, out)
    assert Recognizer(out).sample_rate == tiny.RATE
    (tmp_path / "precious").write_text("keep me")
    with pytest.raises(InputError, match="found something else"):
        export(run, tmp_path)
    assert (tmp_path / "precious").read_text() == "keep me"


def test_what_cannot_be_written_is_named(exported, tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(PipelineError, match=r"file/out: cannot be written"):
        export(exported[0], tmp_path / "file" / "out")


def test_a_damaged_export_is_named(exported, tmp_path):
    shutil.copytree(exported[1], tmp_path / "out")
    (weights,) = (tmp_path / "out" / "variables").glob("variables.data*")
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"out: a damaged export"):
        Recognizer(tmp_path / "out")


def test_a_folder_without_a_run_is_named(tmp_path):
    with pytest.raises(InputError, match=r"no config\.yaml"):
        export(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()
