import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tiny

from pipeline.config import Config, load_config
from pipeline.decoding.confidence import Calibration
from pipeline.errors import InputError
from pipeline.export import litert
from pipeline.export.about import About
from pipeline.export.litert import FRAMES_AT_ONCE, write_litert
from pipeline.export.saved_model import export
from pipeline.inference import Recognizer
from pipeline.models.acoustic import AcousticModel
from pipeline.text import Units
from pipeline.training.trainer import train

pytest.importorskip("ai_edge_litert")
from pipeline.inference.litert import LiteRTModel

ROOT = Path(__file__).resolve().parents[2]
FEATURES = {"sample_rate": 8000, "n_fft": 256, "mels": 20, "coefficients": 10}
VARIANTS = [
    {},
    {"model": {"cell": "simple_rnn"}, "features": {"centre": True, "deltas": 1}},
    {"model": {"cell": "gru", "layer_normalization": True}, "features": {"deltas": 2, "stack": 5, "stride": 2}},
    {"features": {"stack": 2, "stride": 5, "deltas": 1}},
    {"features": {"stack": 1, "stride": 1, "hop_ms": 16.0, "centre": True}},  # steps leave no frames behind
    {"features": {"silent_frames": 3, "deltas": 1}},
    {"features": {"silent_frames": 11, "centre": True}},  # more than a step
]
WITHOUT_TENSORFLOW = """
import sys
from importlib.machinery import PathFinder
find = PathFinder.find_spec
absent = {"tensorflow", "keras", "librosa", "pydantic", "yaml", "jiwer", "matplotlib"}
PathFinder.find_spec = lambda name, *rest: None if name.split(".")[0] in absent else find(name, *rest)
import os, runpy
sys.argv = sys.argv[1:]
sys.path.insert(0, os.path.dirname(sys.argv[0]))
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def made(variant, folder):
    """A network of random weights, as a model for LiteRT."""
    values = {
        "name": "tiny",
        "features": {**FEATURES, **variant.get("features", {})},
        "model": {"units": 8, "layers": 2, **variant.get("model", {})},
        "data": {split: [{"kind": "manifest", "path": "none"}] for split in ("train", "valid")},
    }
    settings = Config.model_validate(values)
    network = AcousticModel(settings, units=5, portable=True)
    random = np.random.default_rng(3)
    for weight in network.trainable_variables:
        weight.assign(random.normal(size=weight.shape, scale=0.3))
    features = settings.features
    frame = features.hop_samples * features.stride
    units = Units("characters", "abcd")
    About(units, 8000, frame, features.first_samples, {}, None, Calibration()).save(folder)
    write_litert(network, folder)
    return network


@pytest.fixture(scope="module", params=VARIANTS, ids=str)
def pair(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("litert")
    return made(request.param, folder), LiteRTModel(folder, About.load(folder))


def speech(samples):
    return np.random.default_rng(0).normal(size=samples, scale=0.1).astype(np.float32)


@pytest.mark.parametrize("samples", [0, 1, 255, 256, 400, 1024, 1500, 9000])
def test_it_scores_as_the_network_does(pair, samples):
    network, model = pair
    audio = speech(samples)
    outputs = network({"audio": audio[None], "lengths": np.array([samples], np.int32)})
    wanted = tf.nn.log_softmax(outputs["logits"]).numpy()[0, : int(outputs["frames"][0])]
    (found,) = model.log_probs([audio])
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, atol=0.2)  # weights of 8 bits
    if len(wanted):
        assert np.abs(found - wanted).mean() < 0.05


@pytest.mark.parametrize("variant", VARIANTS[1:3], ids=str)
def test_with_weights_of_32_bits_the_scores_are_those_of_the_network(variant, tmp_path, monkeypatch):
    convert = litert._converted
    monkeypatch.setattr(litert, "_converted", lambda *rest, quantized: convert(*rest, quantized=False))
    network, model = made(variant, tmp_path), LiteRTModel(tmp_path, About.load(tmp_path))
    for samples in (256, 1500, 9000):
        outputs = network({"audio": speech(samples)[None], "lengths": np.array([samples], np.int32)})
        wanted = tf.nn.log_softmax(outputs["logits"]).numpy()[0, : int(outputs["frames"][0])]
        np.testing.assert_allclose(model.log_probs([speech(samples)])[0], wanted, atol=1e-3)


@pytest.mark.parametrize("size", [1, 37, 800, 10**6])
def test_the_size_of_the_pieces_does_not_change_the_scores(pair, size):
    _, model = pair
    audio = speech(700 if size == 1 else 5000)
    state, parts = model.start(), []
    for begin in range(0, len(audio), size):
        log_probs, state = model.step(audio[begin : begin + size], state)
        parts.append(log_probs)
    np.testing.assert_array_equal(np.concatenate([*parts, model.end(state)]), model.log_probs([audio])[0])


def test_threads_may_share_a_model(exported):
    model = LiteRTModel(exported, About.load(exported))
    audio = [speech(samples) for samples in range(8000, 16000, 2000)] * 5
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda each: model.log_probs([each])[0], audio))
    for found, wanted in zip(together, model.log_probs(audio), strict=True):
        np.testing.assert_array_equal(found, wanted)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    path = tiny.write_config(folder, training={"epochs": 20}, model={"units": 24}, data={"batch_size": 2})
    train(load_config(path), folder / "run")
    export(folder / "run", folder / "out", litert=True)
    return folder / "out"


def test_transcripts_are_those_of_the_saved_model(exported):
    audio = tiny.tones("abcab", np.random.default_rng(5))
    by_tensorflow, by_litert = Recognizer(exported), Recognizer(exported, runtime="litert")
    wanted, found = by_tensorflow.transcribe(audio), by_litert.transcribe(audio)
    assert found.text == wanted.text != ""
    assert [word.start for word in found.words] == pytest.approx([word.start for word in wanted.words], abs=0.05)
    (wanted,), (found,) = by_tensorflow.spot(audio, ["bca"]), by_litert.spot(audio, ["bca"])
    assert found.score == pytest.approx(wanted.score, abs=0.1)


def test_a_stream_ends_its_utterances(exported):
    random = np.random.default_rng(5)
    pause = 1e-3 * random.normal(size=2 * tiny.RATE)
    audio = np.concatenate([tiny.tones("abc", random), pause, tiny.tones("ca", random), pause]).astype(np.float32)
    results = []
    for packet in (80, 4000, len(audio)):
        recognizer, texts = Recognizer(exported, runtime="litert"), []
        for begin in range(0, len(audio), packet):
            recognizer.accept_waveform(audio[begin : begin + packet])
            while result := recognizer.result():
                texts.append(result.text)
        results.append([*texts, recognizer.final().text])
    assert results[0] == results[1] == results[2]
    assert len(results[0]) == 3


def without_tensorflow(script, exported, folder, file):
    options = ["--model", str(exported), "--runtime", "litert", file]
    command = [sys.executable, "-c", WITHOUT_TENSORFLOW, str(ROOT / "scripts" / script), *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_it_runs_where_tensorflow_is_not_installed(exported, tmp_path):
    import soundfile

    soundfile.write(tmp_path / "a.wav", tiny.tones("abc", np.random.default_rng(5)), tiny.RATE)
    done = without_tensorflow("transcribe.py", exported, tmp_path, "a.wav")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == Recognizer(exported).transcribe(tiny.tones("abc", np.random.default_rng(5))).text


def test_what_measuring_needs_is_named_where_it_is_not_installed(exported, tmp_path):
    done = without_tensorflow("evaluate.py", exported, tmp_path, "a.jsonl")
    wanted = "error: pydantic wanted, to measure with; pip install -r requirements.txt"
    assert (done.returncode, done.stderr.splitlines()) == (1, [wanted])


def test_a_step_has_the_frames_that_it_says(exported):
    assert LiteRTModel(exported, About.load(exported))._frames == FRAMES_AT_ONCE


def test_a_missing_or_damaged_model_is_named(exported, tmp_path):
    shutil.copytree(exported, tmp_path / "out")
    (tmp_path / "out" / "model.tflite").write_bytes(b"damaged")
    with pytest.raises(InputError, match="out: a damaged model for LiteRT"):
        Recognizer(tmp_path / "out", runtime="litert")
    (tmp_path / "out" / "model.tflite").unlink()
    with pytest.raises(InputError, match=r"model\.tflite: a model for LiteRT wanted.* --litert"):
        Recognizer(tmp_path / "out", runtime="litert")
    shutil.copy(exported / "model.tflite", tmp_path / "out")
    (tmp_path / "out" / "SHA256SUMS").unlink()
    for name, other in (("model", "features"), ("features", "model")):
        shutil.copy(exported / f"{other}.tflite", tmp_path / "out" / f"{name}.tflite")
        with pytest.raises(InputError, match="damaged model"):
            Recognizer(tmp_path / "out", runtime="litert")
        shutil.copy(exported / f"{name}.tflite", tmp_path / "out")
    (tmp_path / "out" / "assets" / "litert.json").write_text(json.dumps({"n_fft": 1}))
    with pytest.raises(InputError, match="damaged model"):
        Recognizer(tmp_path / "out", runtime="litert")


@pytest.mark.parametrize("name", ["model.tflite", "features.tflite"])
def test_damaged_weights_are_named(exported, tmp_path, name):
    shutil.copytree(exported, tmp_path / "out")
    content = bytearray((exported / name).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "out" / name).write_bytes(content)
    with pytest.raises(InputError, match=f"{name}: damaged, or not of this export"):
        Recognizer(tmp_path / "out", runtime="litert")


def copy_without_checksums(exported, folder):
    """As earlier versions exported."""
    shutil.copytree(exported, folder)
    (folder / "SHA256SUMS").unlink()


def test_features_of_another_export_are_named(exported, tmp_path):
    copy_without_checksums(exported, tmp_path / "out")
    assert Recognizer(tmp_path / "out", runtime="litert").transcribe(speech(400)) is not None
    made({}, tmp_path)  # 10 coefficients, where the export has 12
    shutil.copy(tmp_path / "features.tflite", tmp_path / "out")
    with pytest.raises(InputError, match="makes 10 coefficients"):
        Recognizer(tmp_path / "out", runtime="litert")


def test_units_of_another_export_are_named(exported, tmp_path):
    copy_without_checksums(exported, tmp_path / "out")
    Units("characters", "abcdefgh").save(tmp_path / "out" / "assets" / "units.txt")
    with pytest.raises(InputError, match=r"it scores 4 units, assets/units\.txt has 9"):
        Recognizer(tmp_path / "out", runtime="litert")


@pytest.mark.parametrize("name", ["n_fft", "hop", "stride", "context"])
def test_windows_of_another_export_are_named(exported, tmp_path, name):
    copy_without_checksums(exported, tmp_path / "out")
    file = tmp_path / "out" / "assets" / "litert.json"
    host = json.loads(file.read_text())
    file.write_text(json.dumps({**host, name: host[name] + 1}))
    with pytest.raises(InputError, match="damaged model"):
        Recognizer(tmp_path / "out", runtime="litert")


def test_a_missing_package_is_named(exported, monkeypatch):
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(InputError, match=r"requirements-litert\.txt"):
        Recognizer(exported, runtime="litert")


def test_a_model_that_cannot_stream_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"LiteRT: .* model\.bidirectional = true"):
        made({"model": {"bidirectional": True}}, tmp_path)
