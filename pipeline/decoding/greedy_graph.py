"""Greedy decoding as TensorFlow operations, for signatures that give text; agrees with `greedy.greedy`."""

import tensorflow as tf

from pipeline.decoding.greedy import pause_frames
from pipeline.decoding.transcript import BLANK
from pipeline.text import Units


def greedy_text(
    log_probs: tf.Tensor, frames: tf.Tensor, units: Units, frame_seconds: float
) -> tuple[tf.Tensor, tf.Tensor]:
    """Texts and confidences of a batch.

    Args:
        log_probs: float32 [batch, frames, units].
        frames: int32 [batch], the true ones.
        units: of the model.
        frame_seconds: from one frame to the next.

    Returns:
        string [batch], and float32 [batch] in 0..1: see `transcript.spell`.
    """
    batch, count = tf.shape(log_probs)[0], tf.shape(log_probs)[1]
    inside = tf.range(count)[None, :] < frames[:, None]
    best = tf.where(inside, tf.argmax(log_probs, axis=2, output_type=tf.int32), BLANK)
    starts = tf.not_equal(best, tf.pad(best[:, :-1], [[0, 0], [1, 0]], constant_values=-1))
    is_new = starts & tf.not_equal(best, BLANK)  # the first frame of each unit on the best path

    # Runs of equal units are numbered through the whole batch, so that one segment operation serves all.
    run = tf.reshape(tf.cumsum(tf.cast(starts, tf.int32), axis=1) - 1 + tf.range(batch)[:, None] * count, [-1])
    spelled = [text + " " if text and units.kind == "words" else text for text in units.texts]
    pieces = tf.gather(tf.constant(spelled), tf.where(is_new, best, BLANK))
    lengths = tf.gather(tf.math.unsorted_segment_sum(tf.ones_like(run, tf.float32), run, batch * count), run)
    is_pause = starts & ~is_new & (tf.reshape(lengths, [batch, count]) >= pause_frames(units, frame_seconds))
    pieces = tf.where(is_pause, " ", pieces)
    text = tf.strings.strip(tf.strings.regex_replace(tf.strings.reduce_join(pieces, axis=1), " +", " "))

    scores = tf.reduce_max(log_probs, axis=2)
    peaks = tf.gather(tf.math.unsorted_segment_max(tf.reshape(scores, [-1]), run, batch * count), run)
    units = tf.cast(is_new, tf.float32)
    blanks = tf.cast(inside, tf.float32)
    of_units = tf.math.divide_no_nan(
        tf.reduce_sum(tf.reshape(peaks, [batch, count]) * units, 1), tf.reduce_sum(units, 1)
    )
    of_blanks = tf.math.divide_no_nan(tf.reduce_sum(log_probs[:, :, BLANK] * blanks, 1), tf.reduce_sum(blanks, 1))
    return text, tf.exp(tf.where(tf.reduce_any(is_new, axis=1), of_units, of_blanks))
