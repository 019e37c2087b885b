"""The recurrences of Keras's cells on TensorFlow, with gradients by hand: the same results in less than half the time.

They are made of operations that any machine has, so exports hold them too.

TensorFlow's own gradient of a recurrent layer adds every time step's share to the gradients of the weights, a megabyte
or more each. Here the backward loop yields no more than the gradient of each step's pre-activation; those of the
weights are one matrix product over all steps, and so is the inputs' part of the pre-activations.

All functions take and give time-major tensors. Notation: z is a pre-activation, h an output, c a cell state, and dX
the loss's gradient with respect to X.
"""

import numpy as np
import tensorflow as tf


def simple_rnn(inputs, kernel, recurrent_kernel, bias, h):
    """h_t = tanh(W x_t + U h_{t-1} + b).

    Args:
        inputs: float [frames, batch, inputs], of at least one frame.
        kernel: float [inputs, units].
        recurrent_kernel: float [units, units].
        bias: float [units].
        h: float [batch, units], the state before the first frame.

    Returns:
        float [frames, batch, units], and the state after the last frame: a tuple of h.
    """

    @tf.custom_gradient
    def recur(projected, recurrent, start):
        h = tf.scan(lambda h, z: tf.tanh(z + tf.matmul(h, recurrent)), projected, start)

        def gradient(dh):
            transposed = tf.transpose(recurrent)

            def step(dz, now):
                dh, slope = now
                return (dh + tf.matmul(dz, transposed)) * slope

            dz = tf.scan(step, (dh, 1 - h * h), tf.zeros_like(dh[0]), reverse=True)
            return dz, _weights_gradient(_before(h, start), dz), tf.matmul(dz[0], transposed)

        return h, gradient

    outputs = recur(tf.tensordot(inputs, kernel, 1) + bias, tf.convert_to_tensor(recurrent_kernel), h)
    return outputs, (outputs[-1],)


def lstm(inputs, kernel, recurrent_kernel, bias, h, c):
    """Input, forget and output gates around a cell state, in Keras's order i, f, c, o.

    Args:
        inputs: float [frames, batch, inputs], of at least one frame.
        kernel: float [inputs, 4 * units].
        recurrent_kernel: float [units, 4 * units].
        bias: float [4 * units].
        h, c: float [batch, units], the state before the first frame.

    Returns:
        float [frames, batch, units], and the state after the last frame: a tuple of h and c.
    """
    units = recurrent_kernel.shape[0]
    # A sigmoid is half a tanh of half the argument, plus a half: one tanh serves all four parts.
    half = tf.constant(np.repeat([0.5, 0.5, 1.0, 0.5], units), inputs.dtype)
    shift = tf.constant(np.repeat([0.5, 0.5, 0.0, 0.5], units), inputs.dtype)

    @tf.custom_gradient
    def recur(projected, recurrent, start_h, start_c):
        halved, halved_recurrent = projected * half, recurrent * half

        def step(before, z):
            _, c, h = before
            gates = tf.tanh(z + tf.matmul(h, halved_recurrent)) * half + shift
            i, f, candidate, o = tf.split(gates, 4, axis=1)
            c = f * c + i * candidate
            return gates, c, o * tf.tanh(c)

        gates, c, h = tf.scan(step, halved, (tf.zeros_like(projected[0]), start_c, start_h))

        def gradient(dh, dc_last):
            transposed = tf.transpose(recurrent)
            i, f, candidate, o = tf.split(gates, 4, axis=2)
            tanh_c = tf.tanh(c)
            by_dc = tf.concat(  # what dc is multiplied by for dz of i, f and the candidate
                [candidate * i * (1 - i), _before(c, start_c) * f * (1 - f), i * (1 - candidate * candidate)], axis=2
            )
            by_dh = tanh_c * o * (1 - o)  # and dh for dz of o
            into_c = o * (1 - tanh_c * tanh_c)

            def step(after, now):
                dz, dc = after
                dh, by_dc, by_dh, into_c, f = now
                dh = dh + tf.matmul(dz, transposed)
                dc = dc + dh * into_c
                return tf.concat([tf.tile(dc, [1, 3]) * by_dc, dh * by_dh], axis=1), dc * f

            start = tf.zeros_like(gates[0]), dc_last
            dz, dc = tf.scan(step, (dh, by_dc, by_dh, into_c, f), start, reverse=True)
            return dz, _weights_gradient(_before(h, start_h), dz), tf.matmul(dz[0], transposed), dc[0]

        return (h, c[-1]), gradient

    outputs, c = recur(tf.tensordot(inputs, kernel, 1) + bias, tf.convert_to_tensor(recurrent_kernel), h, c)
    return outputs, (outputs[-1], c)


def _before(values, start):
    """The values [frames, batch, units] of the frame before each; `start` before the first."""
    return tf.concat([start[None], values[:-1]], axis=0)


def _weights_gradient(inputs, dz):
    """The gradient of a matrix [inputs, units] that all frames' inputs [frames, batch, inputs] are multiplied by."""
    inputs, dz = (tf.reshape(values, [-1, values.shape[-1]]) for values in (inputs, dz))
    return tf.matmul(inputs, dz, transpose_a=True)
