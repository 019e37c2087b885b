"""A batch in parts that are computed side by side."""

import itertools
from collections.abc import Callable

import keras
from keras import ops


def in_parts(count: int, function: Callable, *tensors):
    """What `function` gives for the tensors, computed for one part of the batch and another at the same time.

    In a `tf.function` TensorFlow runs operations that do not depend on each other on several cores; gradients as well.

    Args:
        count: of the parts; one may have an utterance more than another, or none.
        function: of tensors [batch, ...] -> nested tensors [batch, ...], where utterances do not depend on each other.
        tensors: [batch, ...] each.
    """
    if count == 1:
        return function(*tensors)
    import tensorflow as tf  # without which there is but one part

    bounds = [ops.shape(tensors[0])[0] * number // count for number in range(count + 1)]
    sizes = [end - begin for begin, end in itertools.pairwise(bounds)]
    split = [tf.split(tensor, sizes, num=count) for tensor in tensors]
    found = [function(*part) for part in zip(*split, strict=True)]
    return keras.tree.map_structure(lambda *parts: ops.concatenate(parts, axis=0), *found)
