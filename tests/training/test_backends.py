"""JAX in a process of its own, as Keras has one back end in each: TensorFlow's results are the reference."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
import tiny

from pipeline.audio import load_audio
from pipeline.config import load_config
from pipeline.export.saved_model import export
from pipeline.inference import Recognizer
from pipeline.models.acoustic import AcousticModel

CELLS = ["simple_rnn", "lstm", "gru"]
ONE_STEP = """
import sys
import jax, keras, numpy as np
from pipeline.config import load_config
from pipeline.models.acoustic import AcousticModel

folder = sys.argv[1]
given = dict(np.load(f"{folder}/given.npz"))
x, y = ({name: given[name] for name in names} for names in (("audio", "lengths"), ("labels", "label_lengths")))
found = {}
for cell in sys.argv[2:]:
    model = AcousticModel(load_config(f"{folder}/tiny.yaml", [f"model.cell={cell}"]), 4)
    for number, variable in enumerate(model.trainable_variables):
        variable.assign(given[f"{cell} {number}"])

    def loss(values):
        with keras.StatelessScope(state_mapping=zip(model.trainable_variables, values)):
            return model.compute_loss(x, y, model(x, training=True))

    total, gradients = jax.jit(jax.value_and_grad(loss))([each.value for each in model.trainable_variables])
    found[f"{cell} loss"] = total
    found.update({f"{cell} {number}": gradient for number, gradient in enumerate(gradients)})
np.savez(f"{folder}/found.npz", **found)
"""
TRAINING = """
import json, sys
import keras, numpy as np
from pipeline.audio import load_audio
from pipeline.config import load_config
from pipeline.models.acoustic import AcousticModel
from pipeline.training.checkpoint import load_checkpoint
from pipeline.training.trainer import train

folder = sys.argv[1]
settings = load_config(f"{folder}/tiny.yaml")
metrics = train(settings, f"{folder}/run")
model = AcousticModel(settings, 4)
load_checkpoint(__import__("pathlib").Path(folder) / "run" / "checkpoints" / "best.npz", model.variables)
audio = load_audio(f"{folder}/test-0.wav", 8000)
outputs = model({"audio": audio[None], "lengths": np.array([len(audio)], np.int32)})
np.save(f"{folder}/log_probs.npy", keras.ops.log_softmax(outputs["logits"])[0])
print(json.dumps(metrics))
"""


def by_jax(folder, program, *arguments):
    environment = {
        **os.environ,
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder), *arguments], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_losses_and_gradients_are_those_of_tensorflow(tmp_path):
    pytest.importorskip("jax")
    plain = {"model": {"dropout": 0.0}, "spec_augment": {"time_masks": 0}, "training": {"precision": "float32"}}
    config = tiny.write_config(tmp_path, **plain)
    random = np.random.default_rng(0)
    x = {"audio": random.normal(size=(3, 5000)).astype(np.float32), "lengths": np.array([5000, 3000, 900], np.int32)}
    y = {"labels": random.integers(1, 4, (3, 3)).astype(np.int32), "label_lengths": np.array([3, 2, 1], np.int32)}
    given, wanted = {**x, **y}, {}
    for cell in CELLS:
        model = AcousticModel(load_config(config, [f"model.cell={cell}"]), 4)
        variables = model.trainable_variables
        for number, variable in enumerate(variables):
            variable.assign(random.normal(size=variable.shape) * 0.3)
            given[f"{cell} {number}"] = variable.numpy()
        with tf.GradientTape() as tape:
            wanted[f"{cell} loss"] = loss = model.compute_loss(x, y, model(x, training=True))
        gradients = tape.gradient(loss, [variable.value for variable in variables])
        wanted.update({f"{cell} {number}": gradient for number, gradient in enumerate(gradients)})
    np.savez(tmp_path / "given.npz", **given)
    by_jax(tmp_path, ONE_STEP, *CELLS)
    found = np.load(tmp_path / "found.npz")
    assert set(found) == set(wanted)
    for name, values in wanted.items():
        np.testing.assert_allclose(
            found[name], values, rtol=1e-3, atol=1e-4 * max(1, np.abs(values).max()), err_msg=name
        )


def test_what_jax_has_learnt_is_exported_by_tensorflow(tmp_path):
    pytest.importorskip("jax")
    tiny.write_config(tmp_path, training={"epochs": 2}, data={"batch_size": 24})  # few shapes to compile for
    metrics = json.loads(by_jax(tmp_path, TRAINING))
    assert len(metrics["epochs"]) == 2
    assert all(
        np.isfinite([epoch["loss"], epoch["gradient_norm"], epoch["val_loss"]]).all() for epoch in metrics["epochs"]
    )
    export(tmp_path / "run", tmp_path / "out")
    found = Recognizer(tmp_path / "out").log_probs(load_audio(tmp_path / "test-0.wav", tiny.RATE))
    np.testing.assert_allclose(found, np.load(tmp_path / "log_probs.npy")[: len(found)], atol=1e-3)
