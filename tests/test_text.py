import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import InputError
from pipeline.text import Units, UnknownSymbol, normalize


def test_normalization_does_what_it_is_told():
    assert normalize("  Hello,\tWORLD! ", remove=",!") == "hello world"
    assert normalize("Hello", lowercase=False) == "Hello"
    assert normalize("tea & cake", replace={"&": "and"}) == "tea and cake"
    assert normalize("cafe\u0301") == "caf\u00e9"


@given(st.lists(st.text("abc d", max_size=9), min_size=1).filter(lambda texts: any(text.split() for text in texts)))
@pytest.mark.parametrize("kind", ["characters", "words"])
def test_what_is_encoded_is_decoded(kind, texts):
    texts = [normalize(text) for text in texts]
    units = Units.of_texts(kind, texts)
    for text in texts:
        assert units.decode(units.encode(text)) == text
        assert 0 not in units.encode(text)


@given(st.text(), st.text(max_size=2))
def test_normalization_ends_after_one_round(text, remove):
    once = normalize(text, remove=remove)
    assert normalize(once, remove=remove) == once


@pytest.mark.parametrize(("text", "remove"), [("J\u030c", ""), ("e-\u0301", "-")])
def test_letter_and_accent_are_joined_whatever_parted_them(text, remove):
    assert len(normalize(text, remove=remove)) == 1


@given(text=st.text(min_size=1).map(normalize).filter(bool))
@pytest.mark.parametrize("kind", ["characters", "words"])
def test_a_file_of_units_is_read_back(tmp_path_factory, kind, text):
    file = tmp_path_factory.mktemp("units") / "units.txt"
    units = Units.of_texts(kind, [text])
    units.save(file)
    again = Units.load(file)
    assert (again.kind, again.symbols) == (kind, units.symbols)
    assert len(again) == 1 + len(units.symbols)


def test_a_word_that_looks_like_the_space_stays_a_word(tmp_path):
    Units("words", ["<blank>", "<space>"]).save(tmp_path / "units.txt")
    assert Units.load(tmp_path / "units.txt").symbols == ["<blank>", "<space>"]


def test_the_blank_is_not_spelled():
    assert Units("characters", [" ", "a"]).decode([0, 2, 0, 1, 2, 1]) == "a a"


def test_an_unknown_symbol_is_named():
    with pytest.raises(UnknownSymbol, match="'tea' has 't'"):
        Units("characters", ["a", "e"]).encode("tea")


def test_of_phrases_the_longest_is_a_unit(tmp_path):
    units = Units.of_texts("words", ["turn on a lot of light", "turn it on"], ["a lot of", "turn on"])
    assert units.symbols == ["a lot of", "it", "light", "on", "turn", "turn on"]
    units.save(tmp_path / "units.txt")
    for each in (units, Units.load(tmp_path / "units.txt")):
        assert each.split("turn on turn on on a lot of") == ["turn on", "turn on", "on", "a lot of"]
        assert each.decode(each.encode("turn on light")) == "turn on light"
        assert each.spells("a lot of light") and not each.spells("a light") and "lot" in each.words
    assert Units("words", ["a b", "b c d", "a", "b"]).split("a b c d a b") == ["a", "b c d", "a b"]
    with pytest.raises(InputError, match=r"units\.phrases: .* none has 'a little'"):
        Units.of_texts("words", ["turn on"], ["a little"])
    for phrases in (["on"], [""], ["turn on", "turn on"]):
        with pytest.raises(InputError, match=rf"units\.phrases: several words.* found {phrases[-1]!r}"):
            Units.of_texts("words", ["turn on"], phrases)


@given(st.lists(st.sampled_from("abc"), max_size=9), st.sets(st.sampled_from(["a b", "b c", "a b c", "c a", "b b"])))
def test_phrases_change_no_text(words, phrases):
    units = Units("words", ["a", "b", "c", *sorted(phrases)])
    assert units.decode(units.encode(" ".join(words))) == " ".join(words)
    assert not any(
        one + " " + other in phrases
        for one, other in itertools.pairwise(units.split(" ".join(words)))
        if " " not in one + other
    )


def test_a_filler_stands_for_every_other_word(tmp_path):
    units = Units("words", ["alexa", "<other>"])
    assert units.encode("hey alexa stop") == [2, 1, 2]
    units.save(tmp_path / "units.txt")
    assert Units.load(tmp_path / "units.txt").encode("tea") == [2]
    assert units.decode([2, 1, 2]) == units.without_others("hey alexa stop") == "alexa"
    closed = Units("words", ["alexa", "stop"])
    assert closed.encode("stop alexa") == [2, 1]
    assert closed.without_others("hey alexa") == "hey alexa"


@pytest.mark.parametrize(
    "content", ["", "a\nb\n", "# syllables\n<blank>\na\n", "# characters\n<blank>\nab\n", "# words\n<blank>\n"]
)
def test_a_file_that_holds_no_units_is_refused(tmp_path, content):
    (tmp_path / "units.txt").write_text(content)
    with pytest.raises(InputError):
        Units.load(tmp_path / "units.txt")


def test_a_file_of_units_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "latin.txt").write_bytes(b"# characters\n<blank>\n\xfc\n")
    with pytest.raises(InputError, match=r"latin\.txt: .* not UTF-8"):
        Units.load(tmp_path / "latin.txt")
    with pytest.raises(InputError, match=r"none\.txt: a file of units wanted, no such file"):
        Units.load(tmp_path / "none.txt")
    with pytest.raises(InputError, match="is a directory"):
        Units.load(tmp_path)


@pytest.mark.parametrize(
    ("kind", "symbol"), [("characters", "\n"), ("words", "turn  on"), ("words", " on"), ("words", "")]
)
def test_a_symbol_that_no_text_has_is_refused(kind, symbol):
    with pytest.raises(InputError, match=re.escape(f"found {symbol!r}")):
        Units(kind, [symbol])


def test_a_symbol_twice_is_refused():
    with pytest.raises(InputError, match="'a' again"):
        Units("characters", ["a", "a"])
