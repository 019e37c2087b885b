import numpy as np
import pytest
import tensorflow as tf
import tiny

from pipeline.config import load_config
from pipeline.models import hardware
from pipeline.models.acoustic import AcousticModel
from pipeline.models.parts import in_parts


@pytest.mark.parametrize("batch", [0, 1, 2, 3, 7])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_parts_are_the_whole(batch, count):
    values = np.random.default_rng(0).normal(size=(batch, 3)).astype(np.float32)

    @tf.function(input_signature=[tf.TensorSpec([None, 3])])
    def doubled(values):
        return in_parts(count, lambda part, other: {"sum": part + other}, values, values)

    np.testing.assert_array_equal(doubled(values)["sum"], 2 * values)


@pytest.mark.parametrize("cell", ["simple_rnn", "lstm", "gru"])
@pytest.mark.parametrize("batch", [1, 5])
def test_a_batch_in_parts_has_the_loss_and_gradient_of_the_whole(tmp_path, monkeypatch, cell, batch):
    model = {"cell": cell, "layers": 2, "dropout": 0.3}  # masks and dropout are the same, too
    settings = load_config(tiny.write_config(tmp_path, model=model, training={"precision": "float32"}))
    random = np.random.default_rng(0)
    lengths = np.array([4000, 3000, 2500, 700, 0][:batch], np.int32)
    inputs = {"audio": random.normal(size=(batch, 4000)).astype(np.float32), "lengths": lengths}
    labels = {"labels": random.integers(1, 4, (batch, 3)), "label_lengths": np.array([3, 2, 1, 0, 0][:batch])}
    found = []
    for count in (1, 3):
        monkeypatch.setattr(hardware, "parts_of", lambda batch, count=count: count)
        model = AcousticModel(settings, 4)
        for variable in model.trainable_variables:
            variable.assign(np.random.default_rng(1).normal(size=variable.shape) * 0.3)

        @tf.function
        def step(model=model):
            with tf.GradientTape() as tape:
                loss = model.compute_loss(inputs, labels, model(inputs, training=True))
            return loss, tape.gradient(loss, [variable.value for variable in model.trainable_variables])

        found.append([tensor.numpy() for tensor in tf.nest.flatten(step())])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5 * max(1, np.abs(other).max()))
