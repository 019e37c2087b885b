"""What differs between Keras's back ends in training: TensorFlow and JAX."""

from collections.abc import Callable

import keras
import tensorflow as tf


def is_jax() -> bool:
    """Whether Keras computes by JAX; `KERAS_BACKEND=jax` in the environment asks for it."""
    return keras.backend.backend() == "jax"


def make_deterministic() -> None:
    """The same numbers whenever the same seed is trained with on the same machine; JAX's are so by themselves."""
    tf.config.experimental.enable_op_determinism()


def compiled(model: keras.Model, function: Callable) -> Callable:
    """A function of arrays that calls the model without changing it, made quick; it takes the weights of the moment."""
    if not is_jax():
        return tf.function(function, reduce_retracing=True)
    import jax

    @jax.jit
    def stateless(values, *arguments):
        with keras.StatelessScope(state_mapping=zip(model.variables, values, strict=True)):
            return function(*arguments)

    return lambda *arguments: stateless([variable.value for variable in model.variables], *arguments)


def start_profile(folder: str) -> None:
    """Records what is computed from now on, into a folder that TensorBoard's profile plugin reads."""
    if is_jax():
        import jax

        jax.profiler.start_trace(folder)
    else:
        tf.profiler.experimental.start(folder)


def stop_profile() -> None:
    """Ends what `start_profile` began."""
    if is_jax():
        import jax

        jax.profiler.stop_trace()
    else:
        tf.profiler.experimental.stop()


def graph_of(model: keras.Model, specification: object) -> tf.Graph | None:
    """The operations of the model in inference, for a nest of `tf.TensorSpec`; JAX has no such graph."""
    if is_jax():
        return None
    return tf.function(lambda inputs: model(inputs, training=False)).get_concrete_function(specification).graph


def bring_up_to_date(model: keras.Model) -> None:
    """Within an epoch JAX's training keeps the variables to itself: gives the model and its optimizer theirs."""
    if is_jax():
        model.jax_state_sync()
