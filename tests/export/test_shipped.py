"""The models in exported/ that ship, on real speech that they were not trained on."""

import itertools
import json
from pathlib import Path

import pytest

from pipeline.config import load_config
from pipeline.data import sources
from pipeline.data.manifest import read_manifest
from pipeline.data.utterances import Skipped
from pipeline.evaluation.evaluate import evaluate
from pipeline.inference import Recognizer

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"
MOST_MEGABYTES = 40
SHIPPED = {
    "commands-lstm": ("barista/test.jsonl", 12, 0.05),
    "commands-simple-rnn": ("barista/test.jsonl", 12, 0.38),
    "commands-spelled-lstm": ("barista/test.jsonl", 12, 0.04),
    "english-lstm": ("kathleen/test.jsonl", 12, 0.37),
    "keywords-lstm": ("wakewords/test.jsonl", 24, 0.1),
    "digits-lstm": ("digits_pretrained.yaml", 25, 0.05),
    "digits-simple-rnn": ("digits_pretrained.yaml", 25, 0.18),
}
"""Of each model: speech (a manifest, or a configuration for its test data), every how manyth utterance of it is heard,
and the highest character error rate: a few errors more than were measured."""


def model(name: str) -> Path:
    return ROOT / "exported" / name


def test_every_model_that_ships_is_held_to_something():
    kept = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert {line for line in kept if line.startswith("!")} == {f"!/exported/{name}/" for name in SHIPPED}


@pytest.mark.parametrize("name", SHIPPED)
def test_a_model_is_whole_and_small_and_tells_what_was_measured(name):
    files = [file for file in model(name).rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < MOST_MEGABYTES * 1e6
    assert {"card.md", "SHA256SUMS", "model.tflite", "features.tflite"} <= {file.name for file in files}
    card = (model(name) / "card.md").read_text(encoding="utf-8")
    assert f"### `python scripts/evaluate.py --model exported/{name} " in card and "licences" in card


@pytest.fixture(scope="module")
def spoken(tmp_path_factory):
    """The utterances of a manifest or configuration, given its name and a rate."""

    def spoken(name: str, rate: int) -> list:
        if name.endswith(".jsonl"):
            return read_manifest(DATA / name, rate)
        pytest.importorskip("tensorflow_datasets")
        settings = load_config(ROOT / "configs" / name, [f"data.folder={DATA / 'spoken_digit'}"])
        test = [source.model_copy(update={"data_dir": str(sets)}) for source in settings.data.test]
        return sources.read(test, settings, "test")(0)

    sets = tmp_path_factory.mktemp("sets")
    return spoken


@pytest.mark.parametrize("runtime", ["tensorflow", "litert"])
@pytest.mark.parametrize("name", SHIPPED)
def test_a_model_hears_real_speech(name, runtime, spoken, real_data):
    if runtime == "litert":
        pytest.importorskip("ai_edge_litert")
    speech, step, most = SHIPPED[name]
    recognizer = Recognizer(model(name), runtime=runtime)
    utterances = itertools.islice(spoken(speech, recognizer.sample_rate), 0, None, step)
    rate = recognizer.about.lengths_per_second
    found = evaluate(recognizer.transcribe, utterances, rate, recognizer.normalize, Skipped())
    assert found.rates.cer < most, json.dumps([[item.reference, item.hypothesis] for item in found.heard])
