import json
from types import SimpleNamespace

import evaluate_keywords
import numpy as np
import pytest
import soundfile
import spot
import tiny

from pipeline.config import load_config
from pipeline.export.saved_model import export
from pipeline.text import OTHER, Units
from pipeline.training.trainer import train


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """With an exported model of the letters a, b and c, and its manifests."""
    folder = tmp_path_factory.mktemp("keywords")
    settings = load_config(tiny.write_config(folder, training={"epochs": 6}, model={"units": 24}))
    train(settings, folder / "run")
    export(folder / "run", folder / "model")
    return folder


@pytest.fixture
def run(run_here, folder):
    """Runs a command line in the folder: exit code, lines on stdout, lines on stderr."""

    def run(script, *arguments):
        done = run_here(folder, f"{script.__name__}.py", *arguments)
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout.splitlines(), done.stderr.splitlines()

    return run


def test_keywords_are_found_and_a_bad_file_is_named(folder, run):
    random = np.random.default_rng(3)
    soundfile.write(folder / "abc.wav", tiny.tones("abc", random), tiny.RATE)
    arguments = ["--model", "model", "--keyword", "ABC", "--keyword", "c", "--threshold", "0.001"]
    code, out, err = run(spot, *arguments, "--json", "nothing.wav", "abc.wav")
    found = [json.loads(line) for line in out]
    assert (code, err[-1]) == (2, "error: 1 of 2 files: nothing.wav: no such file")
    assert found and {line["audio"] for line in found} == {"abc.wav"}
    assert all(list(line) == ["audio", "keyword", "start", "end", "score"] for line in found)
    assert {line["keyword"] for line in found} <= {"abc", "c"}
    code, out, _ = run(spot, *arguments, "ab[cd].wav")
    assert code == 0 and len(out) == len(found) and all(line.startswith("abc.wav: ") for line in out)


def test_rates_are_measured_and_thresholds_stored_and_used(folder, run):
    texts = [json.loads(line)["text"] for line in (folder / "train.jsonl").read_text().splitlines()]
    pair = next(text for text in texts if len(text) > 1)[:2]
    arguments = ["--model", "model", "--positives", "train.jsonl", "--negatives", "test.jsonl", "--keyword", "a"]
    code, out, err = run(
        evaluate_keywords,
        *arguments,
        "--keyword",
        pair,
        "--out",
        "report",
        "--target-false-alarms-per-hour",
        "2",
        "--json",
    )
    assert code == 0, err
    values = [json.loads(line) for line in out]
    assert {line["keyword"] for line in values} <= {"a", pair}
    keys = ["keyword", "miss_rate", "false_alarms_per_hour", "threshold", "skipped"]
    assert all(list(line) == keys and line["skipped"] == 0 for line in values)
    assert any("hours are too short for a rate of 0.5, 1, 2, 5, 10 per hour" in line for line in err)
    assert {file.name for file in (folder / "report").iterdir()} == {"curves.json", "curves.csv", "det.png"}
    stored = json.loads((folder / "model" / "assets" / "keywords.json").read_text())["thresholds"]
    assert_stored_points_have_no_false_alarm(stored, values)
    (folder / "model" / "assets" / "keywords.json").write_text('{"thresholds": {"a": 7}}')
    code, _, err = run(spot, "--model", "model", "--keyword", "a", "test-0.wav")
    assert code == 2 and "keywords.json" in err[-1]
    (folder / "model" / "assets" / "keywords.json").unlink()


def test_noise_over_the_speech_costs_keywords_and_is_always_the_same(folder, run):
    arguments = ["--model", "model", "--positives", "train.jsonl", "--negatives", "test.jsonl", "--keyword", "a"]
    quiet, loud, again, little = (
        run(evaluate_keywords, *arguments, "--json", *more)[1]
        for more in ([], ["--snr", "-20"], ["--snr", "-20"], ["--snr", "100"])
    )
    assert loud == again != quiet
    assert run(evaluate_keywords, *arguments, "--snr", "-20", "--card")[0] == 0
    told = (folder / "model" / "card.md").read_text()
    command_line = f"python scripts/evaluate_keywords.py {' '.join(arguments)} --snr -20"
    assert f"### `{command_line}`" in told and "| a | " in told and ", in use |" in told
    code, together, _ = run(evaluate_keywords, *arguments, "--keyword", "b", "--json", "--together")
    assert code == 0 and {json.loads(line)["keyword"] for line in together} == {"all 2"}
    assert [json.loads(line)["miss_rate"] for line in little] == [json.loads(line)["miss_rate"] for line in quiet]
    code, from_files, _ = run(evaluate_keywords, *arguments, "--json", "--snr", "-20", "--noise", ".")
    assert code == 0 and from_files not in (loud, quiet)


def test_bad_lines_and_missing_files_are_skipped_and_each_manifest_has_its_own_share(folder, run):
    missing = json.dumps({"audio_filepath": "none.wav", "text": "a"})
    (folder / "spoilt.jsonl").write_text((folder / "test.jsonl").read_text() + f"{{\n{missing}\n")
    arguments = ["--model", "model", "--positives", "train.jsonl", "--negatives", "spoilt.jsonl", "--keyword", "a"]
    code, out, err = run(evaluate_keywords, *arguments, "--json", "--most-skipped", "0.4")
    assert code == 0 and {json.loads(line)["skipped"] for line in out} == {2}
    assert any("skipped 2 of 30 utterances" in line and "spoilt.jsonl:5 (a JSON object" in line for line in err)
    code, out, err = run(evaluate_keywords, *arguments)
    assert code == 2 and not out and "spoilt.jsonl: skipped 2 of 6 utterances" in err[-1]


def test_a_model_of_words_spots_all_its_words(folder, run, monkeypatch):
    class Recognizer:
        sample_rate = tiny.RATE
        units = Units("words", ["hey", "you", OTHER])
        about = SimpleNamespace(units=units, frame_seconds=0.03, text={}, cannot_stream=None, features=None)

        def __init__(self, folder, runtime):
            pass

        def log_probs_in_pieces(self, blocks):
            list(blocks)
            posteriors = np.full((60, 4), 0.01)
            posteriors[range(60), np.repeat([0, 1, 0, 3, 2, 0], 10)] = 0.97
            yield from np.split(np.log(posteriors), 3)

    monkeypatch.setattr("pipeline.inference.Recognizer", Recognizer)
    code, out, _ = run(spot, "--model", "none", "--json", "test-0.wav", "test-1.wav")
    found = [json.loads(line) for line in out]
    assert code == 0
    assert [(line["audio"], line["keyword"]) for line in found] == [
        (file, word) for file in ("test-0.wav", "test-1.wav") for word in ("hey", "you")
    ]
    assert [(line["start"], line["end"]) for line in found[:2]] == [(0.3, 0.6), (1.2, 1.5)]


def assert_stored_points_have_no_false_alarm(stored, values):
    rates = {(line["keyword"], line["threshold"]): line["false_alarms_per_hour"] for line in values}
    assert stored
    assert all(rates[item] == 0 for item in stored.items())


@pytest.mark.parametrize(
    ("script", "arguments", "message"),
    [
        (spot, ["--model", "model", "--keyword", "a", "x*.wav"], "x*.wav: audio files wanted, found none"),
        (spot, ["--model", "model", "--runtime", "litert", "--keyword", "a", "test-0.wav"], "model for LiteRT wanted"),
        (spot, ["--model", "nowhere", "a.wav"], "nowhere: an exported model's folder wanted"),
        (spot, ["--model", "model", "test-0.wav"], "--keyword TEXT wanted"),
        (spot, ["--model", "model", "--keyword", " ", "test-0.wav"], "at least one unit wanted, found ''"),
        (spot, ["--model", "model", "--keyword", "abx", "test-0.wav"], "keyword 'abx': 'x' is not among"),
        (spot, ["--model", "model", "--keyword", "a", "--threshold", "2", "test-0.wav"], "at most 1 wanted, found 2.0"),
        (evaluate_keywords, ["--model", "model", "--positives", "no", "--negatives", "no"], "no: a manifest wanted"),
        (
            evaluate_keywords,
            [
                "--model",
                "model",
                "--positives",
                "no",
                "--negatives",
                "no",
                "--together",
                "--target-false-alarms-per-hour",
                "1",
            ],
            "stores a threshold for each keyword: not with --together",
        ),
        (
            evaluate_keywords,
            ["--model", "model", "--positives", "test.jsonl", "--negatives", "test.jsonl", "--keyword", "ccccc"],
            "test.jsonl: utterances with 'ccccc' wanted, found none",
        ),
        (
            evaluate_keywords,
            ["--model", "model", "--positives", "test.jsonl", "--negatives", "test.jsonl", "--snr", "nan"],
            "--snr: -100 to 100 decibels wanted, found nan",
        ),
        (
            evaluate_keywords,
            ["--model", "model", "--positives", "test.jsonl", "--negatives", "test.jsonl", "--noise", "."],
            "--noise: --snr wanted as well",
        ),
        (
            evaluate_keywords,
            [
                "--model",
                "model",
                "--positives",
                "test.jsonl",
                "--negatives",
                "test.jsonl",
                "--snr",
                "9",
                "--noise",
                "no",
            ],
            "--noise: a folder of recordings wanted, found none at no",
        ),
        (
            evaluate_keywords,
            ["--model", "x", "--positives", "x", "--negatives", "x", "--target-false-alarms-per-hour", "-1"],
            "0 or more wanted, found -1",
        ),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(run, script, arguments, message):
    code, out, err = run(script, *arguments)
    assert (code, out) == (2, [])
    assert message in err[-1]


@pytest.mark.parametrize("script", [spot, evaluate_keywords])
def test_help_has_an_example(run, script):
    code, out, _ = run(script, "--help")
    assert code == 0 and "example:" in out
