import numpy as np
import pytest
import tiny

from pipeline.config import load_config
from pipeline.errors import InputError
from pipeline.export.saved_model import export
from pipeline.models.acoustic import AcousticModel
from pipeline.text import Units
from pipeline.training.run import Run
from pipeline.training.start import start_from
from pipeline.training.trainer import train

INPUTS = {
    "audio": np.random.default_rng(1).normal(0, 0.1, (2, 8000)).astype("float32"),
    "lengths": np.array([8000, 5000]),
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run's folder, an export's of it, the configuration, and the run's epochs."""
    folder = tmp_path_factory.mktemp("trained")
    config = tiny.write_config(folder, training={"epochs": 2})
    metrics = train(load_config(config), folder / "run")
    export(folder / "run", folder / "exported")
    return folder / "run", folder / "exported", config, metrics["epochs"]


def logits(model):
    return np.asarray(model(INPUTS)["logits"])


@pytest.mark.parametrize("which", ["run", "export"])
def test_outputs_of_known_symbols_are_those_of_the_trained_model(trained, which):
    old = Run(trained[0]).load()[2]
    model = AcousticModel(load_config(trained[2]), 5, portable=True)
    before = np.asarray(model.logits.kernel)[:, 2]
    new = start_from(model, Units("characters", ["c", "d", "a", "b"]), trained[which == "export"])
    assert new == ["d"]
    np.testing.assert_allclose(logits(model)[..., [0, 3, 4, 1]], logits(old), atol=1e-5)
    np.testing.assert_array_equal(np.asarray(model.logits.kernel)[:, 2], before)


def test_a_word_is_not_the_character_it_is_written_with(trained):
    model = AcousticModel(load_config(trained[2]), 4, portable=True)
    before = np.asarray(model.logits.kernel)
    assert start_from(model, Units("words", ["a", "b", "cab"]), trained[0]) == ["a", "b", "cab"]
    np.testing.assert_array_equal(np.asarray(model.logits.kernel)[:, 1:], before[:, 1:])


def test_a_training_that_starts_from_another_begins_where_that_ended(trained, tmp_path):
    settings = load_config(trained[2], [f"training.start={trained[1]}", "training.epochs=1", "model.dropout=0.1"])
    assert train(settings, tmp_path / "run")["epochs"][0]["val_loss"] < trained[3][0]["val_loss"]
    np.testing.assert_array_equal(
        *(Run(folder).load()[2].normalization.get_weights()[0] for folder in (trained[0], tmp_path / "run"))
    )


@pytest.mark.parametrize("which", ["run", "export"])
def test_another_network_or_other_features_are_named(trained, which):
    for override, told in (("model.units=9", "model.units is 9"), ("features.mels=22", "features.mels is 22")):
        model = AcousticModel(load_config(trained[2], [override]), 4)
        with pytest.raises(InputError, match=f"training.start: .*{told}"):
            start_from(model, Units("characters", ["a", "b", "c"]), trained[which == "export"])


def test_nothing_to_start_from_is_told(trained, tmp_path):
    settings = load_config(trained[2], [f"training.start={tmp_path / 'no'}"])
    with pytest.raises(InputError, match="no: the folder of a run wanted"):
        train(settings, tmp_path / "run")
