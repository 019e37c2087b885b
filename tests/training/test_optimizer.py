import keras
import numpy as np

from pipeline.config import Training
from pipeline.training.optimizer import AveragingAdamW, make_optimizer, make_schedule


def test_the_learning_rate_rises_then_falls():
    training = Training(epochs=10, learning_rate=1e-2, final_learning_rate=1e-4, warmup_epochs=2)
    rates = [float(make_schedule(training, batches=5)(step)) for step in range(51)]
    assert np.argmax(rates) == 10
    np.testing.assert_allclose([rates[0], max(rates), rates[-1]], [1e-2 / 11, 1e-2, 1e-4], rtol=1e-4)
    assert (np.diff(rates[:10]) > 0).all() and (np.diff(rates[11:50]) < 0).all()


def test_no_warm_up_starts_at_the_top():
    training = Training(epochs=2, learning_rate=1e-2, warmup_epochs=0)
    np.testing.assert_allclose(float(make_schedule(training, batches=5)(0)), 1e-2, rtol=1e-5)


def test_a_warm_up_longer_than_the_training_is_shortened():
    training = Training(epochs=1, learning_rate=1e-2, warmup_epochs=5)
    assert np.isfinite([float(make_schedule(training, batches=3)(step)) for step in range(5)]).all()


def test_the_final_rate_is_no_higher_than_the_others():
    training = Training(epochs=3, learning_rate=1e-9, final_learning_rate=1e-5, warmup_epochs=0)
    rates = [float(make_schedule(training, batches=5)(step)) for step in range(16)]
    np.testing.assert_allclose(rates, 1e-9, rtol=1e-5)


def test_the_gradient_norm_is_that_before_clipping():
    weights = keras.Variable(np.zeros(2), name="kernel")
    optimizer = make_optimizer(Training(clip_norm=0.1), batches=3)
    optimizer.apply_gradients([(keras.ops.convert_to_tensor([3.0, 4.0]), weights)])
    assert float(optimizer.gradient_norm) == 5.0


def test_the_average_follows_the_weights_and_is_given_back():
    weights = keras.Variable(np.ones(1), name="kernel")
    optimizer = AveragingAdamW(learning_rate=0.1, average=0.5)
    expected = 0.0
    for step in range(1, 6):
        optimizer.apply_gradients([(keras.ops.convert_to_tensor([1.0]), weights)])
        momentum = min(0.5, step / (9 + step)) if step > 1 else 0.0
        expected = momentum * expected + (1 - momentum) * float(weights[0])
    own = float(weights[0])
    with optimizer.averaged():
        np.testing.assert_allclose(float(weights[0]), expected, rtol=1e-6)
    assert float(weights[0]) == own != expected


def test_without_an_average_the_weights_stay():
    weights = keras.Variable(np.ones(1), name="kernel")
    optimizer = AveragingAdamW(learning_rate=0.1)
    optimizer.apply_gradients([(keras.ops.convert_to_tensor([1.0]), weights)])
    own = float(weights[0])
    with optimizer.averaged():
        assert float(weights[0]) == own
