import numpy as np
import pytest

from pipeline.study.clips import Clip
from pipeline.study.memory_sequences import KINDS, LEAD_SECONDS, Sequences

RATE = 1000
# Of each clip all samples are the same, and tell speaker and word: 0.1 to 0.3 of one speaker, 0.4 to 0.6 of the other.
CLIPS = [
    Clip(label, str(speaker), np.full(200 + 30 * label, 0.1 * (1 + label + 3 * speaker), np.float32))
    for speaker in range(2)
    for label in range(3)
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("delay", [0.25, 2.0])
def test_the_first_word_ends_so_long_before_the_end(kind, delay):
    random = np.random.default_rng(0)
    for _ in range(20):
        audio, label = Sequences(CLIPS, RATE).sequence(random, delay, kind)
        lead = len(audio) - round(delay * RATE) - (200 + 30 * label)
        assert LEAD_SECONDS[0] * RATE <= lead <= LEAD_SECONDS[1] * RATE
        word = audio[lead : lead + 200 + 30 * label]
        values = [clip.audio[0] for clip in CLIPS if clip.label == label]
        assert min(abs(word.mean() - value) for value in values) < 0.05


def test_silence_is_silent_and_noise_is_everywhere():
    sequences = Sequences(CLIPS, RATE)
    silent, label = sequences.sequence(np.random.default_rng(1), 1.0, "silence")
    assert np.count_nonzero(silent) == 200 + 30 * label
    noisy, _ = sequences.sequence(np.random.default_rng(1), 1.0, "noise")
    assert np.count_nonzero(noisy) == len(noisy)


def test_other_words_are_whole_and_the_same_speakers():
    for seed in range(10):
        audio, _ = Sequences(CLIPS, RATE).sequence(np.random.default_rng(seed), 3.0, "digits")
        heard = sorted({round(float(value), 1) for value in audio} - {0.0})
        assert len(heard) > 1 and (max(heard) <= 0.3 or min(heard) >= 0.4)
        edges = np.flatnonzero(np.diff(np.concatenate([[0.0], audio, [0.0]]) != 0))
        lengths = {int(end - start) for start, end in zip(edges[::2], edges[1::2], strict=True)}
        assert lengths <= {200, 230, 260}


def test_a_batch_has_one_delay_and_true_lengths():
    inputs, labels = Sequences(CLIPS, RATE).batch(np.random.default_rng(2), 16, 0.5)
    assert inputs["audio"].shape == (16, inputs["lengths"].max()) and inputs["audio"].dtype == np.float32
    for row, length in zip(inputs["audio"], inputs["lengths"], strict=True):
        assert not row[length:].any()
    assert set(labels["labels"]) == {0, 1, 2}


def test_the_longest_delay_grows():
    def longest(number: int) -> float:
        made = Sequences(CLIPS, RATE).batches(np.random.default_rng(3), 1, (0.5, 8.0), growth=60)
        lengths = [next(made)[0]["lengths"].max() for _ in range(number)]
        return max(lengths[-20:]) / RATE

    assert longest(20) < 2.5 and longest(100) > 4
