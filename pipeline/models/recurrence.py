"""The recurrences of Keras's cells on TensorFlow, with gradients by hand: the same results in half the time or less.

They are made of operations that any machine has, so exports hold them too: without `learning` they keep nothing for a
gradient, and TensorFlow makes its own should one be asked for.

TensorFlow's own gradient of a recurrent layer adds every time step's share to the gradients of the weights, a megabyte
or more each. Here the backward loop yields no more than the gradient of each step's pre-activation; those of the
weights are one matrix product over all steps, and so is the inputs' part of the pre-activations. What the forward loop
leaves for the backward one stays in its arrays, a tensor a step, and is never joined.

All functions take and give time-major tensors. The dtype of the inputs, weights and states is that of the matrix
products and the outputs; with bfloat16, everything between the products still is float32. Notation: z is a
pre-activation, h an output, c a cell state, and dX the loss's gradient with respect to X.
"""

import numpy as np
import tensorflow as tf


def simple_rnn(inputs, kernel, recurrent_kernel, bias, h, learning=True):
    """h_t = tanh(W x_t + U h_{t-1} + b).

    Args:
        inputs: float [frames, batch, inputs], of at least one frame.
        kernel: float [inputs, units].
        recurrent_kernel: float [units, units].
        bias: float [units].
        h: float [batch, units], the state before the first frame.
        learning: keep what the gradient by hand needs.

    Returns:
        float [frames, batch, units], and the state after the last frame: a tuple of h.
    """
    dtype, wide = inputs.dtype, _wide(inputs.dtype)
    frames, units = tf.shape(inputs)[0], recurrent_kernel.shape[0]

    @_gradient_by_hand(learning)
    def recur(projected, recurrent, start):
        def step(time, h, hs):
            z = _sum(projected[time], tf.matmul(h, recurrent), wide)
            h = tf.cast(tf.tanh(z), dtype)
            return time + 1, h, hs.write(time, h)

        h = _forward(step, frames, (start,), [_array(frames, units, dtype)])[-1].stack()

        def gradient(dh):
            transposed = tf.transpose(recurrent)

            def step(time, dz, dzs):
                now = tf.cast(h[time], wide)
                dz = _sum(dh[time], tf.matmul(dz, transposed), wide) * (1 - now * now)
                dz = tf.cast(dz, dtype)
                return time - 1, dz, dzs.write(time, dz)

            first, dz = _backward(step, frames, (tf.zeros_like(start),), [_array(frames, units, dtype)])
            dz = dz.stack()
            return dz, _recurrent_gradient(start, h, dz), tf.matmul(first, transposed)

        return h, gradient

    outputs = recur(_projected(inputs, kernel, bias, learning), tf.convert_to_tensor(recurrent_kernel), h)
    return outputs, (outputs[-1],)


def lstm(inputs, kernel, recurrent_kernel, bias, h, c, learning=True):
    """Input, forget and output gates around a cell state, in Keras's order i, f, c, o.

    Args:
        inputs: float [frames, batch, inputs], of at least one frame.
        kernel: float [inputs, 4 * units].
        recurrent_kernel: float [units, 4 * units].
        bias: float [4 * units].
        h, c: float [batch, units], the state before the first frame.
        learning: keep what the gradient by hand needs.

    Returns:
        float [frames, batch, units], and the state after the last frame: a tuple of h and c.
    """
    dtype, wide = inputs.dtype, _wide(inputs.dtype)
    frames, units = tf.shape(inputs)[0], recurrent_kernel.shape[0]
    scale, shift = _one_tanh([True, True, False, True], units, wide)
    kernel, recurrent_kernel, bias = (weights * tf.cast(scale, dtype) for weights in (kernel, recurrent_kernel, bias))

    @_gradient_by_hand(learning)
    def recur(projected, recurrent, start_h, start_c):
        def step(time, h, c, hs, *kept):
            z = _sum(projected[time], tf.matmul(h, recurrent), wide)
            kept = _keep(kept, time, c, tf.cast(z, dtype))  # c is the state before
            i, f, candidate, o = tf.split(tf.tanh(z) * scale + shift, 4, axis=1)
            c = f * c + i * candidate
            h = tf.cast(o * tf.tanh(c), dtype)
            return time + 1, h, c, hs.write(time, h), *kept

        kept = [_array(frames, units, wide), _array(frames, 4 * units, dtype)] if learning else []
        _, c_last, hs, *kept = _forward(step, frames, (start_h, start_c), [_array(frames, units, dtype), *kept])
        h = hs.stack()

        def gradient(dh, dc_last):
            transposed, (cs, zs) = tf.transpose(recurrent), kept

            def step(time, dz, dc, c, dzs):
                tanh, tanh_c, c_before = tf.tanh(tf.cast(dzs.read(time), wide)), tf.tanh(c), cs.read(time)
                i, f, candidate, o = tf.split(tanh * scale + shift, 4, axis=1)
                into_h = _sum(dh[time], tf.matmul(dz, transposed), wide)
                dc = dc + into_h * o * (1 - tanh_c * tanh_c)
                parts = [dc * candidate, dc * c_before, dc * i, into_h * tanh_c]
                dz = tf.cast(tf.concat(parts, axis=1) * (scale - scale * tanh * tanh), dtype)
                return time - 1, dz, dc * f, c_before, dzs.write(time, dz)

            start = tf.tile(tf.zeros_like(start_h), [1, 4]), dc_last, c_last
            first, dc, _, dz = _backward(step, frames, start, [_to_replace(zs)])  # a dz takes the place of its z
            dz = dz.stack()
            return dz, _recurrent_gradient(start_h, h, dz), tf.matmul(first, transposed), dc

        return (h, c_last), gradient

    projected, recurrent_kernel = _projected(inputs, kernel, bias, learning), tf.convert_to_tensor(recurrent_kernel)
    outputs, c = recur(projected, recurrent_kernel, h, tf.cast(c, wide))
    return outputs, (outputs[-1], tf.cast(c, dtype))


def gru(inputs, kernel, recurrent_kernel, bias, h, learning=True):
    """Update and reset gates on the one state, in Keras's order z, r, h, the reset gate after the matrix product.

    Args:
        inputs: float [frames, batch, inputs], of at least one frame.
        kernel: float [inputs, 3 * units].
        recurrent_kernel: float [units, 3 * units].
        bias: float [2, 3 * units], of the inputs' and of the state's product.
        h: float [batch, units], the state before the first frame.
        learning: keep what the gradient by hand needs.

    Returns:
        float [frames, batch, units], and the state after the last frame: a tuple of h.
    """
    dtype, wide = inputs.dtype, _wide(inputs.dtype)
    frames, units = tf.shape(inputs)[0], recurrent_kernel.shape[0]
    scale, shift = _one_tanh([True, True], units, wide)
    both = tf.cast(tf.concat([scale, tf.ones([units], wide)], 0), dtype)
    kernel, recurrent_kernel, bias = (weights * both for weights in (kernel, recurrent_kernel, bias))
    # In the gates, which add the two products, their biases are one.
    input_bias = bias[0] + tf.concat([bias[1, : 2 * units], tf.zeros([units], dtype)], 0)

    @_gradient_by_hand(learning)
    def recur(projected, recurrent, inner_bias, start):
        inner_bias = tf.cast(inner_bias, wide)

        def step(time, h, hs, *kept):
            gates_x, candidate_x = tf.split(tf.cast(projected[time], wide), [2 * units, units], axis=1)
            from_h = tf.cast(tf.matmul(tf.cast(h, dtype), recurrent), wide)
            gates_h, inner = tf.split(from_h, [2 * units, units], axis=1)
            tanh, inner = tf.tanh(gates_x + gates_h), inner + inner_bias
            z, r = tf.split(tanh * scale + shift, 2, axis=1)
            candidate = tf.tanh(candidate_x + r * inner)
            h = candidate + z * (h - candidate)
            kept = _keep(kept, time, tanh, inner, candidate)
            return time + 1, h, hs.write(time, tf.cast(h, dtype)), *kept

        kept = [_array(frames, each * units, wide) for each in (2, 1, 1)] if learning else []
        _, hs, *kept = _forward(step, frames, (tf.cast(start, wide),), [_array(frames, units, dtype), *kept])
        h = hs.stack()

        def gradient(dh):
            transposed, h_before = tf.transpose(recurrent), tf.concat([start[None], h[:-1]], axis=0)

            def step(time, dh_next, d_inner, tanhs, inners, candidates):
                tanh, inner, candidate = tanhs.read(time), inners.read(time), candidates.read(time)
                z, r = tf.split(tanh * scale + shift, 2, axis=1)
                into_h = tf.cast(dh[time], wide) + dh_next + tf.cast(tf.matmul(d_inner, transposed), wide)
                d_candidate = into_h * (1 - z) * (1 - candidate * candidate)
                gates = [into_h * (tf.cast(h_before[time], wide) - candidate), d_candidate * inner]
                d_gates = tf.concat(gates, axis=1) * (scale - scale * tanh * tanh)
                gradients = d_gates, d_candidate * r, d_candidate
                d_inner = tf.cast(tf.concat(gradients[:2], axis=1), dtype)
                arrays = zip((tanhs, inners, candidates), gradients, strict=True)
                return time - 1, into_h * z, d_inner, *(array.write(time, value) for array, value in arrays)

            nothing = tf.zeros_like(start, wide), tf.tile(tf.zeros_like(start), [1, 3])
            dh_first, first, *found = _backward(step, frames, nothing, [_to_replace(array) for array in kept])
            d_gates, d_inner, d_candidate = (tf.cast(array.stack(), dtype) for array in found)
            d_start = tf.cast(dh_first, dtype) + tf.matmul(first, transposed)
            d_recurrent = tf.concat([_product_gradient(h_before, each) for each in (d_gates, d_inner)], axis=1)
            return tf.concat([d_gates, d_candidate], axis=2), d_recurrent, _column_sums(d_inner), d_start

        return h, gradient

    projected, recurrent_kernel = (
        _projected(inputs, kernel, input_bias, learning),
        tf.convert_to_tensor(recurrent_kernel),
    )
    outputs = recur(projected, recurrent_kernel, bias[1, 2 * units :], h)
    return outputs, (outputs[-1],)


def _gradient_by_hand(learning: bool):
    """For a function that returns its results and their gradient's function."""
    return tf.custom_gradient if learning else lambda function: lambda *tensors: function(*tensors)[0]


def _keep(arrays, time, *values):
    """The arrays with this time's values, if there are any."""
    return [array.write(time, value) for array, value in zip(arrays, values, strict=True)] if arrays else ()


def _wide(dtype):
    """What is computed with between matrix products of this dtype."""
    return dtype if dtype.size >= 4 else tf.float32


def _sum(one, other, dtype):
    return tf.cast(one, dtype) + tf.cast(other, dtype)


def _one_tanh(is_gate: list[bool], units: int, dtype):
    """Scale and shift [parts * units] that make sigmoids of tanhs: a sigmoid is half a tanh of half the argument, plus
    a half. With the weights scaled as well, one tanh serves all parts of a pre-activation."""
    scale = np.repeat([0.5 if gate else 1.0 for gate in is_gate], units)
    return tf.constant(scale, dtype), tf.constant(np.repeat([0.5 if gate else 0.0 for gate in is_gate], units), dtype)


def _projected(inputs, kernel, bias, learning):
    """The inputs' part of the pre-activations [frames, batch, ...], in one product."""

    @_gradient_by_hand(learning)
    def add(values, bias):
        return tf.nn.bias_add(values, bias), lambda d: (d, _column_sums(d))

    projected = add(tf.matmul(tf.reshape(inputs, [-1, inputs.shape[-1]]), kernel), bias)
    return tf.reshape(projected, [tf.shape(inputs)[0], tf.shape(inputs)[1], kernel.shape[-1]])


def _column_sums(values):
    """Of [..., columns]; as a matrix product, which unlike TensorFlow's sums of bfloat16 does not lose small values."""
    values = tf.reshape(values, [-1, values.shape[-1]])
    return tf.matmul(tf.ones([1, tf.shape(values)[0]], values.dtype), values)[0]


def _array(frames, columns: int, dtype):
    """For a tensor [batch, columns] of each frame."""
    return tf.TensorArray(dtype, frames, clear_after_read=False, element_shape=[None, columns])


def _to_replace(array):
    """With the array's values, for a loop that puts others in their place, so that memory holds one array, not two.

    In a graph the array itself: who writes to it has another. Eager ones change, and a second gradient wants the first.
    """
    if tf.inside_function():
        return array
    return tf.TensorArray(array.dtype, array.size(), clear_after_read=False).unstack(array.stack())


def _forward(step, frames, start, arrays):
    return tf.while_loop(lambda time, *_: time < frames, step, (0, *start, *arrays))[1:]


def _backward(step, frames, start, arrays):
    return tf.while_loop(lambda time, *_: time >= 0, step, (frames - 1, *start, *arrays))[1:]


def _recurrent_gradient(start, outputs, dz):
    """Of the matrix that each frame multiplies the output before by; slices in time cost no copy."""
    return _product_gradient(outputs[:-1], dz[1:]) + tf.matmul(start, dz[0], transpose_a=True)


def _product_gradient(inputs, dz):
    """The gradient of a matrix [inputs, units] that all frames' inputs [frames, batch, inputs] are multiplied by."""
    inputs, dz = (tf.reshape(values, [-1, values.shape[-1]]) for values in (inputs, dz))
    return tf.matmul(inputs, dz, transpose_a=True)
