import json
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import tiny
from commands import run

from pipeline.data.survey import Row, Survey, measure
from pipeline.data.survey_summary import summaries
from pipeline.data.suspicions import Finding
from pipeline.inspection.data_page import SHOWN, page, write_page
from pipeline.inspection.data_plots import HISTOGRAMS, plots, save_overview
from pipeline.text import Units

EVIL = "<script>alert('&')</script>"
EMPTY_TAGS = {"meta", "br", "path", "use", "rect"}


class Balanced(HTMLParser):
    """Raises where a tag is not closed in its place; keeps what a browser would run."""

    def __init__(self):
        super().__init__()
        self.open, self.scripts, self.loaded = [], 0, []

    def handle_starttag(self, tag, attributes):
        self.scripts += tag == "script"
        self.loaded += [value for name, value in attributes if name == "src"]
        if tag not in EMPTY_TAGS:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in EMPTY_TAGS:
            assert self.open.pop() == tag


def made(texts=("a b", "ba"), speaker="ann", heard=True):
    """A survey of two splits."""
    rows = {}
    for split in ("train", "valid"):
        rows[split] = []
        for number, text in enumerate(texts):
            audio = tiny.tones("abc"[: 1 + number % 3], np.random.default_rng(number))
            sound = measure(audio, tiny.RATE) if heard else None
            seconds = len(audio) / tiny.RATE
            name = f"{split}{number}.wav"
            rows[split].append(Row(split, name, text, speaker, text, seconds, seconds, 8000, sound, None, None, None))
    units = Units.of_texts("characters", ["abc", *texts])
    counts = {split: Counter("".join(texts)) for split in rows}
    return Survey(rows, {split: len(texts) if heard else 0 for split in rows}, units, counts)


def html(survey, findings=(), folder=Path(), title="tiny", drawn=None):
    return page(title, survey, summaries(survey, findings), list(findings), drawn or {}, folder)


def test_the_page_is_whole_and_loads_nothing():
    parser = Balanced()
    written = html(made(), drawn=plots(made()))
    parser.feed(written)
    assert (parser.open, parser.scripts, parser.loaded) == ([], 0, [])
    assert written.count("<svg") == len(HISTOGRAMS) + 2
    assert not re.search(r'(?:src|href)="https?:', written)


@pytest.mark.parametrize("kind", ["text", "name", "found", "title", "unit"])
def test_texts_are_escaped(kind):
    values = {"problem": "slow", "split": "train", "name": "a.wav", "text": "a", "found": "b"}
    survey, title = made(), "tiny"
    if kind == "title":
        title = EVIL
    elif kind == "unit":
        survey.counts["valid"][EVIL] = 1
    else:
        values[kind] = EVIL
    parser = Balanced()
    written = html(survey, [Finding(**values)], title=title)
    parser.feed(written)
    assert (parser.scripts, parser.open) == (0, [])
    assert "&lt;script" in written


def test_the_page_shows_the_first_of_many_and_the_file_has_all(tmp_path):
    survey = made()
    findings = [Finding("clipped", "train", f"{number}.wav", "é", "found", 0.5) for number in range(SHOWN + 5)]
    write_page(tmp_path / "new", "tiny", survey, summaries(survey, findings), findings)
    written = (tmp_path / "new" / "index.html").read_text(encoding="utf-8")
    assert f"<b>{SHOWN + 5}</b>clipped" in written
    assert (f">{SHOWN - 1}.wav<" in written, f">{SHOWN}.wav<" in written) == (True, False)
    lines = (tmp_path / "new" / "suspicious.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == SHOWN + 5
    assert json.loads(lines[0]) == {
        "problem": "clipped",
        "split": "train",
        "name": "0.wav",
        "text": "é",
        "found": "found",
        "value": 0.5,
    }


def test_what_was_looked_for_in_vain_is_told():
    assert "Looked for and not found: unreadable, infeasible" in html(made())


def test_a_file_is_a_link_as_seen_from_the_page(tmp_path):
    file = tmp_path / "a #1.wav"
    file.write_bytes(b"")
    written = html(made(), [Finding("slow", "train", str(file), "a", "b")], tmp_path / "report")
    assert '<a href="../a%20%231.wav">' in written


def test_a_sample_is_told():
    survey = made()
    assert "All utterances were listened to" in html(survey)
    survey.heard["train"] = 1
    assert "This is a sample: listened to were 1 of 2 in train, 2 of 2 in valid" in html(survey)


def test_plots_follow_the_pages_colours_and_escape_names():
    drawn = plots(made(speaker="<script>&"))
    assert all("currentColor" in svg and "#123456" not in svg for svg in drawn.values())
    assert ">train (2)<" in drawn["duration"]
    assert "&lt;script&gt;&amp;" in drawn["speakers"] and "<script" not in drawn["speakers"]


@pytest.mark.parametrize(
    "survey",
    [
        made(texts=("",), speaker=None, heard=False),
        made(texts=["$x^$", "$_{", "語"], speaker="$\\frac$"),
    ],
    ids=["nothing", "formulas"],
)
@pytest.mark.filterwarnings("error")
def test_anything_can_be_drawn(survey, tmp_path):
    parser = Balanced()
    parser.feed(html(survey, drawn=plots(survey)))
    assert parser.open == []
    save_overview(tmp_path / "overview.png", survey)
    assert (tmp_path / "overview.png").read_bytes().startswith(b"\x89PNG")


def test_the_script_writes_a_page_and_a_summary(tmp_path):
    config = tiny.write_config(tmp_path)
    (tmp_path / "train-3.wav").write_bytes(b"damaged")
    done = run(tmp_path, "inspect_data.py", config, "--out", "report", "--json", "--most", "20")
    assert (done.returncode, done.stderr) == (0, "")
    (line,) = done.stdout.splitlines()
    found = json.loads(line)
    assert {split: (each["utterances"], each["heard"]) for split, each in found.items()} == {
        "train": (24, 20),
        "valid": (6, 6),
        "test": (4, 4),
    }
    names = {file.name for file in (tmp_path / "report").iterdir()}
    assert names == {"index.html", "overview.png", "suspicious.jsonl"}
    told = run(tmp_path, "inspect_data.py", config, "--out", "report")
    assert "  unreadable: 1" in told.stdout.splitlines()
    assert told.stdout.splitlines()[-1] == "report/index.html"


def test_bad_input_is_one_line_and_exit_code_2(tmp_path):
    config = tiny.write_config(tmp_path)
    done = run(tmp_path, "inspect_data.py", config, "--out", "report", "--most", "0")
    assert (done.returncode, done.stderr) == (2, "error: --most: at least 1 wanted, found 0\n")
    done = run(tmp_path, "inspect_data.py", config, "data.test.0.path=none.jsonl", "--out", "report")
    assert done.returncode == 2 and "none.jsonl: a manifest wanted" in done.stderr
