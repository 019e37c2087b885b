from pathlib import Path
from types import SimpleNamespace

import pytest
import tiny

from pipeline.config import load_config
from pipeline.config.data import SOURCES
from pipeline.errors import InputError
from pipeline.export import card
from pipeline.export.checksums import check_whole, write_checksums
from pipeline.export.measured import add_to_card
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
    text = card.card(config, Units("words", ["yes"]), 100, metrics, 90.0, Path("out"), None)
    assert f"| trained on | {told} |" in text and "| trained for | 3 epochs, 2 minutes |" in text


@pytest.mark.parametrize(
    ("least", "told"), [(0.05, "less than 5 % sure"), (0.00012, "less than 0.012 % sure"), (0.0, "It always answers")]
)
def test_a_card_tells_the_limits_of_the_configuration_and_how_sure_an_answer_must_be(tmp_path, least, told):
    config = load_config(tiny.write_config(tmp_path, limits="It heard no children."))
    calibrated = SimpleNamespace(least_confidence=least, errors=lambda: {"words": 0.0, "utterances": 0.0})
    metrics = {"wer": 0.1, "cer": 0.1, "epoch": 1}
    text = card.card(config, Units("words", ["yes"]), 100, metrics, 90.0, Path("out"), calibrated)
    assert "## Limits\n\nIt heard no children.\n\nIt writes what its words can spell" in text and told in text


def test_measurements_stand_in_the_card_once_a_command_and_before_the_limits(tmp_path):
    (tmp_path / "card.md").write_text("# red\n\nwell\n\n## Limits\n\nmany\n")
    write_checksums(tmp_path)
    for command, found in [("a --b", "WER 1%."), ("c", "| x |\n|---|\n| 1 |"), ("a --b", "WER 2%.\n")]:
        add_to_card(tmp_path, command, found)
        check_whole(tmp_path, "card.md")
    told = "## Measured\n\n### `a --b`\n\nWER 2%.\n\n### `c`\n\n| x |\n|---|\n| 1 |\n"
    assert (tmp_path / "card.md").read_text() == f"# red\n\nwell\n\n{told}\n## Limits\n\nmany\n"


@pytest.mark.parametrize("text", [None, "# red\n"])
def test_a_card_to_add_to_is_wanted(tmp_path, text):
    if text is not None:
        (tmp_path / "card.md").write_text(text)
    with pytest.raises(InputError, match=r"card\.md: "):
        add_to_card(tmp_path, "a", "b")
