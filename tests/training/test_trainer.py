import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
import tiny

from pipeline.config import load_config, with_values
from pipeline.data.splits import load_splits
from pipeline.errors import InputError, PipelineError
from pipeline.training.run import Run
from pipeline.training.trainer import train

ROOT = Path(__file__).resolve().parents[2]
MEASURED_BY_THE_CLOCK = {"seconds", "audio_seconds_per_second"}


class StopIn(keras.callbacks.Callback):
    """Dies in the middle of an epoch."""

    def __init__(self, epoch: int):
        super().__init__()
        self._epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        self._now = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self._now == self._epoch and batch == 2:
            raise KeyboardInterrupt


class Spoil(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1:
            self.model.logits.bias.assign(np.full(self.model.logits.bias.shape, np.nan))


def curves(metrics: dict) -> list[dict]:
    return [{key: value for key, value in e.items() if key not in MEASURED_BY_THE_CLOCK} for e in metrics["epochs"]]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An uninterrupted run: its settings, folder and metrics."""
    folder = tmp_path_factory.mktemp("whole")
    settings = load_config(tiny.write_config(folder))
    return settings, folder / "run", train(settings, folder / "run")


def test_a_run_holds_what_others_need(whole):
    settings, folder, metrics = whole
    run = Run(folder)
    assert load_config(run.config) == settings
    assert json.loads(run.metrics.read_text()) == metrics
    assert metrics["finished"] and len(metrics["epochs"]) == 3
    assert min(e["cer"] for e in metrics["epochs"]) == metrics["best"]["cer"]
    assert run.units.read_text().split() == ["#", "characters", "<blank>", "a", "b", "c"]
    assert list(run.logs.iterdir())
    loaded, units, model, best = run.load()
    assert (loaded, len(units), best) == (settings, 4, metrics["best"])
    assert model.count_params() > 0


def test_training_learns(whole):
    _, _, metrics = whole
    losses = [epoch["loss"] for epoch in metrics["epochs"]]
    assert losses[-1] < losses[0]


def test_the_seed_decides(whole, tmp_path):
    settings, _, metrics = whole
    assert curves(train(settings, tmp_path / "again")) == curves(metrics)
    other = train(settings.model_copy(update={"seed": 8}), tmp_path / "other")
    assert curves(other) != curves(metrics)


def test_what_the_data_draws_changes_nothing(whole, tmp_path, monkeypatch):
    def drawing(*arguments):
        keras.utils.set_random_seed(99)  # TFDS, when it prepares a set
        return load_splits(*arguments)

    monkeypatch.setattr("pipeline.training.trainer.load_splits", drawing)
    settings, _, metrics = whole
    assert curves(train(settings, tmp_path / "run")) == curves(metrics)


def test_an_interrupted_run_goes_on_with_the_same_curve(whole, tmp_path):
    settings, _, metrics = whole
    with pytest.raises(KeyboardInterrupt):
        train(settings, tmp_path / "run", callbacks=[StopIn(epoch=1)])
    assert len(json.loads(Run(tmp_path / "run").metrics.read_text())["epochs"]) == 1
    assert curves(train(settings, tmp_path / "run")) == curves(metrics)
    with np.load(Run(tmp_path / "run").last) as resumed, np.load(Run(whole[1]).last) as uninterrupted:
        # Names of seed generators count up within a process, so the order tells which is which.
        for one, other in zip(resumed.files[:-1], uninterrupted.files[:-1], strict=True):
            np.testing.assert_array_equal(resumed[one], uninterrupted[other])


def test_a_finished_run_is_not_trained_again(whole):
    settings, folder, metrics = whole
    before = Run(folder).last.stat().st_mtime_ns
    assert train(settings, folder) == metrics
    assert Run(folder).last.stat().st_mtime_ns == before


def test_a_run_of_another_configuration_is_refused(whole):
    settings, folder, _ = whole
    other = settings.model_copy(update={"model": settings.model.model_copy(update={"units": 13})})
    with pytest.raises(InputError, match=r"model\.units was 12, is 13"):
        train(other, folder)
    with pytest.raises(InputError, match=r"data\.train\.0\.weight was 1\.0, is 2\.0"):
        train(with_values(settings, {"data.train.0.weight": 2.0}), folder)


def test_an_unknown_cell_is_told_before_any_data_is_read(tmp_path):
    settings = load_config(tiny.write_config(tmp_path), ["model.cell=lsmt", "data.folder=nowhere"])
    with pytest.raises(InputError, match=r"model\.cell = 'lsmt': .* did you mean lstm\?"):
        train(settings, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_loss_that_is_not_finite_stops_and_names_the_utterances(tmp_path):
    settings = load_config(tiny.write_config(tmp_path))
    with pytest.raises(PipelineError, match=r"nan in epoch 2, batch 1 .*train-\d+\.wav"):
        train(settings, tmp_path / "run", callbacks=[Spoil()])
    assert len(json.loads(Run(tmp_path / "run").metrics.read_text())["epochs"]) == 1


def test_training_ends_when_it_gets_no_better(tmp_path):
    path = tiny.write_config(tmp_path, training={"epochs": 9, "patience": 2, "learning_rate": 1e-9})
    metrics = train(load_config(path), tmp_path / "run")
    assert metrics["finished"] and len(metrics["epochs"]) == metrics["best"]["epoch"] + 2 < 9


def test_an_unreadable_file_is_skipped_and_named(tmp_path):
    path = tiny.write_config(tmp_path, training={"epochs": 1})
    (tmp_path / "train-3.wav").write_bytes(b"RIFF")
    train(load_config(path), tmp_path / "run")
    skipped = [json.loads(line) for line in Run(tmp_path / "run").skipped.read_text().splitlines()]
    assert [Path(line["audio"]).name for line in skipped] == ["train-3.wav"]


@pytest.mark.parametrize(("split", "normalization"), [("valid", "none"), ("train", "none"), ("train", "global")])
def test_a_split_of_which_hardly_anything_can_be_read_is_told_and_listed(tmp_path, split, normalization):
    path = tiny.write_config(tmp_path, features={"normalization": normalization})
    for file in tmp_path.glob(f"{split}-*.wav"):
        file.write_bytes(b"RIFF")
    manifest = tmp_path / f"{split}.jsonl"
    lines = [{**json.loads(line), "duration": 1.0} for line in manifest.read_text().splitlines()]
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines))
    told = rf"data\.{split}: skipped \d+ of \d+ utterances: .*{split}-\d+\.wav.* all that were skipped are in .*run"
    with pytest.raises(InputError, match=told):
        train(load_config(path), tmp_path / "run")
    assert len(Run(tmp_path / "run").skipped.read_text().splitlines()) > 1


def test_kill_9_in_the_middle_of_an_epoch_loses_no_saved_epoch(whole, tmp_path):
    _, _, metrics = whole
    config = tiny.write_config(tmp_path)
    command = [sys.executable, str(ROOT / "scripts" / "train.py"), str(config)]
    saved = tmp_path / "runs" / "tiny" / "metrics.json"
    # Programs that only recognize speech set this, as docs/performance.md tells; training does not mind.
    environment = {**os.environ, "TF_USE_LEGACY_KERAS": "1"}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, **quiet)
    deadline = time.monotonic() + 300
    while not saved.exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.001)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    before = json.loads(saved.read_text())["epochs"]
    assert before
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    after = json.loads(saved.read_text())
    assert after["finished"] and after["epochs"][: len(before)] == before
    assert curves(after) == curves(metrics)
