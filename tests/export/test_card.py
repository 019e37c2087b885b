from pathlib import Path

import pytest

from pipeline.export import card

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
