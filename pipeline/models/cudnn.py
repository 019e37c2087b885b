"""cuDNN's plain recurrent layer, on TensorFlow with a GPU; for LSTM and GRU Keras itself calls cuDNN."""

import tensorflow as tf


def simple_rnn(inputs, kernel, recurrent_kernel, bias, h, learning=True):
    """What `recurrence.simple_rnn` computes, by cuDNN: the same arguments and results."""
    frames, batch = tf.shape(inputs)[0], tf.shape(inputs)[1]
    outputs, last, *_ = tf.raw_ops.CudnnRNNV3(
        input=inputs,
        input_h=h[None],
        input_c=0,
        params=parameters(kernel, recurrent_kernel, bias),
        sequence_lengths=tf.fill([batch], frames),
        rnn_mode="rnn_tanh",
        is_training=learning,
        time_major=True,
    )
    return outputs, (tf.squeeze(last, axis=0),)


def parameters(kernel, recurrent_kernel, bias):
    """float [weights] as cuDNN has them: two matrices, transposed as its vectors are columns, then a bias for each."""
    matrices = [tf.reshape(tf.transpose(matrix), [-1]) for matrix in (kernel, recurrent_kernel)]
    return tf.concat([*matrices, bias, tf.zeros_like(bias)], axis=0)
