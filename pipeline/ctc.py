"""Connectionist Temporal Classification: the loss, with true lengths and its own gradient.

The forward-backward recursion of Graves et al., "Connectionist Temporal Classification: Labelling Unsegmented
Sequence Data with Recurrent Neural Networks" (ICML 2006), section 4, in log space. Unit 0 is the blank.

What makes it quick:

- The backward variable is the forward variable of the utterance read from its end, so both run in one loop over a
  doubled batch.
- State i pairs the blank before label i with label i. What may enter either from the left shares a sum (`entering`
  below), so a time step costs two `logaddexp` a label.
- A frame past the end counts as a sure blank, which leaves the recursion where it is: no gathering by length.
"""

import keras
from keras import ops

BLANK = 0

_IMPOSSIBLE = -1e30
"""Log probability of what cannot happen: finite, so that a difference of two is not NaN."""


def ctc_loss(labels, logits, label_lengths, logit_lengths, onsets=None):
    """Negative log likelihood of each utterance's labels, in nats.

    Args:
        labels: int32 [batch, labels]. Unit ids, 1 or more; what stands past a label length is ignored.
        logits: float [batch, frames, units]. Unnormalized; computed on in float32 whatever their type. That of a unit
            that cannot be may be -inf, if another of its frame is finite.
        label_lengths: int32 [batch], at most the labels there are. May be 0: the loss is then that of every frame
            being blank.
        logit_lengths: int32 [batch], in frames. Frames past it change neither the loss nor any gradient.
        onsets: int32 [batch], in frames, or None. Every frame before it is to be blank.

    Returns:
        float32 [batch]. An utterance that cannot be aligned (see `is_feasible`) has a loss and a gradient of zero:
        count them with `is_feasible`, so that none goes unnoticed. Where logits of -inf forbid all paths, the loss is
        1e30 or more.
    """
    labels = ops.cast(labels, "int32")
    label_lengths = ops.cast(label_lengths, "int32")
    logit_lengths = ops.cast(logit_lengths, "int32")
    onsets = ops.zeros_like(logit_lengths) if onsets is None else ops.cast(onsets, "int32")
    feasible = is_feasible(labels, label_lengths, logit_lengths - onsets)

    @ops.custom_gradient
    def loss_of(logits):
        log_probs = ops.maximum(ops.log_softmax(logits, axis=-1), _IMPOSSIBLE)  # a product of 0 and -inf is NaN
        log_likelihoods, posteriors = _align(labels, log_probs, label_lengths, logit_lengths, onsets)

        def gradient(*args, upstream=None):
            upstream = args[0] if upstream is None else upstream
            in_utterance = ops.arange(ops.shape(logits)[1])[None, :] < logit_lengths[:, None]
            inside = ops.logical_and(in_utterance, feasible[:, None])[:, :, None]
            return ops.where(inside, (ops.exp(log_probs) - posteriors) * upstream[:, None, None], 0.0)

        return ops.where(feasible, -log_likelihoods, 0.0), gradient

    return loss_of(ops.cast(logits, "float32"))


def is_feasible(labels, label_lengths, logit_lengths):
    """Whether the labels fit into the frames: a frame for each, and a blank between equal neighbours.

    Args:
        labels: int32 [batch, labels].
        label_lengths: int32 [batch].
        logit_lengths: int32 [batch], in frames.

    Returns:
        bool [batch]. False for an utterance without frames, even if it has no labels either, and for one that is to
        have more labels than there are.
    """
    positions = ops.arange(ops.shape(labels)[1])[None, 1:]
    repeats = ops.logical_and(labels[:, 1:] == labels[:, :-1], positions < label_lengths[:, None])
    needed = label_lengths + ops.sum(ops.cast(repeats, "int32"), axis=1)
    return ops.logical_and(logit_lengths >= ops.maximum(needed, 1), label_lengths <= ops.shape(labels)[1])


def _align(labels, log_probs, label_lengths, logit_lengths, onsets):
    """Log likelihoods [batch] and the posterior of every unit in every frame [batch, frames, units]."""
    batch, count = ops.shape(labels)[0], ops.shape(labels)[1]
    time = ops.arange(ops.shape(log_probs)[1])[:, None]
    in_utterance = (time < logit_lengths[None, :])[:, :, None]
    in_speech = ops.logical_and(in_utterance, (time >= onsets[None, :])[:, :, None])
    is_label = ops.arange(count)[None, :] < label_lengths[:, None]
    spelled = ops.one_hot(labels, log_probs.shape[-1], dtype="float32")  # [batch, labels, units]

    by_time = ops.transpose(log_probs, (1, 0, 2))  # [frames, batch, units]
    blank_scores = ops.where(in_utterance, by_time[:, :, BLANK : BLANK + 1], 0.0)
    label_scores = ops.einsum("tbu,blu->tbl", by_time, spelled)
    label_scores = ops.where(ops.logical_and(in_speech, is_label[None]), label_scores, _IMPOSSIBLE)

    blanks, labelled = _forward(
        ops.concatenate([blank_scores, ops.flip(blank_scores, 0)], axis=1),
        ops.concatenate([label_scores, ops.flip(label_scores, (0, 2))], axis=1),
        ops.concatenate([labels, ops.flip(labels, 1)], axis=0),
        ops.concatenate([ops.zeros_like(label_lengths), count - label_lengths], axis=0),
    )
    # Both directions contain the frame's own score, hence the subtraction.
    blank_paths = blanks[:, :batch] + ops.flip(blanks[:, batch:], (0, 2)) - blank_scores
    label_paths = labelled[:, :batch] + ops.flip(labelled[:, batch:], (0, 2)) - label_scores
    paths = ops.concatenate([blank_paths, label_paths], axis=2)  # log probability of all paths through a state
    log_likelihoods = ops.logsumexp(paths[:1], axis=(0, 2))

    # All paths pass through some state of a frame, so its shares sum to one: dividing by their own sum instead of by
    # the likelihood cancels the rounding that the two recursions gathered (6e-6 off float64 instead of 7e-5).
    shares = ops.softmax(paths, axis=2)
    unit_shares = ops.einsum("tbl,blu->btu", shares[:, :, count + 1 :], spelled)
    blank_shares = ops.transpose(ops.sum(shares[:, :, : count + 1], axis=2, keepdims=True), (1, 0, 2))
    is_blank = ops.one_hot(BLANK, log_probs.shape[-1], dtype="float32")
    return log_likelihoods, unit_shares + blank_shares * is_blank


def _forward(blank_scores, label_scores, labels, first):
    """The forward variable of each frame: of the blanks [frames, batch, labels + 1] and labels [frames, batch, labels].

    `first` int32 [batch] is the blank that every path starts from.
    """
    count = ops.shape(labels)[1]
    may_skip = ops.pad(labels[:, 1:] != labels[:, :-1], [[0, 0], [1, 0]])  # the blank between different labels
    start = ops.where(ops.arange(count + 1)[None, :] == first[:, None], 0.0, _IMPOSSIBLE)

    def step(before, scores):
        blanks, labelled = before
        blank_score, label_score = scores
        entering = _logaddexp(blanks, ops.pad(labelled, [[0, 0], [1, 0]], constant_values=_IMPOSSIBLE))
        into_label = ops.where(may_skip, entering[:, :-1], blanks[:, :-1])
        return entering + blank_score, _logaddexp(labelled, into_label) + label_score

    return _scan(step, (start, ops.full_like(start[:, 1:], _IMPOSSIBLE)), (blank_scores, label_scores))


def _scan(step, start, inputs):
    """The state after each step along the first axis of the inputs."""
    if keras.backend.backend() == "tensorflow":  # where ops.scan wants to know the number of steps beforehand
        import tensorflow as tf

        return tf.scan(step, inputs, start)
    return ops.scan(lambda before, now: (step(before, now),) * 2, start, inputs)[1]


def _logaddexp(a, b):
    # More than twice as fast as ops.logaddexp on a CPU: fewer operations, and a vectorized softplus.
    high, low = ops.maximum(a, b), ops.minimum(a, b)
    return high + ops.softplus(low - high)
