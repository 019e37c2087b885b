import shutil

import numpy as np
import pytest
import tensorflow as tf

from pipeline.decoding.keywords import load_thresholds, save_thresholds
from pipeline.decoding.weights import DecodingWeights, read_decoding_weights, write_decoding_weights
from pipeline.export.earlier import take_over
from pipeline.text import Units


def export(folder, weights, units="ab", dtype=np.float32):
    module = tf.Module()
    module.weights = [tf.Variable(np.array(values, dtype)) for values in weights]
    tf.saved_model.save(module, str(folder))
    (folder / "assets").mkdir(exist_ok=True)
    Units("characters", units).save(folder / "assets" / "units.txt")
    return folder


@pytest.fixture
def earlier(tmp_path):
    folder = export(tmp_path / "earlier", [[1.0, 2.0], [3.0]])
    save_thresholds(folder, {"ab": 0.7})
    write_decoding_weights(folder, DecodingWeights(1.5, 0.5))
    return folder


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_what_was_tuned_is_kept_for_the_same_model(earlier, tmp_path, caplog, dtype):
    new = export(tmp_path / "new", [[1.0, 2.0001], [3.0]] if dtype == np.float16 else [[1.0, 2.0], [3.0]], dtype=dtype)
    take_over(earlier, new)
    assert load_thresholds(new) == {"ab": 0.7}
    assert read_decoding_weights(new) == DecodingWeights(1.5, 0.5)
    assert not caplog.records


@pytest.mark.parametrize(
    ("weights", "units"), [([[1.0, 2.5], [3.0]], "ab"), ([[1.0, 2.0]], "ab"), ([[1.0, 2.0], [3.0]], "ac")]
)
def test_what_was_tuned_for_another_model_is_dropped_and_named(earlier, tmp_path, caplog, weights, units):
    new = export(tmp_path / "new", weights, units)
    take_over(earlier, new)
    assert load_thresholds(new) == {} and read_decoding_weights(new) == DecodingWeights()
    told = [record.getMessage() for record in caplog.records]
    assert [line.split(": ")[0] for line in told] == [
        f"{earlier}/assets/keywords.json",
        f"{earlier}/assets/decoding.json",
    ]
    assert all("dropped, it was tuned for the model that is replaced" in line for line in told)


def test_a_damaged_earlier_export_is_replaced(earlier, tmp_path):
    shutil.rmtree(earlier / "variables")
    new = export(tmp_path / "new", [[1.0, 2.0], [3.0]])
    take_over(earlier, new)
    assert load_thresholds(new) == {}


def test_forms_that_are_not_made_again_are_named(tmp_path, caplog):
    earlier, new = (export(tmp_path / name, [[1.0]]) for name in ("earlier", "new"))
    for folder, name in ((earlier, "model.onnx"), (earlier, "model.tflite"), (new, "model.tflite")):
        (folder / name).touch()
    take_over(earlier, new)
    (told,) = (record.getMessage() for record in caplog.records)
    assert told.startswith(f"{earlier}/model.onnx: dropped") and "--onnx" in told


def test_nothing_is_taken_over_from_nothing(tmp_path, caplog):
    take_over(tmp_path / "nowhere", export(tmp_path / "new", [[1.0]]))
    assert not caplog.records
