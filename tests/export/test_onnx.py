import sys

import numpy as np
import pytest
import tensorflow as tf

from pipeline.config import Config
from pipeline.errors import PipelineError
from pipeline.export.onnx import write_onnx
from pipeline.models.acoustic import AcousticModel


def network(features=(), **model):
    values = {
        "name": "tiny",
        "features": {"sample_rate": 8000, "n_fft": 256, "mels": 20, "coefficients": 10, "deltas": 1, **dict(features)},
        "model": {"units": 8, "layers": 2, **model},
        "data": {split: [{"kind": "manifest", "path": "none"}] for split in ("train", "valid")},
    }
    return AcousticModel(Config.model_validate(values), units=5, portable=True)


@pytest.mark.parametrize(
    "model", [{"cell": "lstm"}, {"cell": "simple_rnn"}, {"cell": "gru", "bidirectional": True}], ids=str
)
def test_onnx_scores_as_the_network_whatever_the_shapes(tmp_path, model):
    pytest.importorskip("tf2onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    made = network(**model)
    write_onnx(made, tmp_path)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    names = [output.name for output in session.get_outputs()]
    for batch, samples in ((1, 4000), (3, 2500)):
        audio = np.random.default_rng(0).normal(size=(batch, samples), scale=0.1).astype(np.float32)
        lengths = np.arange(samples, samples - 500 * batch, -500).astype(np.int32)
        found = dict(zip(names, session.run(None, {"audio": audio, "lengths": lengths}), strict=True))
        outputs = made({"audio": audio, "lengths": lengths})
        np.testing.assert_array_equal(found["frames"], outputs["frames"])
        np.testing.assert_allclose(found["log_probs"], tf.nn.log_softmax(outputs["logits"]), atol=1e-4)


@pytest.mark.parametrize(
    "features",
    [{}, {"centre": True, "stack": 1, "stride": 2}, {"stack": 2, "stride": 5}, {"silent_frames": 2}],
    ids=str,
)
def test_onnx_counts_the_frames_of_any_lengths(tmp_path, features):
    pytest.importorskip("tf2onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    made = network(features, cell="simple_rnn")
    write_onnx(made, tmp_path)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    lengths = np.array([0, 1, 79, 80, 240, 255, 256, 335, 336, 415, 416, 417, 600, -5, 10**6], np.int32)
    audio = np.zeros((len(lengths), 600), np.float32)
    (frames,) = session.run(["frames"], {"audio": audio, "lengths": lengths})
    wanted = made({"audio": audio, "lengths": np.clip(lengths, 0, 600)})["frames"]
    np.testing.assert_array_equal(frames, wanted)


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(PipelineError, match=r"requirements-onnx\.txt"):
        write_onnx(network(), tmp_path)
