import itertools
import json
import math
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import InputError
from pipeline.grammar.jsgf import load_grammar, parse_grammar

HEADER = "#JSGF V1.0;\ngrammar test;\n"
LONGEST = 4


def grammar_of(rules, **settings):
    return parse_grammar(HEADER + rules, "test.jsgf", **settings)


def short_sentences(grammar):
    """Those of at most LONGEST words."""
    return set(itertools.takewhile(lambda sentence: len(sentence.split()) <= LONGEST, grammar.sentences()))


@pytest.mark.parametrize(
    ("rules", "sentences"),
    [
        ("public <a> = x;", ["x"]),
        ("public <a> = x y | z;", ["z", "x y"]),
        ("public <a> = (x | y) z | w;", ["w", "x z", "y z"]),
        ("public <a> = w (x | (y | z) x);", ["w x", "w y x", "w z x"]),
        ("public <a> = [x | y] z;", ["z", "x z", "y z"]),
        ("public <a> = up <n> | left <n>; <n> = one | two;", ["left one", "left two", "up one", "up two"]),
        ("public <a> = x; <b> = y; public <c> = z;", ["x", "z"]),
        ("public <a> = x <NULL> y | z <VOID>;", ["x y"]),
        ("public <a> = <test.b>; <b> = x;", ["x"]),
        ('public <a> = "new york" | "say \\"x\\"";', ["new york", 'say "x"']),
        ("public <a> = x {tag} (y {a = 1; b = \\}}) {second};", ["x y"]),
        ("public <a> = x // | y\n /* | z; */ | w; /** a comment */", ["w", "x"]),
        ("public <a> = /10/ x y | /0.5/ z | /1e-3/ w | /0/ v;", ["w", "z", "x y"]),
        ("public <a> = public grammar import;", ["public grammar import"]),
        ("public <a>\r\n=\r\n\tx\r\n;\r\n", ["x"]),
        ("public <größe> = groß | 你好 | नमस्ते | i'd | twenty-one | u.s.;", None),
    ],
)
def test_rules_stand_for_their_sentences(rules, sentences):
    found = list(grammar_of(rules).sentences())
    assert found == (sentences or sorted(["groß", "你好", "नमस्ते", "i'd", "twenty-one", "u.s."]))


@pytest.mark.parametrize(
    ("rules", "first"),
    [
        ("public <a> = x y*;", ["x", "x y", "x y y"]),
        ("public <a> = x y+ z;", ["x y z", "x y y z", "x y y y z"]),
        ("public <a> = ((x*)*)+;", ["", "x", "x x"]),
        ("public <a> = (x [y])+;", ["x", "x x", "x y"]),
        ("public <a> = x <a> | y;", ["y", "x y", "x x y"]),
        ("public <a> = <b> | y; <b> = x <a>;", ["y", "x y", "x x y"]),
        ("public <a> = x [<a>];", ["x", "x x", "x x x"]),
    ],
)
def test_what_repeats_has_its_shortest_sentences_first(rules, first):
    assert list(grammar_of(rules).sentences(3)) == first


@pytest.mark.parametrize(
    ("content", "line", "problem"),
    [
        ("", 1, "an empty file"),
        ("public <a> = x;", 1, "'#JSGF V1.0;' at the start"),
        ("#JSGF V1.0;\npublic <a> = x;", 2, "'grammar name;'"),
        (HEADER + "public <a> = (x;\npublic <b> = y;", 3, "')' for the '(' of line 3 wanted, found ';'"),
        (HEADER + "public <a> =\n [x | (y];", 4, "')' for the '(' of line 4 wanted, found ']'"),
        (HEADER + "public <a> = x\npublic <b> = y;", 4, "';' at the end of <a> (line 3)"),
        (HEADER + "public <a> = x", 3, "the file's end"),
        (HEADER + "public <a> = x | ;", 3, "a word, a <rule>, '(' or '[' wanted, found ';'"),
        (HEADER + "public <a> = x\n <b>;", 4, "<b>"),
        (HEADER + "public <a> = x; <c> = <b>;", 3, "<b> in <c>"),
        (HEADER + "public <a> = x;\n<a> = y;", 4, "found <a> again (first in line 3)"),
        (HEADER + "public <a> = /1/ x | y;", 3, "a weight for each alternative"),
        (HEADER + "public <a> = /0/ x | /0/ y;", 3, "above 0"),
        (HEADER + "public <a> = /-1/ x | /2/ y;", 3, "a weight between slashes"),
        (HEADER + "public <a> = x; /* never closed", 3, "the end */ of a comment"),
        (HEADER + 'public <a> = "x;', 3, "a closing quote"),
        (HEADER + "public <a> = x {tag;", 3, "the } of a tag"),
        (HEADER + "public <a> = x; y;", 3, "a rule ('<name> = ...;') wanted, found 'y'"),
        (HEADER + "public <NULL> = x;", 3, "<NULL>"),
        (HEADER + "import <com.example.*>;", 3, "found an import"),
        (HEADER + "public <a> = <a> x | y;", 3, "<a> within itself"),
        (HEADER + "public <a> = [x <a> y];", 3, "<a> within itself"),
        (HEADER + "public <a> = " + "(" * 900 + "x" + ")" * 900 + ";", 3, "at most 50 brackets"),
        (HEADER + "<a> = x;", None, "at least one public rule"),
        (HEADER + "public <a> = <VOID>;", None, "a sentence that can be said"),
        (HEADER + "public <a> = <NULL>;", None, "a grammar that says something"),
        (HEADER + "public <a> = x <a>;", None, "a sentence that can be said"),
        (HEADER + "".join(f"<r{n}> = <r{n + 1}> <r{n + 1}>;" for n in range(40)) + "public <r40> = x;", None, None),
    ],
)
def test_a_slip_is_told_in_one_line_with_its_place(tmp_path, content, line, problem):
    file = tmp_path / "test.jsgf"
    file.write_text(content, encoding="utf-8")
    if problem is None:  # what no public rule uses costs nothing
        assert load_grammar(file).accepts("x")
        return
    with pytest.raises(InputError) as error:
        load_grammar(file)
    message = str(error.value)
    assert message.startswith(f"{file}: line {line}: " if line else f"{file}: ") and problem in message
    assert "\n" not in message


def test_rules_that_would_fill_the_memory_are_refused():
    doubling = "".join(f"<r{n}> = <r{n + 1}> <r{n + 1}>;" for n in range(40)) + "<r40> = x;"
    with pytest.raises(InputError, match="at most 200000 parts"):
        grammar_of("public <a> = <r0>;" + doubling)
    chain = "".join(f"<r{n}> = <r{n + 1}>;" for n in range(400)) + "<r400> = x;"
    with pytest.raises(InputError, match="at most 200 rules"):
        grammar_of("public <a> = <r0>;" + chain)


def test_many_alternatives_are_no_trouble():
    words = [f"w{number}" for number in range(5000)]
    grammar = grammar_of(f"public <a> = ({' | '.join(words)})+;")
    assert grammar.words() == sorted(words)


@pytest.mark.parametrize(
    ("content", "problem"), [(None, "no such file"), (b"#JSGF V1.0;\ngrammar \xe4;", "line 2: text in UTF-8 wanted")]
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, content, problem):
    file = tmp_path / "test.jsgf"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError, match=problem):
        load_grammar(file)
    with pytest.raises(InputError, match="a grammar wanted, is a directory"):
        load_grammar(tmp_path)


def test_a_byte_order_mark_and_the_header_s_charset_are_allowed(tmp_path):
    file = tmp_path / "test.jsgf"
    file.write_bytes(b"\xef\xbb\xbf#JSGF V1.0 UTF-8 de;\r\ngrammar com.example.test;\r\npublic <a> = sch\xc3\xb6n;\r\n")
    assert list(load_grammar(file).sentences()) == ["schön"]


def test_words_are_spelled_as_the_model_s_transcripts_are():
    grammar = grammar_of(
        'public <a> = Well-Known "Hello, World!" !;', text={"remove": ",!", "replace": {"-": " "}, "lowercase": True}
    )
    assert list(grammar.sentences()) == ["well known hello world"]
    assert grammar_of("public <a> = Hello;", text={"lowercase": False}).accepts("Hello")


WORDS = st.sampled_from(["x", "y", "z"]).map(lambda word: (word, {(word,)}))


def concatenated(first, second):
    return {(*a, *b) for a in first for b in second if len(a) + len(b) <= LONGEST}


def repeated(part):
    language = set(part)
    for _ in range(LONGEST):
        language |= concatenated(language, part)
    return language


def larger(parts):
    """JSGF text, and the sentences of at most LONGEST words that it should stand for."""
    pairs = st.tuples(parts, parts)
    return st.one_of(
        pairs.map(lambda p: (f"({p[0][0]} | {p[1][0]})", p[0][1] | p[1][1])),
        pairs.map(lambda p: (f"({p[0][0]} {p[1][0]})", concatenated(p[0][1], p[1][1]))),
        pairs.map(lambda p: (f"({p[0][0]} {p[1][0]}|z)", concatenated(p[0][1], p[1][1]) | {("z",)})),
        parts.map(lambda p: (f"[{p[0]}]", p[1] | {()})),
        parts.map(lambda p: (f"{p[0]}+", repeated(p[1])) if p[0][-1] not in "+*" else p),
        parts.map(lambda p: (f"{p[0]}*", repeated(p[1]) | {()}) if p[0][-1] not in "+*" else p),
    )


@settings(max_examples=150, deadline=None)
@given(st.recursive(WORDS, larger, max_leaves=8))
def test_any_expansion_has_the_sentences_that_its_parts_make(case):
    text, language = case
    expected = {" ".join(words) for words in language}
    grammar = grammar_of(f"public <a> = {text};")
    assert short_sentences(grammar) == expected
    for length in range(LONGEST):
        for words in itertools.product("xyz", repeat=length):
            assert grammar.accepts(" ".join(words)) == (" ".join(words) in expected)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from([*'<>()[]{}|*+/;="\\ xy\n', "<a>", "public ", "/1/", "//", "/*", "*/"]), max_size=30))
def test_wild_text_is_a_grammar_or_one_clear_error(pieces):
    try:
        grammar = grammar_of("public <a> = x " + "".join(pieces))
    except InputError as error:
        assert str(error).startswith("test.jsgf: ") and "\n" not in str(error)
    else:
        assert all(grammar.accepts(sentence) for sentence in grammar.sentences(5))


def test_weights_are_the_probabilities_of_what_is_sampled():
    grammar = grammar_of("public <a> = /6/ x | /3/ y [z] | /1/ <NULL>;")
    counts = Counter(grammar.sample(random.Random(seed)) for seed in range(4000))
    expected = {"x": 0.6, "y": 0.15, "y z": 0.15, "": 0.1}
    assert counts.keys() == expected.keys()
    for sentence, probability in expected.items():
        assert counts[sentence] / 4000 == pytest.approx(probability, abs=0.03)


@settings(max_examples=50, deadline=None)
@given(st.recursive(WORDS, larger, max_leaves=8), st.integers(0, 99))
def test_what_is_sampled_is_a_sentence_and_probabilities_add_up(case, seed):
    grammar = grammar_of(f"public <a> = {case[0]};")
    assert grammar.accepts(grammar.sample(random.Random(seed)))
    for state, arcs in enumerate(grammar.arcs):
        total = sum(math.exp(arc.weight) for arc in arcs) + math.exp(grammar.finals.get(state, -math.inf))
        assert total == pytest.approx(1)


def test_sentences_that_never_end_are_not_sampled_for_ever():
    grammar = grammar_of("public <a> = /1e9/ x <a> | /1e-9/ y;")
    with pytest.raises(InputError, match="up to 200 words"):
        grammar.sample(random.Random(0))


@pytest.mark.parametrize("split", ["train", "valid"])
def test_the_coffee_grammar_accepts_what_was_ordered(real_data, split):
    grammar = load_grammar("configs/coffee_orders.jsgf")
    lines = (real_data / "barista" / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
    refused = [text for text in (json.loads(line)["text"] for line in lines) if not grammar.accepts(text)]
    assert refused == (["brew an iced", "give me an"] if split == "train" else [])  # cut short


def test_the_coffee_grammar_refuses_what_is_no_order():
    grammar = load_grammar("configs/coffee_orders.jsgf")
    assert grammar.accepts("can i get an eight ounce dark roast single shot latte with some milk and a bit of sugar")
    for text in ["", "brew", "brew a", "brew an small latte", "brew a latte with", "brew a small large latte"]:
        assert not grammar.accepts(text)


def test_another_implementation_of_jsgf_accepts_the_same_orders():
    pocketsphinx = pytest.importorskip("pocketsphinx")
    rule = (parsed := pocketsphinx.Jsgf("configs/coffee_orders.jsgf")).get_rule("coffee_orders.order")
    peer = parsed.build_fsg(rule, pocketsphinx.LogMath(1.0001), 1.0)
    grammar = load_grammar("configs/coffee_orders.jsgf")
    chance = random.Random(0)
    for _ in range(300):
        words = grammar.sample(chance).split()
        assert peer.accept(" ".join(words))
        words[chance.randrange(len(words))] = chance.choice(grammar.words())
        assert grammar.accepts(" ".join(words)) == peer.accept(" ".join(words))
