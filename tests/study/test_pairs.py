import math

from pipeline.study.pairs import compared

TEST = {"words": [4, 4, 4], "speakers": [None] * 3}


def training(variant: str, seed: int, wer: float = 0.5, failed: str | None = None) -> dict:
    cell, _, form = variant.partition("-")
    common = {"variant": variant, "cell": cell, "form": form or "plain", "seed": seed, "failed": failed}
    return common | ({} if failed else {"wer": wer, "errors": [round(4 * wer)] * 3})


def test_pairs_differ_in_one_respect():
    variants = ["lstm", "gru", "lstm-norm", "gru-norm", "lstm-bidirectional+norm"]
    found = {(pair.first, pair.second) for pair in compared([training(name, 1) for name in variants], TEST)}
    assert found == {
        ("lstm", "gru"),
        ("lstm", "lstm-norm"),
        ("gru", "gru-norm"),
        ("lstm-norm", "gru-norm"),
        ("lstm-norm", "lstm-bidirectional+norm"),
    }


def test_only_seeds_that_both_have_are_paired():
    trainings = [training("lstm", seed, 0.25) for seed in (1, 2, 3)]
    trainings += [training("gru", 2, 0.5), training("gru", 3, 0.75), training("gru", 1, failed="nan")]
    (pair,) = compared(trainings, TEST)
    assert pair.seeds == 2 and pair.bootstrap.difference == 0.25 - (0.5 + 0.75) / 2
    assert 0 < pair.seed_p < 1


def test_one_seed_is_no_test_by_seed():
    (pair,) = compared([training("lstm", 1), training("gru", 1)], TEST)
    assert math.isnan(pair.seed_p)
