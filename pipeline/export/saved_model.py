"""A run's best model -> a SavedModel with its units, configuration and card."""

import json
import shutil
from pathlib import Path

import tensorflow as tf

from pipeline.decoding.greedy_graph import greedy_text
from pipeline.errors import InputError, PipelineError
from pipeline.export.card import card
from pipeline.models.acoustic import AcousticModel
from pipeline.text import Units
from pipeline.training.run import Run


def export(run_folder: str | Path, out: str | Path) -> None:
    """Writes the best model of a run to `out`; what stands there is replaced only by a whole new export.

    Raises:
        InputError: no run with a checkpoint, or `out` holds something that is not an export.
        PipelineError: it cannot be written.
    """
    run, out = Run(run_folder), Path(out)
    if out.exists() and not (out / "saved_model.pb").exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out}: a new folder or an earlier export to replace wanted, found something else")
    settings, units, model, metrics = run.load()
    beside = out.with_name(out.name + ".part")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        module = _Serving(model, units)
        signatures = {"serving_default": module.transcribe, "log_probs": module.log_probs}
        tf.saved_model.save(module, str(beside), signatures=signatures)
        assets = beside / "assets"
        assets.mkdir(exist_ok=True)
        (assets / "config.yaml").write_text(settings.to_yaml(), encoding="utf-8")
        units.save(assets / "units.txt")
        about = {
            "name": settings.name,
            "sample_rate": settings.features.sample_rate,
            "frame_seconds": settings.features.frame_seconds,
            "text": settings.text.model_dump(),
        }
        (assets / "model.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
        (beside / "card.md").write_text(card(settings, units, model.count_params(), metrics, out), encoding="utf-8")
        shutil.rmtree(out, ignore_errors=True)
        beside.rename(out)
    except (OSError, tf.errors.OpError) as error:
        raise PipelineError(f"{out}: cannot be written ({error})") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


class _Serving(tf.Module):
    """The model's functions over its bare variables: Keras's own objects would store every weight a second time."""

    def __init__(self, model: AcousticModel, units: Units):
        super().__init__()
        self.weights = [variable.value for variable in model.weights]
        audio, lengths = tf.TensorSpec([None, None], tf.float32, "audio"), tf.TensorSpec([None], tf.int32, "lengths")

        def score(audio, lengths):
            lengths = tf.clip_by_value(lengths, 0, tf.shape(audio)[1])
            outputs = model({"audio": audio, "lengths": lengths}, training=False)
            return tf.nn.log_softmax(outputs["logits"]), outputs["frames"]

        @tf.function(input_signature=[audio, lengths])
        def log_probs(audio, lengths):
            scores, frames = score(audio, lengths)
            return {"log_probs": scores, "frames": frames}

        @tf.function(input_signature=[audio, lengths])
        def transcribe(audio, lengths):
            text, confidence = greedy_text(*score(audio, lengths), units)
            return {"text": text, "confidence": confidence}

        self.log_probs, self.transcribe = log_probs, transcribe
