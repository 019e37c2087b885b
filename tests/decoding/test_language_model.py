import base64
import builtins
import gzip
import math
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.decoding.arpa import read_arpa
from pipeline.decoding.language_model import DEFAULT_UNKNOWN, LN_10, BackoffModel, load_language_model
from pipeline.errors import InputError
from pipeline.text import Units

ARPA = """\\data\\
ngram 1=6
ngram 2=5
ngram 3=2

\\1-grams:
-99	<s>	-0.5
-1.2	</s>
-2.5	<unk>
-0.7	hot	-0.3
-0.9	iced	-0.25
-1.1	mocha	-0.1

\\2-grams:
-0.3	<s> hot	-0.2
-0.4	hot mocha	-0.15
-0.6	iced mocha
-0.2	mocha </s>
-1.5	hot hot

\\3-grams:
-0.1	<s> hot mocha
-0.05	hot mocha </s>

\\end\\
"""
BINARY = """
eNrLzU0sUMjJVcgoKSmw0tfPzkhNTMtMzUnRS87P1U/OT0lVSMsvyk0sUShLLSrOzM9TMOViQIAGeyCxnxFI/AcCkAgjVIYZTB6wZ4KKgTAbVI4VSjMhmQQT
K6hT3GvZVsqwayJX6rNL3kxcOd8/1hY/yBa8tuybDMO2lQ5qiocLA8u/InQqHAA5BME/dgjkJhjv7Jme/WfPnNkL48+aORMk1wCz29jYeD9QbB8zlJ+WlgaU
b9jHyoAK0PkwkJOW9i0zLe1HENAieSA/ISst7RPIs2Jnz/jEGxtPXs/CwPAPJAALN7hTgdrebZw5cyU7snk2pXnZdgw2xXYMufnJGYkMNvpAZkZ+CUNmcmoK
AwDj3lvR"""
"""ARPA as a trie of KenLM's build_binary, 430 bytes, zlib and base64."""

UNITS = Units("characters", " abcdefghijklmnopqrstuvwxyz")


@pytest.fixture
def arpa(tmp_path):
    path = tmp_path / "hand.arpa"
    path.write_text(ARPA)
    return path


def log10_scores(model, text):
    """Of each word and of the end."""
    state, found = model.start(), []
    for word in text.split():
        score, state = model.score(state, word)
        found.append(score / LN_10)
    return [*found, model.end(state) / LN_10]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", [-0.5 - 1.2]),
        ("hot mocha", [-0.3, -0.1, -0.05]),
        ("mocha", [-0.5 - 1.1, -0.2]),
        # "iced" after <s> is not listed, "</s>" after "iced mocha" only after "mocha", which has no weight to pay
        ("iced mocha", [-0.5 - 0.9, -0.6, -0.2]),
        ("hot hot", [-0.3, -0.2 - 1.5, -0.3 - 1.2]),
        # an unknown word is <unk>, and nothing is known of what follows it
        ("hot tea hot", [-0.3, -0.2 - 0.3 - 2.5, -0.7, -0.3 - 1.2]),
    ],
)
def test_words_have_the_probabilities_worked_out_by_hand(arpa, text, wanted):
    assert log10_scores(load_language_model(arpa, UNITS), text) == pytest.approx(wanted)


def test_a_gzipped_file_and_one_with_a_comment_are_the_same(arpa, tmp_path):
    zipped = tmp_path / "hand.arpa.gz"
    zipped.write_bytes(gzip.compress(ARPA.encode()))
    commented = tmp_path / "commented.arpa"
    commented.write_text("made by hand\n\n" + ARPA)
    wanted = read_arpa(arpa)
    assert read_arpa(zipped) == wanted
    assert read_arpa(commented) == wanted


def test_what_an_unknown_word_costs_can_be_chosen(arpa, tmp_path):
    assert log10_scores(load_language_model(arpa, UNITS, unknown=-7.0), "tea")[0] == pytest.approx(-7.0 / LN_10)
    without = tmp_path / "without.arpa"
    without.write_text(ARPA.replace("ngram 1=6", "ngram 1=5").replace("-2.5\t<unk>\n", ""))
    model = load_language_model(without, UNITS)
    assert log10_scores(model, "tea")[0] == pytest.approx(-0.5 + DEFAULT_UNKNOWN / LN_10)
    with pytest.raises(InputError, match=r"a log probability of 0 or below wanted, found 0\.5"):
        load_language_model(arpa, UNITS, unknown=0.5)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(["hot", "iced", "mocha", "tea"]), max_size=8))
def test_scores_are_those_of_kenlm(tmp_path_factory, words):
    kenlm = pytest.importorskip("kenlm")
    path = tmp_path_factory.getbasetemp() / "parity.arpa"
    if not path.exists():
        path.write_text(ARPA)
    text = " ".join(words)
    wanted = [score for score, _, _ in kenlm.Model(str(path)).full_scores(text)]
    assert log10_scores(BackoffModel(read_arpa(path)), text) == pytest.approx(wanted, abs=1e-5)


def test_a_binary_file_is_read_by_kenlm(arpa, tmp_path):
    pytest.importorskip("kenlm")
    path = tmp_path / "hand.bin"
    path.write_bytes(zlib.decompress(base64.b64decode(BINARY)))
    model, text = load_language_model(path, UNITS), "hot mocha iced iced tea hot mocha"
    assert sorted(model.words) == ["hot", "iced", "mocha"]
    assert log10_scores(model, text) == pytest.approx(log10_scores(load_language_model(arpa, UNITS), text), abs=1e-5)
    assert log10_scores(load_language_model(path, UNITS, unknown=-7.0), "tea")[0] == pytest.approx(-7.0 / LN_10)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(
        InputError, match=r"hand\.bin: a whole KenLM file wanted, found a damaged one \(Binary file has"
    ):
        load_language_model(path, UNITS)


def test_without_kenlm_a_binary_file_is_one_clear_error(tmp_path, monkeypatch):
    def without(name, *arguments, **options):
        if name == "kenlm":
            raise ImportError(name)
        return importing(name, *arguments, **options)

    importing = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", without)
    path = tmp_path / "hand.bin"
    path.write_bytes(zlib.decompress(base64.b64decode(BINARY)))
    with pytest.raises(InputError, match=r"hand\.bin: .* package kenlm is wanted, .* requirements-kenlm\.txt"):
        load_language_model(path, UNITS)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("\\data\\", "data", r"25: .*'\\data\\' wanted, found the end of the file"),
        ("ngram 2=5", "ngram 2=x", r"3: .*'ngram 2=COUNT' wanted, found 'ngram 2=x'"),
        ("ngram 1=6\nngram 2=5\nngram 3=2\n", "", r"3: .*'ngram 1=COUNT' wanted, found '\\\\1-grams:'"),
        ("-0.7\thot", "high\thot", r"10: .*a log probability of 0 or below wanted, found 'high'"),
        ("-0.7\thot", "0.7\thot", r"10: .*a log probability of 0 or below wanted, found '0.7'"),
        ("-0.7\thot", "nan\thot", r"10: .*a log probability of 0 or below wanted, found 'nan'"),
        ("hot mocha\t-0.15", "hot mocha\tmuch", r"16: .*a back-off weight wanted, found 'much'"),
        ("iced mocha", "iced", r"17: .*a log probability, 2 words and perhaps a back-off weight wanted"),
        ("-0.1\t<s> hot mocha", "-0.1\t<s> hot mocha\t-1", r"22: .*a log probability, 3 words and nothing wanted"),
        ("mocha </s>\n-1", "hot mocha\n-1", r"18: .*every n-gram once wanted"),
        ("iced mocha", "iced latte", r"17: .*'latte' among the 1-grams before wanted"),
        ("<s> hot mocha", "iced hot mocha", r"22: .*'iced hot' among the 2-grams before wanted"),
        ("ngram 2=5", "ngram 2=6", r"21: .*6 2-grams before this line.* wanted, found 5"),
        ("\\2-grams:", "\\3-grams:", r"14: .*'\\2-grams:' wanted, found '\\\\3-grams:'"),
        ("\\end\\\n", "", r"24: .*'\\end\\' wanted, found the end of the file"),
        ("\\end\\", "\\4-grams:", r"25: .*'\\end\\' wanted, found '\\\\4-grams:'"),
    ],
)
def test_damage_is_told_with_its_line(arpa, old, new, message):
    assert old in ARPA
    arpa.write_text(ARPA.replace(old, new))
    with pytest.raises(InputError, match=r"hand\.arpa:" + message):
        read_arpa(arpa)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, len(ARPA)), st.binary(max_size=6), st.booleans())
def test_a_broken_file_is_read_or_is_an_input_error(tmp_path_factory, place, bytes_there, zipped):
    content = gzip.compress(ARPA.encode(), mtime=0) if zipped else ARPA.encode()
    path = tmp_path_factory.getbasetemp() / "broken.arpa"
    path.write_bytes(content[:place] + bytes_there + content[place + 3 :])
    try:
        load_language_model(path, UNITS)
    except InputError as error:
        assert "broken.arpa" in str(error) and "\n" not in str(error)


def test_what_is_no_file_of_a_model_is_told(tmp_path):
    with pytest.raises(InputError, match="a language model wanted, no such file"):
        load_language_model(tmp_path / "none.arpa", UNITS)
    with pytest.raises(InputError, match="a language model wanted, is a directory"):
        load_language_model(tmp_path, UNITS)


def of_words(path, words):
    lines = [f"-1\t{word}" for word in words]
    path.write_text("\n".join(["\\data\\", f"ngram 1={len(lines)}", "\\1-grams:", *lines, "\\end\\", ""]))
    return path


@pytest.mark.parametrize(
    ("words", "units", "message"),
    [
        (["MOCHA", "HOT", "ICED"], UNITS, r"found 0 of 3 that they can spell, with 'HOT', 'ICED', 'MOCHA'"),
        (
            [*"abcdefghi", "<space>"],
            UNITS,
            r"a language model of words wanted, found one of characters: '<space>', 'a'",
        ),
        (["one", "hot", "mocha"], Units("words", ["one", "two", "three"]), r"found 1 of 3, but 'hot', 'mocha', 'one'"),
        (["mocha", "hot"], Units("words", ["one", "two", "<other>"]), r"found 0 of 2, but 'hot', 'mocha'"),
    ],
)
def test_a_model_with_other_units_is_refused(tmp_path, words, units, message):
    with pytest.raises(InputError, match=r"other\.arpa: .*" + message):
        load_language_model(of_words(tmp_path / "other.arpa", words), units)


def test_a_model_that_knows_more_words_than_the_units_is_taken(tmp_path, caplog):
    path = of_words(tmp_path / "digits.arpa", ["one", *(f"w{number}" for number in range(200))])
    assert "one" in load_language_model(path, Units("words", ["one", "two"])).words
    assert not caplog.text
    path = of_words(tmp_path / "some.arpa", ["caf\u00e9", "NASA", "na\u00efve", "tea"])
    assert math.isfinite(load_language_model(path, UNITS).score((), "tea")[0])
    assert "some.arpa: 3 of its 4 words will never be heard" in caplog.text and "'NASA'" in caplog.text
