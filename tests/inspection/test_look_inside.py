import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from pipeline.config import load_config
from pipeline.errors import InputError
from pipeline.inspection.look_inside import look_inside
from pipeline.training.run import Run
from pipeline.training.trainer import train

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inside")
    train(load_config(tiny.write_config(folder, training={"epochs": 1})), folder / "run")
    return Run(folder / "run")


def test_a_runs_gates_and_gradient_flow_are_pictures_and_in_its_log(run, tmp_path):
    settings, units, model, metrics = run.load()
    found = look_inside(settings, units, model, tmp_path, run.logs, metrics["epoch"], utterances=3)
    assert [path.name for path in found.pictures] == ["gates_recurrent_0.png", "gradient_flow.png"]
    assert all(path.stat().st_size > 5000 for path in found.pictures)
    (layer,) = found.layers
    assert layer["layer"] == "recurrent_0" and layer["time_constant_seconds"] > 0 <= layer["reach_seconds"]
    events = EventAccumulator(str(run.logs), size_guidance={"tensors": 0})
    events.Reload()
    assert {"gates/recurrent_0", "gradient flow/untrained and trained"} <= set(events.Tags()["tensors"])


def test_an_audio_file_can_be_looked_at_without_the_data(run, tmp_path):
    settings, units, model, _ = run.load()
    elsewhere = settings.model_copy(update={"data": settings.data.model_copy(update={"folder": "nowhere"})})
    random = np.random.default_rng(1)
    for variable in model.trainable_variables:  # so that it hears something, whatever
        variable.assign(random.normal(0, 0.5, variable.shape))
    file = str(run.folder.parent / "valid-1.wav")
    found = look_inside(elsewhere, units, model, tmp_path, tmp_path / "logs", 1, [file])
    assert found.layers[0]["utterance"] == file
    with pytest.raises(InputError, match=r"nowhere/valid\.jsonl"):
        look_inside(elsewhere, units, model, tmp_path, tmp_path / "logs", 1)


def test_the_command_line_tells_of_each_layer(run, tmp_path):
    command = [sys.executable, str(ROOT / "scripts" / "inspect_model.py"), str(run.folder), "--json"]
    done = subprocess.run(
        [*command, f"data.folder={run.folder.parent}", "--out", str(tmp_path / "new" / "folder")],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=True,
    )
    assert {"layer", "reach_seconds", "untrained_reach_seconds"} < json.loads(done.stdout).keys()
    assert (tmp_path / "new" / "folder" / "gradient_flow.png").exists()
