import json
from types import SimpleNamespace

import command
import make_language_model
import numpy as np
import pytest
import soundfile
import tune_decoding

import pipeline.inference
from pipeline.decoding.confidence import Calibration
from pipeline.decoding.language_model import load_language_model
from pipeline.decoding.weights import DecodingWeights, read_decoding_weights, write_decoding_weights
from pipeline.errors import InputError
from pipeline.text import Units

UNITS = Units("characters", " abcdefghijklmnopqrstuvwxyz'")


@pytest.fixture
def run(run_here, tmp_path):
    """A command line's exit code, stdout and stderr."""

    def run(script, *words):
        done = run_here(tmp_path, f"{script.__name__}.py", *words)
        return done.returncode, done.stdout, done.stderr

    return run


def manifest(folder, texts):
    lines = []
    for number, text in enumerate(texts):
        soundfile.write(folder / f"{number}.wav", np.full(80, number / 100), 8000)
        lines.append(json.dumps({"audio_filepath": f"{number}.wav", "text": text}) + "\n")
    path = folder / "valid.jsonl"
    path.write_text("".join(lines))
    return path


class MishearingRecognizer:
    """Is 0.7 sure of 'u' where 'o' was said. The samples of an utterance are its number, by 100."""

    texts = ("a hot mocha", "a mocha", "two hot mochas")
    about = SimpleNamespace(units=UNITS, frame_seconds=0.03, text={"lowercase": True}, sample_rate=8000, features=None)

    def __init__(self, folder):
        pass

    def log_probs(self, audio):
        labels = UNITS.encode(self.texts[round(100 * float(audio[0]))])
        log_probs = np.full((2 * len(labels), len(UNITS)), -20.0)
        log_probs[range(0, len(log_probs), 2), labels] = -0.01
        log_probs[1::2, 0] = -0.01
        for number, label in enumerate(labels):
            if label == UNITS.encode("o")[0]:
                log_probs[2 * number, label], log_probs[2 * number, UNITS.encode("u")[0]] = np.log([0.3, 0.7])
        return log_probs


@pytest.fixture
def export(tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline.inference, "Recognizer", MishearingRecognizer)
    monkeypatch.setattr(command, "load_tensorflow", lambda: None)
    folder = tmp_path / "exported"
    (folder / "assets").mkdir(parents=True)
    return folder


def test_text_and_manifests_become_a_language_model(run, tmp_path):
    (tmp_path / "menu.txt").write_text("An iced tea\n\na tea\n")
    out = tmp_path / "orders.arpa"
    code, printed, _ = run(make_language_model, tmp_path / "menu.txt", manifest(tmp_path, ["a Mocha", ""]), out)
    assert (code, printed) == (0, f"{out}: 23 n-grams of 5 words, from 3 sentences\n")
    assert sorted(load_language_model(out, UNITS).words) == ["a", "an", "iced", "mocha", "tea"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.txt", None, "none.txt: a text file or a manifest wanted, no such file"),
        ("bytes.txt", b"\xff\xfe", "bytes.txt: a text file or a manifest wanted, found bytes that are not UTF-8"),
        ("bad.jsonl", b'{"text": "a"}\n{"txt": 1}', "bad.jsonl:2: a JSON object with 'text' wanted"),
        ("bad.jsonl", b'{"text": 1}', "bad.jsonl:1: 'text' with a string wanted, found 1"),
        ("bad.jsonl", b"a hot mocha", "bad.jsonl:1: a JSON object with 'text' wanted, found 'a hot mocha'"),
        ("empty.txt", b"\n\n", "text with at least one word wanted, found none"),
    ],
)
def test_text_that_cannot_be_used_is_told(run, tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    code, _, told = run(make_language_model, tmp_path / name, tmp_path / "out.arpa")
    assert code == 2
    assert message in told and len(told.splitlines()) == 1


@pytest.fixture
def speech(run, tmp_path):
    (tmp_path / "menu.txt").write_text("a hot mocha\na mocha\ntwo hot mochas\n")
    run(make_language_model, tmp_path / "menu.txt", tmp_path / "orders.arpa")
    return manifest(tmp_path, MishearingRecognizer.texts)


def test_the_best_weights_are_stored_with_the_model(run, export, speech):
    lm = speech.parent / "orders.arpa"
    code, printed, _ = run(tune_decoding, "--model", export, speech, "--lm", lm, "--weights", "0,1", "--json")
    assert code == 0
    trials = [json.loads(line) for line in printed.splitlines()]
    assert list(trials[0]) == ["language_model_weight", "word_bonus", "wer", "cer", "best"]
    assert len(trials) == 8
    best = [trial for trial in trials if trial["best"]]
    assert [(trial["language_model_weight"], trial["wer"]) for trial in best] == [(1.0, 0.0)]
    stored = read_decoding_weights(export)
    assert stored.language_model_weight == 1.0
    assert stored.word_bonus == best[0]["word_bonus"]
    assert stored.measured["utterances"] == 3
    # What is decoded with the language model is all right, though the letters that it mends are 0.3 sure.
    assert stored.calibration.word_probability(0.5) > 0.5 and stored.calibration.utterance_probability(0.5) > 0.5
    assert stored.measured["greedy_wer"] > stored.measured["wer"] == 0.0


def test_a_table_is_printed(run, export, speech):
    _, printed, _ = run(tune_decoding, "--model", export, speech, "--lm", speech.parent / "orders.arpa")
    lines = printed.splitlines()
    assert len(lines) == 2 + 7 + 2
    assert lines[-1].startswith("best: weight ") and lines[-1].endswith("decoding.json")


def test_a_file_that_cannot_be_read_is_named_and_left_out(run, export, speech):
    (speech.parent / "1.wav").write_text("no audio")
    lm = speech.parent / "orders.arpa"
    with speech.open("a") as lines:
        lines.write("{\n")
    arguments = ["--model", export, speech, "--lm", lm, "--weights", "1", "--bonuses", "1"]
    code, _, told = run(tune_decoding, *arguments)
    assert code == 2 and f"error: {speech}: skipped 1 of 4 utterances: {speech}:4 (a JSON object" in told
    code, _, told = run(tune_decoding, *arguments, "--most-skipped", "0.5")
    assert code == 0 and "skipped 2 of 4 utterances" in told and told.count("1.wav") == 1
    assert read_decoding_weights(export).measured["skipped"] == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--lm", "none.arpa"], "none.arpa: a language model wanted, no such file"),
        (["--lm", "LM", "--weights", "1,x"], "--weights: numbers with commas between them wanted"),
        (["--lm", "LM", "--weights", "-1"], "--weights: numbers with commas between them wanted"),
        (["--lm", "LM", "--beam", "0"], "beam: a width of 1 or more wanted, found 0"),
    ],
)
def test_bad_settings_are_one_line(run, export, speech, options, message):
    options = [speech.parent / "orders.arpa" if option == "LM" else option for option in options]
    code, _, told = run(tune_decoding, "--model", export, speech, *options)
    assert code == 2
    assert message in told and len(told.splitlines()) == 1


def test_weights_are_read_as_they_were_written(export):
    assert read_decoding_weights(export) == DecodingWeights()
    weights = DecodingWeights(1.5, -0.5, Calibration((0.5, 1.0), (2.0, -1.0)), {"wer": 0.1})
    write_decoding_weights(export, weights)
    assert read_decoding_weights(export) == weights


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "a JSON object with decoding weights wanted, found none"),
        ("[1]", r"a JSON object with decoding weights wanted, found \[1\]"),
        ('{"language_model_weight": 1}', "'word_bonus' with a number wanted, found None"),
        (
            '{"language_model_weight": 1, "word_bonus": 0, "calibration": 5}',
            "an object with 'word' and 'utterance' wanted",
        ),
        ('{"language_model_weight": -1, "word_bonus": 0}', "of 0 or more wanted, found -1"),
        ('{"language_model_weight": NaN, "word_bonus": 0}', "'language_model_weight' with a number wanted, found nan"),
    ],
)
def test_damaged_weights_are_told(export, content, message):
    (export / "assets" / "decoding.json").write_text(content)
    with pytest.raises(InputError, match=r"decoding\.json: .*" + message):
        read_decoding_weights(export)
