import itertools
import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.decoding.arpa import read_arpa
from pipeline.decoding.language_model import BackoffModel
from pipeline.decoding.ngram import FALLBACK, discounts_of, estimate, write_arpa
from pipeline.errors import InputError

ORDERS = ["a hot mocha", "a hot latte", "an iced mocha", "a mocha", "a mocha please"]
TEXTS = st.lists(st.lists(st.sampled_from("abcd"), max_size=6).map(" ".join), min_size=1, max_size=12).filter(any)


def perplexity(model, texts):
    total = count = 0
    for text in texts:
        state = model.start()
        for word in text.split():
            score, state = model.score(state, word)
            total, count = total + score, count + 1
        total, count = total + model.end(state), count + 1
    return math.exp(-total / count)


@settings(max_examples=50, deadline=None)
@given(TEXTS, st.integers(1, 4))
def test_the_probabilities_after_any_words_sum_to_one(texts, order):
    model = BackoffModel(estimate(texts, order))
    for history in itertools.chain.from_iterable(itertools.product("abcd?", repeat=length) for length in range(3)):
        state = model.start()
        for word in history:
            _, state = model.score(state, word)
        words = [*model.words, "a word it never saw"]
        total = sum(math.exp(model.score(state, word)[0]) for word in words) + math.exp(model.end(state))
        assert total == pytest.approx(1.0)


@settings(max_examples=30, deadline=None)
@given(TEXTS, st.integers(1, 4))
def test_a_written_model_is_read_as_it_was(tmp_path_factory, texts, order):
    path = tmp_path_factory.getbasetemp() / "again.arpa"
    written = estimate(texts, order)
    write_arpa(path, written)
    read = read_arpa(path)
    assert read.order == written.order
    assert read.log_probs == pytest.approx(written.log_probs, abs=1e-6)
    assert read.backoffs == pytest.approx({key: value for key, value in written.backoffs.items() if value}, abs=1e-6)


def test_kenlm_reads_a_written_model(tmp_path):
    kenlm = pytest.importorskip("kenlm")
    path = tmp_path / "orders.arpa"
    write_arpa(path, estimate(ORDERS, 3))
    state = kenlm.State()
    theirs, ours = kenlm.Model(str(path)), BackoffModel(read_arpa(path))
    theirs.BeginSentenceWrite(state)
    for text in ("a hot mocha please", "an iced tea", ""):
        wanted = theirs.perplexity(text)
        assert perplexity(ours, [text]) == pytest.approx(wanted, rel=1e-4)


def test_unigrams_are_counted_by_how_many_words_stand_before_them():
    # "francisco" comes as often as "hot", but always after "san" (the example of Kneser and Ney's method)
    texts = ["san francisco", "san francisco", "san francisco", "hot tea", "very hot tea", "too hot tea"]
    model = BackoffModel(estimate(texts, 2))
    assert model.score((), "hot")[0] > model.score((), "francisco")[0]
    assert BackoffModel(estimate(texts, 1)).score((), "hot") == BackoffModel(estimate(texts, 1)).score((), "francisco")


def test_what_was_seen_is_likelier_than_what_was_not():
    model = BackoffModel(estimate(ORDERS, 3))
    scores = {word: model.score(("a", "hot"), word)[0] for word in ("mocha", "please", "tea")}
    assert scores["mocha"] > scores["please"] > scores["tea"]


def test_discounts_are_those_of_the_formula_or_the_fallback():
    # n1..n4 = 10, 4, 2, 1: Y = 10 / 18
    counts = [1] * 10 + [2] * 4 + [3] * 2 + [4]
    share = 10 / 18
    assert discounts_of(counts) == pytest.approx((1 - 2 * share * 4 / 10, 2 - 3 * share * 2 / 4, 3 - 4 * share * 1 / 2))
    assert discounts_of([1, 1, 1]) == FALLBACK  # nothing was seen twice
    assert discounts_of([1, 2, 3, 4, 4, 4, 4, 4]) == FALLBACK  # the formula would discount 3 by less than nothing


@pytest.mark.parametrize(
    ("texts", "order", "message"),
    [
        ([], 3, "at least one word wanted"),
        (["", " "], 3, "at least one word wanted"),
        (["a <unk> b"], 3, "text without <s>, </s> and <unk> wanted, found 'a <unk> b'"),
        (["a"], 0, "order: 1 or more wanted, found 0"),
    ],
)
def test_text_of_which_there_is_no_model_is_told(texts, order, message):
    with pytest.raises(InputError, match=message):
        estimate(texts, order)


def test_orders_of_new_speakers_are_foreseen(real_data):
    train, valid = (
        [json.loads(line)["text"] for line in (real_data / "barista" / f"{split}.jsonl").open(encoding="utf-8")]
        for split in ("train", "valid")
    )
    found = {order: perplexity(BackoffModel(estimate(train, order)), valid) for order in (1, 2, 3)}
    assert found[3] < found[2] < found[1]
    assert found[3] < 4.0
