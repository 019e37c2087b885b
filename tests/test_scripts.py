import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import tiny

ROOT = Path(__file__).resolve().parents[1]


def run(folder, script, *arguments):
    command = [sys.executable, str(ROOT / "scripts" / script), *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder in which a model was trained and exported by the command lines."""
    folder = tmp_path_factory.mktemp("scripts")
    config = tiny.write_config(folder, training={"epochs": 2})
    trained = run(folder, "train.py", config, "--json")
    assert trained.returncode == 0, trained.stderr
    assert [json.loads(line)["epoch"] for line in trained.stdout.splitlines()] == [1, 2]
    exported = run(folder, "export.py", "runs/tiny", "exported/tiny")
    assert exported.returncode == 0, exported.stderr
    return folder


def test_files_are_transcribed_and_a_bad_one_is_named(folder):
    soundfile.write(folder / "stereo.wav", np.zeros((44100, 2)), 44100)
    done = run(folder, "transcribe.py", "--model", "exported/tiny", "nothing.wav", "stereo.wav", "test-0.wav", "--json")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["audio"] for line in found] == ["stereo.wav", "test-0.wav"]
    assert list(found[0]) == ["audio", "duration", "text", "confidence", "words"]
    assert found[0]["duration"] == 1.0
    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, "error: 1 of 3 files: nothing.wav: no such file")


def test_one_file_is_its_text_and_nothing_else(folder):
    done = run(folder, "transcribe.py", "--model", "exported/tiny", "test-0.wav")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 1


@pytest.mark.parametrize("speech", ["test.jsonl", "tiny.yaml"])
def test_a_manifest_and_a_configuration_are_evaluated_alike(folder, speech):
    done = run(folder, "evaluate.py", "--model", "exported/tiny", speech, "--json", "--out", "report")
    assert done.returncode == 0, done.stderr
    values = json.loads(done.stdout)
    assert list(values) == ["wer", "cer", "utterances", "audio_seconds", "real_time_factor"]
    assert values["utterances"] == 4
    metrics = json.loads((folder / "report" / "metrics.json").read_text())
    assert set(metrics.pop("expected_calibration_error")) == {"words", "utterances"}
    assert metrics == values
    assert (folder / "report" / "reliability.png").read_bytes().startswith(b"\x89PNG")
    assert len((folder / "report" / "transcripts.jsonl").read_text().splitlines()) == 4


def test_a_split_is_saved_with_its_manifest(folder):
    done = run(folder, "save_split.py", "tiny.yaml", "test", "speech", "--first", "2")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in (folder / "speech" / "manifest.jsonl").read_text().splitlines()]
    assert len(lines) == 2
    assert all((folder / "speech" / line["audio_filepath"]).exists() for line in lines)


@pytest.mark.parametrize(
    ("script", "arguments", "message"),
    [
        ("train.py", ["none.yaml"], "none.yaml: a configuration file wanted"),
        ("train.py", ["tiny.yaml", "model.cel=gru"], "did you mean cell?"),
        ("train.py", ["tiny.yaml", "model.units=5"], "model.units was 12, is 5"),
        ("export.py", ["nowhere", "out"], "nowhere: the folder of a run wanted"),
        ("transcribe.py", ["--model", "nowhere", "a.wav"], "nowhere: an exported model's folder wanted"),
        ("evaluate.py", ["--model", "exported/tiny", "none.jsonl"], "none.jsonl: a manifest wanted"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(folder, script, arguments, message):
    done = run(folder, script, *arguments)
    assert done.returncode == 2
    assert message in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_help_has_an_example():
    for script in ("train.py", "export.py", "transcribe.py", "evaluate.py", "save_split.py", "bench.py"):
        done = run(ROOT, script, "--help")
        assert done.returncode == 0 and "example:" in done.stdout
