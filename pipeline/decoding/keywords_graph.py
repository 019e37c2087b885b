"""Keyword search as TensorFlow operations, for the signature `spot`; agrees with `keyword_search.spot`.

The loop runs over the units of the keywords instead of over time. To enter a unit at frame s and leave it at frame t
costs a difference of prefix sums, so the best entry for every t is a running maximum over s. Scores are multiples of
2^-19 in the upper bits of an int64, the window's start is in the lower ones: one maximum moves both, and sums are
exact, so that neither padding nor batching changes a score. Time is the first axis: shifting it then copies whole rows.
"""

import functools
import re
from collections.abc import Callable

import tensorflow as tf

from pipeline.decoding.keyword_search import FLOOR, boundary_frames, space_of
from pipeline.decoding.transcript import BLANK
from pipeline.text import JOINED, OTHER, Units

FRAME_BITS = 19
START = (1 << FRAME_BITS) - 1  # the bits of a window's start, counted down, so that of equals the first is the larger
MOST_FRAMES = 1 << (FRAME_BITS - 1)  # more could overflow; at 30 ms they are 2 hours
UNROLLED = (6, 8, 10)
"""The graph is there three times: for up to 2^6 frames, up to 2^8, and more, for which a loop follows 10 doublings.

With loops only, it took up to half as long again."""

NONE = -(1 << 61)  # no path


def spot(
    log_probs: tf.Tensor, frames: tf.Tensor, keywords: tf.Tensor, units: Units, frame_seconds: float
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The best window of each keyword in each utterance.

    Args:
        log_probs: float32 [batch, frames, units].
        frames: int32 [batch], the true ones.
        keywords: string [keywords], UTF-8, normalized.
        units: of the model.
        frame_seconds: from one frame to the next.

    Returns:
        Scores float32 [batch, keywords] in 0..1, and start and end in seconds, of the same type and shape; 0, -1 and -1
        where a keyword does not fit into the frames.

    Raises:
        tf.errors.InvalidArgumentError: when it runs; a keyword is empty, or has a symbol that is not among the units,
            or there are more than MOST_FRAMES. The message says which.
    """
    labels, lengths = _labels(keywords, units)
    tf.debugging.assert_less_equal(tf.shape(log_probs)[1], MOST_FRAMES, "too many frames for one call: cut the audio")
    entering, staying = _costs(log_probs, frames)

    def all_ended(unrolled: int) -> tf.Tensor:
        left, right = _boundaries(staying, units, frame_seconds, unrolled)
        return _paths(entering, staying, left, labels, lengths, unrolled) + right[:, :, None]

    ended = _with_enough_doublings(tf.shape(log_probs)[1], all_ended)
    return _best(ended, frames, lengths, frame_seconds)


def _labels(keywords: tf.Tensor, units: Units) -> tuple[tf.Tensor, tf.Tensor]:
    """Unit ids int32 [keywords, longest], the blank beyond a keyword's end, and lengths int32 [keywords].

    Found by comparison: lookup tables are not always tracked into a SavedModel.
    """
    keywords = tf.strings.strip(tf.strings.regex_replace(keywords, r"\s+", " "))
    filled = tf.reduce_all(tf.strings.length(keywords) > 0)
    with tf.control_dependencies([tf.debugging.Assert(filled, ["a keyword is empty, at least one unit wanted"])]):
        symbols = _split(keywords, units)
    known = tf.constant([symbol if symbol != OTHER else "" for symbol in units.symbols])  # the filler is no word
    same = tf.equal(symbols.flat_values[:, None], known)
    found = tf.reduce_any(same, axis=1)
    wanted = f"a keyword has a symbol that is not among the model's {units.kind}:"
    unknown = tf.boolean_mask(symbols.flat_values, ~found)[:1]
    with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(found), [wanted, unknown])]):
        ids = 1 + tf.argmax(same, axis=1, output_type=tf.int32)
    return symbols.with_flat_values(ids).to_tensor(BLANK), tf.cast(symbols.row_lengths(), tf.int32)


def _split(keywords: tf.Tensor, units: Units) -> tf.RaggedTensor:
    """As `Units.split` does it."""
    if units.kind == "characters":
        return tf.strings.unicode_split(keywords, "UTF-8")
    if not units.phrases:
        return tf.strings.split(keywords, " ")
    spaced = tf.strings.join([" ", tf.strings.regex_replace(keywords, " ", "  "), " "])
    for phrase in units.phrases:
        words = f" {phrase.replace(' ', '  ')} "
        joined = f" {phrase.replace(' ', JOINED)} ".replace("\\", r"\\")
        spaced = tf.strings.regex_replace(spaced, re.escape(words), joined)
    symbols = tf.strings.split(spaced)
    return symbols.with_flat_values(tf.strings.regex_replace(symbols.flat_values, JOINED, " "))


def _costs(log_probs: tf.Tensor, frames: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """What entering and staying in each unit costs: int64 [frames, batch, units]. Padding is as good as blanks."""
    count, width = tf.shape(log_probs)[1], log_probs.shape[2]
    scores = tf.maximum(tf.transpose(log_probs, [1, 0, 2]), FLOOR)
    inside = (tf.range(count)[:, None] < frames[None, :])[:, :, None]
    scores = tf.where(inside, scores, tf.one_hot(BLANK, width, on_value=0.0, off_value=FLOOR))
    below_best = scores - tf.reduce_max(scores, axis=2, keepdims=True)
    scores = tf.concat([below_best[:, :, :1], scores[:, :, 1:]], axis=2)
    return _whole(scores), _whole(below_best)


def _whole(scores: tf.Tensor) -> tf.Tensor:
    steps = tf.cast(tf.round(scores * float(1 << FRAME_BITS)), tf.int64)
    return steps * (1 << FRAME_BITS)


def _boundaries(staying: tf.Tensor, units: Units, frame_seconds: float, unrolled: int) -> tuple[tf.Tensor, tf.Tensor]:
    """The costs of a boundary before and after each frame: int64 [frames, batch]."""
    space, most = space_of(units), boundary_frames(units, frame_seconds)
    if not space:
        nothing = tf.zeros_like(staying[:, :, 0])
        return nothing, nothing

    def before(staying):
        gap = tf.maximum(staying[:, :, BLANK], staying[:, :, space])
        gaps = tf.cumsum(gap, exclusive=True)  # of the frames before
        short = tf.pad(gaps, [[most, 0], [0, 0]])[: tf.shape(gaps)[0]]
        spaces = _running_maximum(staying[:, :, space] - gap - gaps, unrolled)
        spaces = tf.pad(spaces, [[1, 0], [0, 0]], constant_values=NONE)[: tf.shape(gaps)[0]]
        return tf.maximum(gaps - short, gaps + spaces)

    return before(staying), tf.reverse(before(tf.reverse(staying, [0])), [0])


def _paths(
    entering: tf.Tensor, staying: tf.Tensor, left: tf.Tensor, labels: tf.Tensor, lengths: tf.Tensor, unrolled: int
) -> tf.Tensor:
    """The best path of each keyword that ends with each frame: int64 [frames, batch, keywords], score and start."""
    count, batch, _ = tf.unstack(tf.shape(staying))
    keywords, longest = tf.unstack(tf.shape(labels))
    # All relative to staying in the blank up to the frame: waiting for the next unit then costs nothing.
    blanks = tf.cumsum(staying[:, :, BLANK])[:, :, None]
    stays = tf.cumsum(staying) - blanks
    enters = entering - stays - staying[:, :, BLANK : BLANK + 1]
    starts = START - tf.range(count, dtype=tf.int64)[:, None, None]
    waiting = left[:, :, None] + starts - (blanks - staying[:, :, BLANK : BLANK + 1])
    waiting = tf.tile(waiting, [1, 1, keywords])
    ended = tf.fill([count, batch, keywords], tf.constant(NONE, tf.int64))

    def unit(number, waiting, ended):
        ids = labels[:, number]
        entered = waiting + tf.gather(enters, ids, axis=2)
        paths = _running_maximum(entered, unrolled) + tf.gather(stays, ids, axis=2)
        paths = tf.maximum(paths, NONE)
        ended = tf.where(lengths == number + 1, paths + blanks, ended)
        following = labels[:, tf.minimum(number + 1, longest - 1)]
        best = _running_maximum(paths, unrolled)
        by_one = tf.pad(best, [[1, 0], [0, 0], [0, 0]], constant_values=NONE)[:count]
        by_two = tf.pad(best, [[2, 0], [0, 0], [0, 0]], constant_values=NONE)[:count]
        return number + 1, tf.where(following == ids, by_two, by_one), ended

    return tf.while_loop(lambda number, *_: number < longest, unit, [0, waiting, ended])[2]


def _running_maximum(values: tf.Tensor, unrolled: int) -> tf.Tensor:
    """Over the first axis: after each doubling it is the maximum of twice as many."""
    count, rest = tf.shape(values)[0], [[0, 0]] * (len(values.shape) - 1)
    for shift in (1 << number for number in range(unrolled)):
        values = tf.maximum(values, tf.pad(values, [[shift, 0], *rest], constant_values=NONE)[:-shift])
    if unrolled < UNROLLED[-1]:
        return values

    def doubled(shift, values):
        return 2 * shift, tf.maximum(values, tf.pad(values, [[shift, 0], *rest], constant_values=NONE)[:count])

    return tf.while_loop(lambda shift, _: shift < count, doubled, [1 << unrolled, values])[1]


def _with_enough_doublings(count: tf.Tensor, function: Callable[[int], tf.Tensor]) -> tf.Tensor:
    """`function(unrolled)` for so many frames."""
    branch = tf.reduce_sum(tf.cast(count > tf.constant([1 << unrolled for unrolled in UNROLLED[:-1]]), tf.int32))
    return tf.switch_case(branch, [functools.partial(function, unrolled) for unrolled in UNROLLED])


def _best(
    ended: tf.Tensor, frames: tf.Tensor, lengths: tf.Tensor, frame_seconds: float
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Over all ends: scores, starts and ends in seconds, float32 [batch, keywords]."""
    inside = tf.range(tf.shape(ended)[0])[:, None] < frames[None, :]
    ended = tf.where(inside[:, :, None], ended, NONE)
    ended = tf.pad(ended, [[1, 0], [0, 0], [0, 0]], constant_values=NONE)  # so that there is one without frames
    steps = tf.bitwise.right_shift(ended, FRAME_BITS)
    best = tf.reduce_max(steps, axis=0)
    # The last of equals: a window lasts as long as its last unit. The padding makes its number an exclusive end.
    number = tf.bitwise.left_shift(tf.range(tf.shape(ended, tf.int64)[0]), FRAME_BITS)[:, None, None]
    window = tf.reduce_max(tf.where(steps == best, number + tf.bitwise.bitwise_and(ended, START), 0), axis=0)
    start = START - tf.bitwise.bitwise_and(window, START)
    end = tf.bitwise.right_shift(window, FRAME_BITS)
    fits = best > NONE >> (FRAME_BITS + 1)
    log_scores = tf.cast(best, tf.float64) / (1 << FRAME_BITS) / tf.cast(lengths, tf.float64)
    scores = tf.where(fits, tf.cast(tf.exp(log_scores), tf.float32), 0.0)
    seconds = [tf.where(fits, tf.cast(place, tf.float32) * frame_seconds, -1.0) for place in (start, end)]
    return scores, *seconds
