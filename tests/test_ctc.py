import itertools

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.ctc import ctc_loss, is_feasible
from pipeline.data.utterances import frames_needed


def log_softmax(logits):
    logits = logits - logits.max(axis=-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def forward(log_probs, states):
    """Float64 forward variable of Graves et al. (2006), equations 5 to 8: [frames, states]."""
    alpha = np.full((len(log_probs), len(states)), -np.inf)
    alpha[0, :2] = log_probs[0, states[:2]]
    states = np.array(states)
    skips = (states[2:] != 0) & (states[2:] != states[:-2])
    for t in range(1, len(log_probs)):
        before = alpha[t - 1]
        into = before.copy()
        into[1:] = np.logaddexp(into[1:], before[:-1])
        into[2:] = np.where(skips, np.logaddexp(into[2:], before[:-2]), into[2:])
        alpha[t] = into + log_probs[t, states]
    return alpha


def reference(logits, labels):
    """Loss, and its gradient by equation 16, in float64."""
    log_probs = log_softmax(logits.astype(np.float64))
    states = [0, *itertools.chain.from_iterable((label, 0) for label in labels)]
    alpha = forward(log_probs, states)
    beta = forward(log_probs[::-1], states[::-1])[::-1, ::-1]
    log_likelihood = np.logaddexp.reduce(alpha[-1, -2:])
    gradient = np.exp(log_probs)
    for s, unit in enumerate(states):
        gradient[:, unit] -= np.exp(alpha[:, s] + beta[:, s] - log_probs[:, unit] - log_likelihood)
    return -log_likelihood, gradient


def enumerated_loss(logits, labels):
    """The same loss from every path there is."""
    log_probs = log_softmax(logits)
    frames, units = logits.shape
    paths = itertools.product(range(units), repeat=frames)
    spelling = [path for path in paths if [unit for unit, _ in itertools.groupby(path) if unit] == labels]
    return -np.logaddexp.reduce([log_probs[range(frames), path].sum() for path in spelling])


@tf.function(reduce_retracing=True)
def loss_and_gradient(labels, logits, label_lengths, logit_lengths):
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = ctc_loss(labels, logits, label_lengths, logit_lengths)
        total = tf.reduce_sum(loss)
    return loss, tape.gradient(total, logits)


def batch(utterances, units, seed=0, padding=0):
    """(logits, labels, label lengths, frames) of [(frames, labels)], padded with garbage."""
    random = np.random.default_rng(seed)
    longest = max(frames for frames, _ in utterances) + padding
    most = max(1, *(len(labels) for _, labels in utterances)) + padding
    logits = random.normal(scale=2, size=(len(utterances), longest, units)).astype(np.float32)
    padded = random.integers(1, units, (len(utterances), most)).astype(np.int32)
    for row, (_, labels) in zip(padded, utterances, strict=True):
        row[: len(labels)] = labels
    lengths = np.array([len(labels) for _, labels in utterances], np.int32)
    return padded, logits, lengths, np.array([frames for frames, _ in utterances], np.int32)


@pytest.mark.parametrize("labels", [[], [1], [1, 1], [1, 2, 1], [2, 1, 2, 1]])
def test_the_reference_sums_over_all_paths(labels):
    logits = np.random.default_rng(0).normal(size=(4, 3))
    loss, gradient = reference(logits, labels)
    np.testing.assert_allclose(loss, enumerated_loss(logits, labels))
    for index in np.ndindex(*logits.shape):
        step = np.zeros_like(logits)
        step[index] = 1e-5
        slope = (enumerated_loss(logits + step, labels) - enumerated_loss(logits - step, labels)) / 2e-5
        np.testing.assert_allclose(gradient[index], slope, atol=1e-8)


UTTERANCES = [
    pytest.param((6, [1, 2, 3]), id="plain"),
    pytest.param((7, [1, 1, 2, 2]), id="repeats"),
    pytest.param((5, []), id="no labels"),
    pytest.param((1, []), id="no labels, one frame"),
    pytest.param((3, [3, 1, 2]), id="as many frames as labels"),
    pytest.param((5, [1, 1, 1]), id="as many frames as labels and repeats"),
    pytest.param((1, [2]), id="one frame"),
    pytest.param((120, [1, 2, 3, 3, 2, 1] * 5), id="long"),
]


@pytest.mark.parametrize("utterance", UTTERANCES)
@pytest.mark.parametrize("padding", [0, 3])
def test_loss_and_gradient_are_those_of_float64(utterance, padding):
    labels, logits, label_lengths, frames = batch([utterance, (9, [2, 3])], units=4, padding=padding)
    losses, gradients = loss_and_gradient(labels, logits, label_lengths, frames)
    count = frames[0]
    loss, gradient = reference(logits[0, :count], utterance[1])
    np.testing.assert_allclose(losses[0], loss, atol=1e-4)
    np.testing.assert_allclose(gradients[0, :count], gradient, atol=1e-4)
    assert not np.any(gradients[0, count:])


def test_long_utterances_are_rated_as_in_float64():
    spoken = np.random.default_rng(1).integers(1, 4, 400).tolist()
    utterances = [(3000, spoken), (2500, spoken[:150])]
    labels, logits, label_lengths, frames = batch(utterances, units=4)
    losses, gradients = loss_and_gradient(labels, logits, label_lengths, frames)
    for row, (count, own) in enumerate(utterances):
        loss, gradient = reference(logits[row, :count], own)
        np.testing.assert_allclose(losses[row], loss, rtol=1e-5)
        np.testing.assert_allclose(gradients[row, :count], gradient, atol=1e-3)
        assert not np.any(gradients[row, count:])


def test_padding_changes_nothing():
    utterance, other = (6, [1, 1, 2]), (9, [2, 3])
    labels, logits, label_lengths, frames = batch([utterance, other], units=4, padding=5)
    losses, gradients = loss_and_gradient(labels, logits, label_lengths, frames)
    loss, gradient = loss_and_gradient(labels[:1, :3], logits[:1, :6], label_lengths[:1], frames[:1])
    np.testing.assert_allclose(losses[:1], loss, rtol=1e-6)
    np.testing.assert_allclose(gradients[:1, :6], gradient, atol=1e-6)


def test_padding_may_be_anything():
    labels, logits, label_lengths, frames = batch([(6, [1, 1, 2]), (9, [2, 3])], units=4, padding=5)
    wanted = loss_and_gradient(labels, logits, label_lengths, frames)
    labels[0, 3:], logits[0, 6:] = 0, 1e9
    labels[1, 2:], logits[1, 9:] = 3, -1e9
    for values, others in zip(wanted, loss_and_gradient(labels, logits, label_lengths, frames), strict=True):
        np.testing.assert_array_equal(values, others)


@pytest.mark.parametrize("garbage", [np.nan, np.inf, -np.inf])
def test_padding_need_not_be_finite(garbage):
    labels, logits, label_lengths, frames = batch([(6, [1, 1, 2]), (9, [2, 3])], units=4, padding=5)
    wanted = loss_and_gradient(labels, logits, label_lengths, frames)
    logits[0, 6:] = logits[1, 9:] = garbage
    for values, others in zip(wanted, loss_and_gradient(labels, logits, label_lengths, frames), strict=True):
        np.testing.assert_array_equal(values, others)


def test_a_unit_may_be_impossible_in_a_frame():
    labels, logits, label_lengths, frames = batch([(7, [1, 2, 1])], units=4)
    logits[0, ::2, 3] = logits[0, 2:4, 1] = logits[0, 0, 0] = -np.inf
    losses, gradients = loss_and_gradient(labels, logits, label_lengths, frames)
    loss, gradient = reference(np.maximum(logits[0], -1e5), [1, 2, 1])
    np.testing.assert_allclose(losses[0], loss, atol=1e-4)
    np.testing.assert_allclose(gradients[0], gradient, atol=1e-4)
    logits[:, :, 2] = -np.inf  # a label that no frame can be
    losses, gradients = loss_and_gradient(labels, logits, label_lengths, frames)
    assert losses[0] >= 1e30 and np.isfinite(gradients).all()


def test_more_labels_than_there_are_do_not_fit():
    labels, logits, _, frames = batch([(9, [1, 2]), (9, [1, 2])], units=4)
    losses, gradients = loss_and_gradient(labels, logits, np.array([3, 2], np.int32), frames)
    assert losses[0] == 0 and not np.any(gradients[0])
    assert losses[1] > 0 and np.any(gradients[1])
    assert is_feasible(labels, np.array([3, 2]), frames).numpy().tolist() == [False, True]


def test_no_utterance_needs_to_have_labels():
    _, logits, _, frames = batch([(3, []), (5, [])], units=4)
    labels, label_lengths = np.zeros((2, 0), np.int32), np.zeros(2, np.int32)
    losses, gradients = loss_and_gradient(labels, logits, label_lengths, frames)
    for row, count in enumerate(frames):
        loss, gradient = reference(logits[row, :count], [])
        np.testing.assert_allclose(losses[row], loss, atol=1e-4)
        np.testing.assert_allclose(gradients[row, :count], gradient, atol=1e-4)


def test_sizes_may_be_unknown_when_the_graph_is_built():
    sizes = [([None, None], tf.int32), ([None, None, 4], tf.float32), ([None], tf.int32), ([None], tf.int32)]
    graph = loss_and_gradient.get_concrete_function(*(tf.TensorSpec(*size) for size in sizes))
    for frames in (4, 11):
        arrays = batch([(frames, [1, 2]), (3, [3])], units=4)
        losses, gradients = graph(*map(tf.constant, arrays))
        loss, gradient = reference(arrays[1][0, :frames], [1, 2])
        np.testing.assert_allclose(losses[0], loss, atol=1e-4)
        np.testing.assert_allclose(gradients[0, :frames], gradient, atol=1e-4)


def test_each_utterance_has_the_gradient_of_its_own_weight():
    labels, logits, label_lengths, frames = batch([(6, [1, 2]), (5, [3])], units=4)
    logits = tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        total = tf.reduce_sum(ctc_loss(labels, logits, label_lengths, frames) * [0.5, -3.0])
    plain = loss_and_gradient(labels, logits, label_lengths, frames)[1]
    np.testing.assert_allclose(tape.gradient(total, logits), plain * np.reshape([0.5, -3.0], (2, 1, 1)), atol=1e-6)


@pytest.mark.parametrize("onset", [0, 1, 3, 6])
def test_before_the_onset_every_frame_is_blank(onset):
    labels, logits, label_lengths, frames = batch([(9, [1, 1]), (8, [2, 3])], units=4, padding=2)
    logits = tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        losses = ctc_loss(labels, logits, label_lengths, frames, onsets=np.array([onset, 0], np.int32))
        total = tf.reduce_sum(losses)
    quiet, speech = logits[0, :onset].numpy(), logits[0, onset:9].numpy()
    loss, gradient = reference(speech, [1, 1])
    np.testing.assert_allclose(losses[0], loss - log_softmax(quiet)[:, 0].sum(), atol=1e-4)
    gradients = tape.gradient(total, logits)
    np.testing.assert_allclose(gradients[0, onset:9], gradient, atol=1e-4)
    np.testing.assert_allclose(gradients[0, :onset], np.exp(log_softmax(quiet)) - [1, 0, 0, 0], atol=1e-4)
    np.testing.assert_allclose(losses[1], reference(logits[1, :8].numpy(), [2, 3])[0], atol=1e-4)


def test_labels_that_do_not_fit_after_the_onset_have_no_loss():
    labels, logits, label_lengths, frames = batch([(9, [1, 1])], units=4)
    losses = [ctc_loss(labels, logits, label_lengths, frames, np.array([onset]))[0] for onset in (6, 7)]
    assert losses[0] > 0 and losses[1] == 0


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 7), st.lists(st.integers(1, 3), max_size=5), st.integers(0, 2**32 - 1))
def test_any_utterance_is_rated_as_in_float64_or_is_infeasible(count, labels, seed):
    arrays = batch([(count, labels), (4, [1])], units=4, seed=seed, padding=2)
    losses, gradients = loss_and_gradient(*arrays)
    if count < frames_needed(labels):
        assert losses[0] == 0 and not np.any(gradients[0])
    else:
        loss, gradient = reference(arrays[1][0, :count], labels)
        np.testing.assert_allclose(losses[0], loss, atol=1e-4)
        np.testing.assert_allclose(gradients[0, :count], gradient, atol=1e-4)


@pytest.mark.parametrize("utterance", [(2, [1, 2, 3]), (4, [1, 1, 1]), (0, [1]), (0, [])])
def test_what_does_not_fit_has_neither_loss_nor_gradient(utterance):
    arrays = batch([utterance, (8, [1, 2])], units=4)
    losses, gradients = loss_and_gradient(*arrays)
    assert losses[0] == 0 and not np.any(gradients[0])
    assert losses[1] > 0 and np.any(gradients[1])
    assert is_feasible(arrays[0], arrays[2], arrays[3]).numpy().tolist() == [False, True]


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 8), st.lists(st.integers(1, 3), max_size=6))
def test_both_tests_of_feasibility_agree(count, labels):
    padded, _, lengths, frames = batch([(count, labels), (9, [1])], units=4, padding=2)
    assert bool(is_feasible(padded, lengths, frames)[0]) == (count >= frames_needed(labels))


@pytest.mark.parametrize("precision", [tf.bfloat16, tf.float16])
def test_low_precision_logits_are_computed_on_in_float32(precision):
    labels, logits, label_lengths, frames = batch([(6, [1, 2, 3])], units=4)
    low = tf.cast(logits, precision)
    losses, gradients = loss_and_gradient(labels, low, label_lengths, frames)
    wanted, wanted_gradients = loss_and_gradient(labels, tf.cast(low, tf.float32), label_lengths, frames)
    assert (losses.dtype, gradients.dtype) == (tf.float32, precision)
    np.testing.assert_allclose(losses, wanted)
    np.testing.assert_array_equal(gradients, tf.cast(wanted_gradients, precision))


def test_very_sure_and_very_wrong_logits_stay_finite():
    labels, logits, label_lengths, frames = batch([(60, [1, 2, 3])], units=4)
    losses, gradients = loss_and_gradient(labels, logits * 1e4, label_lengths, frames)
    assert np.isfinite(losses).all() and np.isfinite(gradients).all()
