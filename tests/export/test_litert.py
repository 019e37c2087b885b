import json

import numpy as np
import pytest

from pipeline.config import Config
from pipeline.errors import InputError
from pipeline.export.litert import FRAMES_AT_ONCE, write_litert
from pipeline.models.acoustic import AcousticModel

interpreters = pytest.importorskip("ai_edge_litert.interpreter")


def network(**model):
    values = {
        "name": "tiny",
        "features": {"sample_rate": 8000, "n_fft": 256, "mels": 20, "coefficients": 10, "deltas": 1},
        "model": {"cell": "lstm", "units": 64, "layers": 2, **model},
        "data": {split: [{"kind": "manifest", "path": "none"}] for split in ("train", "valid")},
    }
    return AcousticModel(Config.model_validate(values), units=5, portable=True)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("litert")
    (folder / "assets").mkdir()
    model = network()
    write_litert(model, folder)
    return model, folder


def runner(file):
    interpreter = interpreters.Interpreter(str(file))
    return interpreter, interpreter.get_signature_runner()


def test_the_weights_have_8_bits(written):
    model, folder = written
    assert (folder / "model.tflite").stat().st_size < 2 * model.count_params()  # 4 times as many bytes, in floats
    interpreter, _ = runner(folder / "model.tflite")
    assert np.dtype(np.int8) in {np.dtype(tensor["dtype"]) for tensor in interpreter.get_tensor_details()}


def test_the_features_keep_their_32(written):
    interpreter, _ = runner(written[1] / "features.tflite")
    assert np.dtype(np.int8) not in {np.dtype(tensor["dtype"]) for tensor in interpreter.get_tensor_details()}


def test_shapes_are_fixed_and_say_what_a_step_takes(written):
    model, folder = written
    features = model.settings.features
    host = json.loads((folder / "assets" / "litert.json").read_text())
    (_, mfcc), (_, score) = runner(folder / "features.tflite"), runner(folder / "model.tflite")
    frames = FRAMES_AT_ONCE * host["stride"]
    samples = (frames - 1) * host["hop"] + host["n_fft"]
    window = (FRAMES_AT_ONCE - 1) * host["stride"] + host["context"]
    assert mfcc.get_input_details()["audio"]["shape_signature"].tolist() == [1, samples]
    assert mfcc.get_output_details()["mfcc"]["shape_signature"].tolist() == [1, frames, features.coefficients]
    inputs, outputs = score.get_input_details(), score.get_output_details()
    assert inputs.pop("mfcc")["shape_signature"].tolist() == [1, window, features.coefficients]
    assert outputs.pop("log_probs")["shape_signature"].tolist() == [1, FRAMES_AT_ONCE, 5]
    assert inputs.keys() == outputs.keys()
    assert {tuple(value["shape_signature"]) for value in (*inputs.values(), *outputs.values())} == {(1, 64)}


def test_nothing_is_written_of_a_model_that_cannot_stream(tmp_path):
    with pytest.raises(InputError, match=r"LiteRT: .* model\.bidirectional = true"):
        write_litert(network(bidirectional=True), tmp_path)
    assert not list(tmp_path.iterdir())
