import jiwer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.evaluation.error_rate import error_rates


def distance(reference, hypothesis):
    """Fewest substitutions, deletions and insertions."""
    row = list(range(len(hypothesis) + 1))
    for i, wanted in enumerate(reference, start=1):
        diagonal, row[0] = row[0], i
        for j, found in enumerate(hypothesis, start=1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (wanted != found))
    return row[-1]


@pytest.mark.parametrize(
    ("reference", "hypothesis", "wer", "cer"),
    [
        ("turn on", "turn on", 0, 0),
        ("turn on", "turn off", 1 / 2, 2 / 7),
        ("turn on", "turn", 1 / 2, 3 / 7),
        ("on", "turn on", 1, 5 / 2),
        ("turn on", "", 1, 1),
        ("on", "of it up", 3, 7 / 2),
    ],
)
def test_rates_are_those_counted_by_hand(reference, hypothesis, wer, cer):
    rates = error_rates([reference], [hypothesis])
    assert (rates.wer, rates.cer, rates.utterances) == (pytest.approx(wer), pytest.approx(cer), 1)


def test_long_utterances_count_for_more():
    rates = error_rates(["a b c d e f g", "a"], ["a b c d e f g", "b"])
    assert rates.wer == pytest.approx(1 / 8)
    assert rates.cer == pytest.approx(1 / 14)
    assert rates.utterances == 2


def test_words_heard_in_silence_are_insertions():
    rates = error_rates(["", "turn on"], ["off", "turn on"])
    assert rates.wer == pytest.approx(1 / 2)
    assert rates.cer == pytest.approx(3 / 7)


texts = st.lists(st.sampled_from(["a", "ab", "on", "off"]), max_size=5).map(" ".join)


@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=6).filter(lambda pairs: any(pairs[0]) and pairs[0][0]))
def test_rates_are_edit_distances_and_jiwer_agrees(pairs):
    references, hypotheses = map(list, zip(*pairs, strict=True))
    rates = error_rates(references, hypotheses)
    words = sum(distance(r.split(), h.split()) for r, h in pairs) / sum(len(r.split()) for r in references)
    characters = sum(distance(r, h) for r, h in pairs) / sum(len(r) for r in references)
    assert (rates.wer, rates.cer) == (pytest.approx(words), pytest.approx(characters))
    assert rates.wer == pytest.approx(jiwer.wer(references, hypotheses))
    assert rates.cer == pytest.approx(jiwer.cer(references, hypotheses))


def test_lists_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="as many hypotheses as references wanted, found 1 for 2"):
        error_rates(["a", "b"], ["a"])


@pytest.mark.parametrize("references", [[], [""], ["", ""]])
def test_without_a_word_to_hear_there_is_no_rate(references):
    with pytest.raises(ValueError, match="at least one reference with words wanted"):
        error_rates(references, ["a"] * len(references))
