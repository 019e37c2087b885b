"""A run's best model -> a SavedModel with its units, configuration and card."""

import shutil
from pathlib import Path

import tensorflow as tf

from pipeline.config import Config, load_config
from pipeline.decoding.confidence import Calibration
from pipeline.errors import InputError, PipelineError
from pipeline.export.about import About
from pipeline.export.calibration import calibrate
from pipeline.export.card import card
from pipeline.export.checksums import write_checksums
from pipeline.export.earlier import take_over
from pipeline.export.litert import write_litert
from pipeline.export.onnx import load_tf2onnx, write_onnx
from pipeline.export.serving import Serving, save
from pipeline.feature_files import FeatureFrames
from pipeline.text import Units
from pipeline.training.run import Run


def export(
    run_folder: str | Path,
    out: str | Path,
    overrides: list[str] = (),
    litert: bool = False,
    onnx: bool = False,
    half: bool = False,
) -> None:
    """Writes the best model of a run to `out`; what stands there is replaced only by a whole new export.

    What was tuned for an earlier export of the same weights, thresholds of keywords and weights of a language model,
    is kept.

    Args:
        run_folder: as training made it.
        out: the folder to write.
        overrides: `key=value`, of settings that say where the validation data lies now.
        litert, onnx: also as model.tflite, as model.onnx.
        half: the SavedModel's weights in half precision; what is computed stays float32.

    Raises:
        InputError: no run with a checkpoint, or `out` holds something that is not an export.
        PipelineError: it cannot be written, or tf2onnx is wanted and missing.
    """
    run, out = Run(run_folder), Path(out)
    if out.exists() and not (out / "saved_model.pb").exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out}: a new folder or an earlier export to replace wanted, found something else")
    settings, units, model, metrics = run.load()
    if litert and settings.cannot_stream:
        raise InputError(f"LiteRT: a model that can stream wanted, this one has {settings.cannot_stream}")
    if onnx:
        load_tf2onnx()  # before the work
    calibrated = calibrate(model, units, load_config(run.config, overrides))
    calibration, least = Calibration(), 0.0
    if calibrated:
        calibration, least = calibrated.calibration, calibrated.least_confidence
    beside = out.with_name(out.name + ".part")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        serving = Serving(model, units, calibration, least, half)
        save(serving.weights, beside, serving.signatures())
        _about(settings, units, calibration, least).save(beside)
        (beside / "assets" / "config.yaml").write_text(settings.to_yaml(), encoding="utf-8")
        if litert:
            write_litert(model, beside)
        if onnx:
            write_onnx(model, beside)
        if calibrated:
            calibrated.plot(beside / "reliability.png")
        text = card(settings, units, model.count_params(), metrics, run.seconds(), out, calibrated)
        (beside / "card.md").write_text(text, encoding="utf-8")
        write_checksums(beside)
        take_over(out, beside)
        shutil.rmtree(out, ignore_errors=True)
        beside.rename(out)
    except (OSError, tf.errors.OpError) as error:
        raise PipelineError(f"{out}: cannot be written ({error})") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _about(settings: Config, units: Units, calibration: Calibration, least_confidence: float) -> About:
    features = settings.features
    return About(
        units=units,
        sample_rate=features.sample_rate if features.input == "audio" else None,
        frame_samples=features.frame_length,
        first_samples=features.first_samples,
        text=settings.text.model_dump(),
        cannot_stream=settings.cannot_stream,
        calibration=calibration,
        features=FeatureFrames.of(features),
        least_confidence=least_confidence,
    )
