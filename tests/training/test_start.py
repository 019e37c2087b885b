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
    new = start_from(model, Units("characters", ["c", "d", "a", "b"]), [trained[which == "export"]])
    assert new == ["d"]
    np.testing.assert_allclose(logits(model)[..., [0, 3, 4, 1]], logits(old), atol=1e-5)
    np.testing.assert_array_equal(np.asarray(model.logits.kernel)[:, 2], before)


def test_a_word_is_not_the_character_it_is_written_with(trained):
    model = AcousticModel(load_config(trained[2]), 4, portable=True)
    before = np.asarray(model.logits.kernel)
    assert start_from(model, Units("words", ["a", "b", "cab"]), [trained[0]]) == ["a", "b", "cab"]
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
            start_from(model, Units("characters", ["a", "b", "c"]), [trained[which == "export"]])


def test_of_several_models_it_is_the_mean_of_their_weights_and_without_epochs_stays_so(trained, tmp_path):
    run, exported, config, _ = trained
    train(load_config(config, [f"training.start={exported}", "training.epochs=1"]), tmp_path / "further")
    starts = f"training.start=[{exported}, {tmp_path / 'further'}]"
    metrics = train(load_config(config, [starts, "training.epochs=0"]), tmp_path / "mean")
    assert metrics["epochs"] == [] and metrics["best"]["epoch"] == 0 and metrics["best"]["val_loss"] > 0
    one, other, mean = (
        Run(folder).load()[2].get_weights() for folder in (run, tmp_path / "further", tmp_path / "mean")
    )
    assert any(np.any(a != b) for a, b in zip(one, other, strict=True))
    for a, b, c in zip(one, other, mean, strict=True):
        np.testing.assert_allclose(c, (a + b) / 2, atol=1e-6)
    again = train(load_config(config, [starts, "training.epochs=0"]), tmp_path / "mean")
    assert again == metrics
    export(tmp_path / "mean", tmp_path / "out")
    card = (tmp_path / "out" / "card.md").read_text()
    assert f"no further epochs: it is the mean of the weights of `{exported}` and `{tmp_path / 'further'}`" in card
    begun = train(load_config(config, [starts, "training.epochs=1"]), tmp_path / "begun")
    assert len(begun["epochs"]) == 1


def test_models_to_start_from_must_fit_each(trained, tmp_path):
    config = trained[2]
    train(load_config(config, ["training.epochs=1", "model.units=9"]), tmp_path / "other")
    settings = load_config(config, [f"training.start=[{trained[0]}, {tmp_path / 'other'}]"])
    with pytest.raises(InputError, match=f"model.units is 12, in {tmp_path / 'other'} 9"):
        train(settings, tmp_path / "run")


def test_no_epochs_are_for_what_has_weights(trained):
    with pytest.raises(InputError, match="training: start wanted with epochs = 0"):
        load_config(trained[2], ["training.epochs=0"])


def test_nothing_to_start_from_is_told(trained, tmp_path):
    settings = load_config(trained[2], [f"training.start={tmp_path / 'no'}"])
    with pytest.raises(InputError, match="no: the folder of a run wanted"):
        train(settings, tmp_path / "run")
