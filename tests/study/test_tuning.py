import json

import pytest
import tiny

from pipeline.config import load_config
from pipeline.errors import InputError, PipelineError
from pipeline.training.run import Run, write_json

pytest.importorskip("keras_tuner")
from pipeline.study import tuning
from pipeline.study.tuning import tune

RANGES = {
    "training.learning_rate": {"low": 1e-4, "high": 1e-1, "log": True},
    "model.units": {"low": 8, "high": 64},
    "augment.speed": [None, [0.9, 1.1]],
}


@pytest.fixture
def settings(tmp_path):
    return load_config(tiny.write_config(tmp_path, tune=RANGES, training={"epochs": 5}))


class FakeTraining:
    """Whose character error rate is 1 / units, epoch for epoch less; it fails where the learning rate is high."""

    def __init__(self):
        self.seen, self.interrupt = [], None

    def __call__(self, settings, folder, on_epoch):
        self.seen.append(settings)
        run = Run(folder)
        run.folder.mkdir(parents=True, exist_ok=True)
        epochs = json.loads(run.metrics.read_text())["epochs"] if run.metrics.exists() else []
        if settings.training.learning_rate > 0.05:
            raise PipelineError("the loss is nan")
        while len(epochs) < settings.training.epochs:
            cer = 10 / settings.model.units / (len(epochs) + 1)
            epochs.append({"epoch": len(epochs) + 1, "cer": cer, "wer": cer, "seconds": 1.0})
            write_json(run.metrics, {"epochs": epochs})
            if self.interrupt is not None and len(self.seen) == self.interrupt and len(epochs) == 2:
                raise KeyboardInterrupt
            on_epoch(epochs[-1])


@pytest.fixture
def training(monkeypatch):
    fake = FakeTraining()
    monkeypatch.setattr(tuning, "train", fake)
    return fake


@pytest.fixture(scope="module")
def search(tmp_path_factory):
    """A whole search: its folder, what it found, and what it told."""
    folder = tmp_path_factory.mktemp("search")
    settings = load_config(tiny.write_config(folder, tune=RANGES, training={"epochs": 5}))
    told = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tuning, "train", FakeTraining())
        found = tune(settings, folder / "out", trials=16, on_trial=told.append)
    return folder / "out", found, told


def test_the_best_trial_becomes_a_configuration(search):
    folder, found, told = search
    assert len(told) == 16 and told == list(found["trials"].values())
    whole = [trial for trial in told if trial["status"] != "failed"]
    assert found["best"]["cer"] == min(trial["cer"] for trial in whole)
    best = load_config(folder / "best.yaml")
    assert (best.name, best.tune) == ("tiny-best", {})
    assert best.model.units == found["best"]["values"]["model.units"]
    speed = best.augment.speed and list(best.augment.speed)
    assert speed == found["best"]["values"]["augment.speed"]


def test_trials_fail_or_are_stopped_and_the_search_goes_on(search):
    *_, told = search
    by_status = {status: [t for t in told if t["status"] == status] for status in ("finished", "stopped", "failed")}
    assert all(by_status.values())
    assert all(trial["reason"] == "the loss is nan" for trial in by_status["failed"])
    assert all(trial["epochs"] < 5 for trial in by_status["stopped"])
    assert min(t["cer"] for t in by_status["stopped"]) > min(t["cer"] for t in by_status["finished"])


def test_an_interrupted_trial_goes_on(settings, training, tmp_path):
    training.interrupt = 2
    with pytest.raises(KeyboardInterrupt):
        tune(settings, tmp_path / "out", trials=3)
    found = tune(settings, tmp_path / "out", trials=3)
    assert len(found["trials"]) == 3 and len(training.seen) == 4
    assert training.seen[1] == training.seen[2]  # the same trial, in the same folder
    assert len(tune(settings, tmp_path / "out", trials=4)["trials"]) == 4


def test_time_that_is_up_leaves_the_trial_for_the_next_call(settings, training, tmp_path):
    found = tune(settings, tmp_path / "out", minutes=1e-9)
    assert (found["trials"], found["best"]) == ({}, None)
    assert len(tune(settings, tmp_path / "out", trials=1)["trials"]) == 1


def test_trials_are_in_tensorboards_hparams(settings, training, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams import plugin_data_pb2

    found = tune(settings, tmp_path / "out", trials=1)
    (trial,) = found["trials"].values()
    events = EventAccumulator(str(tmp_path / "out" / "hparams" / trial["trial"]))
    events.Reload()
    data = plugin_data_pb2.HParamsPluginData.FromString(
        events.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    )
    told = data.session_start_info.hparams
    assert set(told) == set(RANGES)
    assert told["model.units"].number_value == trial["values"]["model.units"]


def test_a_trial_is_trained_by_the_trainer(tmp_path):
    path = tiny.write_config(tmp_path, tune={"model.units": [9]}, training={"epochs": 1})
    found = tune(load_config(path), tmp_path / "out", trials=1)
    (trial,) = found["trials"].values()
    settings, _, _, best = Run(tmp_path / "out" / "trials" / trial["trial"]).load()
    assert settings.model.units == 9 and best["cer"] == trial["cer"]


def test_the_bayesian_oracle_stays_within_the_ranges(settings, training, tmp_path):
    tune(settings, tmp_path / "out", trials=11, oracle="bayesian")  # it draws nine at random first
    assert all(8 <= each.model.units <= 64 and 1e-4 <= each.training.learning_rate <= 0.1 for each in training.seen)


def test_another_oracle_than_the_search_began_with_is_refused(settings, training, tmp_path):
    tune(settings, tmp_path / "out", trials=1)
    with pytest.raises(InputError, match="the oracle that the search began with wanted, found bayesian"):
        tune(settings, tmp_path / "out", trials=2, oracle="bayesian")


def test_what_cannot_be_searched_is_told(settings, training, tmp_path):
    with pytest.raises(InputError, match="a budget wanted, in trials or minutes"):
        tune(settings, tmp_path / "out")
    with pytest.raises(InputError, match="tune: keys with the values to choose from wanted"):
        tune(settings.model_copy(update={"tune": {}}), tmp_path / "out", trials=1)
    tune(settings, tmp_path / "out", trials=1)
    other = load_config(tmp_path / "tiny.yaml", ["tune.model.units=[3, 4]"])
    with pytest.raises(InputError, match="holds a study of another configuration"):
        tune(other, tmp_path / "out", trials=2)


def test_data_that_cannot_be_used_ends_the_search(tmp_path):
    path = tiny.write_config(tmp_path, tune={"model.units": [9]})
    with pytest.raises(InputError, match="nowhere"):
        tune(load_config(path, ["data.folder=nowhere"]), tmp_path / "out", trials=2)
