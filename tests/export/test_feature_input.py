import json

import numpy as np
import pytest
import tensorflow as tf
import tiny

from pipeline.config import Config, load_config
from pipeline.errors import InputError
from pipeline.export.about import About
from pipeline.export.onnx import write_onnx
from pipeline.export.saved_model import export
from pipeline.feature_files import FeatureFrames
from pipeline.inference import Recognizer
from pipeline.models.acoustic import AcousticModel
from pipeline.training.run import Run
from pipeline.training.trainer import train


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A run on features, its export, and its model."""
    folder = tmp_path_factory.mktemp("features")
    audio = load_config(tiny.write_config(folder, training={"epochs": 8}, model={"units": 24}))
    tiny.write_features(folder, audio.features)
    train(load_config(tiny.write_features_config(folder)), folder / "run")
    export(folder / "run", folder / "out")
    return folder / "run", folder / "out", Run(folder / "run").load()[2]


@pytest.fixture(scope="module")
def batch(exported):
    """Features of three utterances, padded with what is none of theirs, and their lengths."""
    utterances = [np.load(exported[0].parent / f"test-{number}.npy") for number in range(3)]
    lengths = np.array([len(utterance) for utterance in utterances], np.int32)
    features = np.full((3, lengths.max() + 5, 12), 9.0, np.float32)
    for row, utterance in zip(features, utterances, strict=True):
        row[: len(utterance)] = utterance
    return {"features": tf.constant(features), "lengths": tf.constant(lengths)}


def utterances(batch):
    features, lengths = batch["features"].numpy(), batch["lengths"].numpy()
    return [row[:length] for row, length in zip(features, lengths, strict=True)]


def test_signatures_take_features_and_none_streams(exported):
    signatures = tf.saved_model.load(str(exported[1])).signatures
    assert set(signatures) == {"serving_default", "log_probs", "spot"}
    for name, signature in signatures.items():
        takes = signature.structured_input_signature[1]
        assert set(takes) - {"keywords"} == {"features", "lengths"}, name
        assert (takes["features"].shape.as_list(), takes["features"].dtype) == ([None, None, 12], tf.float32)
        assert (takes["lengths"].shape.as_list(), takes["lengths"].dtype) == ([None], tf.int32)


def test_the_export_scores_as_the_trained_model_does(exported, batch):
    served = tf.saved_model.load(str(exported[1])).signatures["log_probs"](**batch)
    outputs = exported[2](batch)
    np.testing.assert_array_equal(served["frames"], outputs["frames"])
    np.testing.assert_allclose(served["log_probs"], tf.nn.log_softmax(outputs["logits"]), atol=1e-5)
    together = Recognizer(exported[1]).transcribe_all(utterances(batch))
    for found, alone in zip(together, utterances(batch), strict=True):
        assert found.text == Recognizer(exported[1]).transcribe(alone.astype(np.float64)).text


def test_text_and_keywords_by_signature_and_by_recognizer_agree(exported, batch):
    signatures, recognizer = tf.saved_model.load(str(exported[1])).signatures, Recognizer(exported[1])
    texts = signatures["serving_default"](**batch)["text"].numpy()
    found = signatures["spot"](**batch, keywords=tf.constant(["abc", "b"]))
    for row, features in enumerate(utterances(batch)):
        assert recognizer.transcribe(features).text == texts[row].decode()
        spotted = recognizer.spot(features, ["abc", "b"])
        assert [each.score for each in spotted] == pytest.approx(found["scores"].numpy()[row].tolist(), abs=1e-4)


def test_words_lie_inside_the_utterance(exported, batch):
    for features in utterances(batch):
        transcript = Recognizer(exported[1]).transcribe(features)
        for word in transcript.words:
            assert 0 <= word.start < word.end <= len(features) * 0.01 + 1e-6
            assert 0 <= word.confidence <= 1


@pytest.mark.parametrize("frames", [0, 1, 2])
def test_very_few_frames_have_a_transcript(exported, frames):
    features = np.zeros((frames, 12), np.float32)
    assert Recognizer(exported[1]).transcribe(features).text in ("", "a", "b", "c")
    served = tf.saved_model.load(str(exported[1])).signatures["log_probs"](
        features=tf.constant(features[None]), lengths=tf.constant([frames])
    )
    assert served["frames"].numpy().tolist() == [frames // 2]


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30])
def test_coefficients_that_are_no_numbers_are_zeros(exported, batch, bad):
    model, features = tf.saved_model.load(str(exported[1])), batch["features"].numpy()
    zeros = features.copy()
    features[0, 7:9], zeros[0, 7:9] = bad, 0
    found, wanted = (
        model.signatures["log_probs"](features=tf.constant(each), lengths=batch["lengths"])["log_probs"].numpy()
        for each in (features, zeros)
    )
    np.testing.assert_array_equal(found, wanted)


def test_the_export_tells_what_it_takes(exported):
    _, out, _ = exported
    about = Recognizer(out).about
    assert about.features == FeatureFrames(coefficients=12, hop_ms=10.0)
    assert (about.input, about.lengths_per_second, about.frame_seconds) == ("features", 100, 0.02)
    assert about.cannot_stream == "features.input = features"
    assert json.loads((out / "assets" / "model.json").read_text())["features"] == {"coefficients": 12, "hop_ms": 10.0}
    card = (out / "card.md").read_text()
    assert "12 coefficients every 10 ms" in card and "Confidences are calibrated" in card


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda recognizer: recognizer.transcribe(np.zeros(800, np.float32)), r"float \[frames, 12\] wanted, found"),
        (lambda recognizer: recognizer.transcribe(np.zeros((8, 11))), r"found float64 \[8, 11\]"),
        (lambda recognizer: recognizer.log_probs(bytes(160)), "found bytes"),
        (lambda recognizer: recognizer.spot(np.full((8, 12), np.nan), ["a"]), "finite coefficients wanted"),
        (lambda recognizer: recognizer.stream(), r"in pieces wanted, this one has features\.input = features"),
        (lambda recognizer: recognizer.sample_rate, r"takes audio wanted, this one has features\.input = features"),
    ],
    ids=range(6),
)
def test_what_it_does_not_take_is_told(exported, ask, message):
    with pytest.raises(InputError, match=message):
        ask(Recognizer(exported[1]))


def test_no_litert_model_is_made(exported, tmp_path):
    with pytest.raises(InputError, match=r"LiteRT: .* this one has features\.input = features"):
        export(exported[0], tmp_path / "out", litert=True)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("told", ['{"coefficients": 0, "hop_ms": 10.0}', '{"coefficients": 12}', "[12]", "null"])
def test_a_damaged_description_is_named(exported, tmp_path, told):
    about = json.loads((exported[1] / "assets" / "model.json").read_text())
    about["features"] = json.loads(told)
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "model.json").write_text(json.dumps(about))
    (tmp_path / "assets" / "units.txt").write_bytes((exported[1] / "assets" / "units.txt").read_bytes())
    with pytest.raises(InputError, match=r"model\.json: not as this version exports it"):
        About.load(tmp_path)


def test_a_description_of_another_model_is_named(exported, tmp_path):
    out = tmp_path / "out"
    export(exported[0], out)
    (out / "SHA256SUMS").unlink()
    for changes in ({"features": {"coefficients": 13, "hop_ms": 10.0}}, {"features": None, "sample_rate": 8000}):
        about = json.loads((out / "assets" / "model.json").read_text())
        (out / "assets" / "model.json").write_text(json.dumps({**about, **changes}))
        with pytest.raises(InputError, match=r"model\.json: what the model takes wanted"):
            Recognizer(out)


def test_an_export_from_before_takes_audio(exported, tmp_path):
    about = json.loads((exported[1] / "assets" / "model.json").read_text())
    del about["features"]
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "model.json").write_text(json.dumps({**about, "sample_rate": 8000}))
    (tmp_path / "assets" / "units.txt").write_bytes((exported[1] / "assets" / "units.txt").read_bytes())
    assert (About.load(tmp_path).input, About.load(tmp_path).lengths_per_second) == ("audio", 8000)


def test_onnx_scores_as_the_network(tmp_path):
    pytest.importorskip("tf2onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    values = {
        "name": "tiny",
        "features": {"input": "features", "coefficients": 10},
        "model": {"units": 8, "layers": 2},
        "data": {split: [{"kind": "manifest", "path": "none"}] for split in ("train", "valid")},
    }
    made = AcousticModel(Config.model_validate(values), units=5, portable=True)
    write_onnx(made, tmp_path)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    lengths = np.array([0, 1, 2, 3, 5, 6, 60, -5, 10**6], np.int32)
    features = np.random.default_rng(0).normal(size=(len(lengths), 60, 10)).astype(np.float32)
    found = session.run(["frames", "log_probs"], {"features": features, "lengths": lengths})
    outputs = made({"features": features, "lengths": np.clip(lengths, 0, 60)})
    np.testing.assert_array_equal(found[0], outputs["frames"])
    np.testing.assert_allclose(found[1], tf.nn.log_softmax(outputs["logits"]), atol=1e-4)
