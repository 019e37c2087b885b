import tracemalloc

import numpy as np
import pytest

from pipeline.config import SynthesisSource
from pipeline.data import synthesis, synthesis_source
from pipeline.data.synthesis_source import synthesize
from pipeline.data.utterances import Skipped
from pipeline.errors import InputError
from pipeline.grammar.jsgf import load_grammar

RATE = 8000
GRAMMAR = "#JSGF V1.0;\ngrammar lights;\npublic <command> = turn (on | off) [the] (/9/ light | /1/ fan);\n"


def source(**options):
    return SynthesisSource(kind="synthesis", **{"utterances": 40, "accents": ["en-us"], **options})


@pytest.fixture
def lights(tmp_path):
    path = tmp_path / "lights.jsgf"
    path.write_text(GRAMMAR)
    return str(path)


def test_a_grammars_sentences_are_spoken_as_often_as_it_says(lights):
    texts = [u.transcript for u in synthesize(source(grammar=lights), RATE, 0, "train.0")]
    grammar = load_grammar(lights)
    assert all(grammar.accepts(text) for text in texts) and len(set(texts)) > 3
    assert sum("light" in text for text in texts) > 30


def test_phrases_of_a_file_are_spoken_beside_the_others_and_a_grammars(lights, tmp_path):
    (tmp_path / "words.txt").write_text("hello\n\ngood (morning|night)\n")
    settings = source(phrases=["stop"], phrases_file=str(tmp_path / "words.txt"), grammar=lights, utterances=16)
    texts = [u.transcript for u in synthesize(settings, RATE, 0, "train.0")]
    alone = [text for text in texts if not text.startswith("turn")]
    assert sorted(alone) == sorted(["stop", "hello", "good morning", "good night"] * 2) and len(alone) == 8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"phrases_file": "nowhere.txt"}, r"nowhere\.txt: a file of phrases wanted, no such file"),
        ({"phrases_file": "{folder}/empty.txt"}, r"empty\.txt: a file of phrases wanted, found none"),
        ({"phrases_file": "{folder}/latin.txt"}, r"latin\.txt:1: a file of phrases wanted, found bytes"),
        ({"phrases": ["turn (on"]}, r"phrase 'turn \(on'"),
        ({"grammar": "{folder}/open.jsgf"}, r"open\.jsgf: line 3"),
        ({"grammar": "nowhere.jsgf"}, r"nowhere\.jsgf: a grammar wanted, no such file"),
        ({"phrases": ["a"], "piper": "nowhere.onnx"}, r"nowhere\.onnx: a Piper voice .* no such file"),
    ],
)
def test_what_cannot_be_spoken_is_named(tmp_path, options, message):
    (tmp_path / "empty.txt").write_text("\n \n")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    (tmp_path / "open.jsgf").write_text(GRAMMAR.replace("off)", "off"))
    told = {key: value.format(folder=tmp_path) if isinstance(value, str) else value for key, value in options.items()}
    with pytest.raises(InputError, match=message):
        synthesize(source(**told), RATE, 0, "train.0")


def test_a_bad_line_of_phrases_is_skipped_and_named_and_digits_are_words(tmp_path):
    file = tmp_path / "words.txt"
    good = [f"room {number}" for number in range(8)]
    file.write_bytes("\n".join([*good[:4], "caf\udce9", "", "turn (on", *good[4:]]).encode(errors="surrogateescape"))
    settings = source(phrases_file=str(file), utterances=8)
    utterances = synthesize(settings, RATE, 0, "train.0", skipped=(skipped := Skipped()), most_skipped=0.2)
    assert sorted(u.transcript for u in utterances) == good and all(len(u.load()) for u in utterances)
    assert dict(skipped) == {
        f"{file}:5": "a file of phrases wanted, found bytes that are not UTF-8",
        f"{file}:7": "phrase 'turn (on': alternatives as in `(on|off)` wanted, closed and not nested",
    }
    with pytest.raises(InputError, match=r"words\.txt: skipped 2 of 10 utterances: .*:5 \(a file .* allows 10%"):
        synthesize(settings, RATE, 0, "train.0", skipped=Skipped(), most_skipped=0.1)


def test_a_text_without_a_sound_is_skipped_with_and_without_a_cache(tmp_path):
    settings = source(phrases=["yes", "\u200b"], utterances=4)
    for _ in range(2):
        utterances = synthesize(settings, RATE, 0, "train.0", tmp_path, skipped := Skipped())
        assert [u.transcript for u in utterances] == ["yes", "yes"] and len(skipped) == 2
        assert all("a text with sounds wanted" in reason for _, reason in skipped)
    with pytest.raises(InputError, match="found 3 bad ones only, the first synthesis"):
        synthesize(source(phrases=["\u200b"], utterances=3), RATE, 0, "train.0", tmp_path, Skipped())


def test_speech_is_synthesized_once_and_the_same_without_a_cache(tmp_path, monkeypatch):
    settings = source(phrases=["(yes|no)"], utterances=4)

    def spoken(folder):
        return [(u.name, u.samples, u.load().tobytes()) for u in synthesize(settings, RATE, 0, "train.0", folder)]

    without = spoken(None)
    assert spoken(tmp_path) == without
    monkeypatch.setattr(synthesis, "synthesize", None)
    assert spoken(tmp_path) == without
    with pytest.raises(TypeError):
        synthesize(settings, RATE, 1, "train.0", tmp_path)


def test_a_damaged_cache_is_made_anew(tmp_path):
    settings = source(phrases=["yes"], utterances=1)
    (one,) = synthesize(settings, RATE, 0, "train.0", tmp_path)
    wanted = one.load()
    for file in tmp_path.rglob("*.npy"):
        file.write_bytes(file.read_bytes()[:80])
    (again,) = synthesize(settings, RATE, 0, "train.0", tmp_path)
    np.testing.assert_array_equal(again.load(), wanted)


def test_an_interrupted_run_goes_on_where_it_was(tmp_path, monkeypatch):
    settings = source(phrases=["(yes|no|stop)"], utterances=7)
    wanted = [u.load().tobytes() for u in synthesize(settings, RATE, 0, "train.0")]
    monkeypatch.setattr(synthesis_source, "_TOGETHER", 2)
    calls, speak = [], synthesis.synthesize

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return speak(*arguments)

    monkeypatch.setattr(synthesis, "synthesize", interrupted)
    with pytest.raises(KeyboardInterrupt):
        synthesize(settings, RATE, 0, "train.0", tmp_path)
    calls[:] = [None] * 6
    again = synthesize(settings, RATE, 0, "train.0", tmp_path)
    assert [u.load().tobytes() for u in again] == wanted and len(calls) == 6 + 3
    more = synthesize(source(phrases=["(yes|no|stop)"], utterances=10), RATE, 0, "train.0", tmp_path)
    assert [u.load().tobytes() for u in more[:7]] == wanted and len(calls) == 6 + 3 + 4


def test_memory_holds_no_more_than_is_spoken_in_one_go(tmp_path, monkeypatch):
    monkeypatch.setattr(synthesis_source, "_TOGETHER", 4)
    tone = np.full(1_000_000, 0.1, np.float32)
    monkeypatch.setattr(synthesis, "synthesize", lambda *_: tone)
    tracemalloc.start()
    found = synthesize(source(phrases=["yes"], utterances=40), RATE, 0, "train.0", tmp_path)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found) == 40 and most < 2 * 4 * 2 * len(tone) + 16e6  # of int16, and once more put together


def test_speech_that_cannot_be_kept_is_in_memory(tmp_path, caplog):
    (tmp_path / "synthesis").write_text("no folder")
    (one,) = synthesize(source(phrases=["yes"], utterances=1), RATE, 0, "train.0", tmp_path)
    assert one.load().any() and "synthesized speech stays in memory" in caplog.text
