"""A batch in parts that are computed side by side."""

import itertools
from collections.abc import Callable

import keras
from keras import ops


def in_parts(count: int, function: Callable, *tensors):
    """What `function` gives for the tensors, computed for one part of the batch and another at the same time.

    Within a `tf.function` TensorFlow runs what does not depend on each other on several cores; the gradient as well.

    Args:
        count: of the parts; one may have an utterance more than another, or none.
        function: of tensors [batch, ...] -> nested tensors [batch, ...], where utterances do not depend on each other.
        tensors: nested, [batch, ...] each.
    """
    if count == 1:
        return function(*tensors)
    import tensorflow as tf  # without which there is but one part

    batch = ops.shape(keras.tree.flatten(tensors)[0])[0]
    bounds = [batch * number // count for number in range(count + 1)]
    sizes = [end - begin for begin, end in itertools.pairwise(bounds)]
    split = keras.tree.map_structure(lambda tensor: tf.split(tensor, sizes, num=count), tensors)
    found = [
        function(*keras.tree.map_structure_up_to(tensors, lambda parts, number=number: parts[number], split))
        for number in range(count)
    ]
    return keras.tree.map_structure(lambda *parts: ops.concatenate(parts, axis=0), *found)
