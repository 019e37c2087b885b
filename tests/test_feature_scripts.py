import json

import numpy as np
import pytest
import tiny

from pipeline.config import load_config
from pipeline.export.saved_model import export
from pipeline.training.trainer import train


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with trained and exported models: `given` of features, `tiny` of their audio."""
    folder = tmp_path_factory.mktemp("features")
    config = tiny.write_config(folder, training={"epochs": 2})
    tiny.write_features(folder, load_config(config).features)
    tiny.write_features_config(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in ("given", "tiny"):
            train(load_config(f"{name}.yaml"), f"runs/{name}")
            export(f"runs/{name}", f"exported/{name}")
    return folder


@pytest.mark.parametrize("speech", ["test.features.jsonl", "given.yaml"])
def test_a_manifest_and_a_configuration_of_features_are_evaluated_alike(folder, run_here, speech):
    done = run_here(folder, "evaluate.py", "--model", "exported/given", speech, "--json")
    assert done.returncode == 0, done.stderr
    values = json.loads(done.stdout)
    frames = sum(len(np.load(file)) for file in folder.glob("test-*.npy"))
    assert (values["utterances"], values["audio_seconds"]) == (4, round(frames / 100, 2))


def test_files_of_features_are_transcribed_and_bad_ones_named(folder, run_here):
    np.save(folder / "narrow.npy", np.zeros((50, 11), np.float32))
    files = ["test-0.npy", "test-0.wav", "narrow.npy", "test-1.npy"]
    done = run_here(folder, "transcribe.py", "--model", "exported/given", *files, "--json")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["audio"] for line in found] == ["test-0.npy", "test-1.npy"]
    assert [line["duration"] for line in found] == [
        round(len(np.load(folder / each["audio"])) / 100, 3) for each in found
    ]
    assert done.returncode == 2
    assert done.stderr.splitlines()[-2:] == [
        "  test-0.wav: a .npy file of features [frames, 12] wanted by this model, found a file of another kind",
        "  narrow.npy: float [frames, 12] wanted, found float32 [50, 11]",
    ]


def test_a_folders_files_are_those_that_the_model_takes(folder, run_here):
    (folder / "mixed").mkdir()
    for ending in (".wav", ".npy"):
        (folder / "mixed" / f"test-0{ending}").write_bytes((folder / f"test-0{ending}").read_bytes())
    for model, ending in (("given", ".npy"), ("tiny", ".wav")):
        done = run_here(folder, "transcribe.py", "--model", f"exported/{model}", "mixed", "--json")
        assert [json.loads(line)["audio"] for line in done.stdout.splitlines()] == [f"mixed/test-0{ending}"]


def test_keywords_are_found_in_features(folder, run_here):
    options = ["--keyword", "a", "--threshold", "1e-6", "--json"]
    done = run_here(
        folder, "spot.py", "--model", "exported/given", *options, *(f"test-{number}.npy" for number in range(4))
    )
    assert done.returncode == 0, done.stderr
    assert all(0 <= line["start"] < line["end"] < 2 for line in map(json.loads, done.stdout.splitlines()))


def test_a_split_of_features_is_saved_with_its_manifest(folder, run_here):
    assert run_here(folder, "save_split.py", "given.yaml", "test", "saved").returncode == 0
    lines = [json.loads(line) for line in (folder / "saved" / "manifest.jsonl").read_text().splitlines()]
    for number, line in enumerate(lines):
        saved = np.load(folder / "saved" / line["features_filepath"])
        np.testing.assert_array_equal(saved, np.load(folder / f"test-{number}.npy"))


@pytest.mark.parametrize(
    ("script", "arguments", "message"),
    [
        (
            "transcribe.py",
            ["exported/tiny", "test-0.npy"],
            "test-0.npy: audio wanted by this model, found a file of feat",
        ),
        ("transcribe.py", ["exported/tiny", "test-0.npy", "--stream"], "test-0.npy: audio wanted by this model"),
        (
            "transcribe.py",
            ["exported/given", "test-0.npy", "--stream"],
            "--stream: a model that can hear audio in piec",
        ),
        ("transcribe.py", ["exported/given", "--microphone"], "--microphone: a model that can hear audio in pieces"),
        (
            "spot.py",
            ["exported/given", "--keyword", "a", "test-0.wav"],
            "test-0.wav: a .npy file of features [frames, 12",
        ),
        ("spot.py", ["exported/tiny", "--keyword", "a", "test-0.npy"], "test-0.npy: audio wanted by this model"),
        ("evaluate.py", ["exported/given", "test.jsonl"], "test.jsonl:1: 'features_filepath' wanted by a model"),
        (
            "evaluate.py",
            ["exported/tiny", "test.features.jsonl"],
            "test.features.jsonl:1: 'audio_filepath' wanted by a",
        ),
        (
            "evaluate.py",
            ["exported/given", "tiny.yaml"],
            "tiny.yaml: augment: none wanted with features.input = features",
        ),
        ("evaluate_times.py", ["exported/given", "given.yaml"], "a model that takes audio wanted"),
    ],
)
def test_speech_of_the_other_kind_is_one_line_and_exit_code_2(folder, run_here, script, arguments, message):
    done = run_here(folder, script, "--model", *arguments)
    assert done.returncode == 2
    assert message in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
