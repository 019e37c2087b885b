from pathlib import Path

import pytest
import tiny

from pipeline.config import load_config
from pipeline.config.data import SOURCES
from pipeline.export import card
from pipeline.text import Units

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("folder", "out", "written"),
    [
        (ROOT, "exported/mine", "exported/mine"),
        (ROOT, ROOT / "exported" / "mine", "exported/mine"),
        ("/", ROOT / "exported" / "mine", "exported/mine"),
        (ROOT / "tests", ROOT / "exported" / "mine", "exported/mine"),
        (ROOT, "/elsewhere/mine", "EXPORTED"),
        (ROOT / "tests", "../../mine", "EXPORTED"),
    ],
)
def test_commands_in_a_card_tell_no_absolute_path(monkeypatch, folder, out, written):
    monkeypatch.chdir(folder)
    assert card._shortest(Path(out)) == written


SUMMARIES = {
    "manifest": ({"path": "train.jsonl"}, "the recordings in `train.jsonl`"),
    "corpus": ({"path": "words", "split": "training"}, "the corpus `words`, split `training`"),
    "tfds": ({"name": "spoken_digit"}, "TensorFlow Datasets `spoken_digit`, split `train`"),
    "synthesis": (
        {"phrases": ["yes"], "utterances": 5, "piper": "voices/joe.onnx"},
        "5 utterances synthesized by Piper's `joe.onnx`",
    ),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_a_card_tells_what_a_source_of_each_kind_is(tmp_path, kind):
    keys, told = SUMMARIES[kind]
    config = load_config(tiny.write_config(tmp_path, data={"train": [{"kind": kind, **keys}]}))
    metrics = {"wer": 0.1, "cer": 0.1, "epoch": 1}
    assert f"| trained on | {told} |" in card.card(config, Units("words", ["yes"]), 100, metrics, Path("out"), None)
