"""The card of an exported model: what it is, what it was made from, how well it does, what it cannot."""

import os
from pathlib import Path

from pipeline.config import Config, Features, Training
from pipeline.export.calibration import Calibrated
from pipeline.text import Units

_PROJECT = Path(__file__).resolve().parents[2]

_CARD = """\
# {name}

{description}

| | |
|---|---|
| network | {layers} layers of {width} {cell}{directions}, {parameters:,} parameters |
| hears | {hears} |
| writes | {count} {kind}: {symbols} |
| trained on | {sources} |
| trained for | {training} |
| licences | {licence} |

## How well it does

On its validation data, whose speakers it was not trained on{caveat}, greedy decoding gave a word error rate of
{wer:.1%} and a character error rate of {cer:.1%}. {chosen} chosen by that data, so
expect a little less elsewhere. Measured by, and repeated with:

```
python scripts/train.py {out}/assets/config.yaml
python scripts/export.py runs/{name} {out}
```

{calibration}

On other speech, with a manifest of recordings and what is said in them:

```
python scripts/evaluate.py --model {out} MANIFEST
```

## Limits

{limits}It writes what its {kind} can spell and knows no language beyond what it heard in training: other words,
accents, microphones and noise will raise its error rate. {noise}
"""


def card(
    settings: Config,
    units: Units,
    parameters: int,
    metrics: dict,
    seconds: float,
    out: Path,
    calibrated: Calibrated | None,
) -> str:
    """Markdown.

    Args:
        settings, units, parameters: of the model.
        metrics: the object of the exported epoch in the run's metrics.json.
        seconds: that the training took.
        out: the export's folder.
        calibrated: what was measured on the validation data, if that could be read.
    """
    shown = [repr(symbol) if " " in symbol else symbol for symbol in units.symbols[:60]]
    return _CARD.format(
        name=settings.name,
        description=settings.description or "A speech recognizer.",
        layers=settings.model.layers,
        width=settings.model.units,
        cell=settings.model.cell,
        directions=" in each direction" if settings.model.bidirectional else "",
        parameters=parameters,
        hears=_hears(settings.features),
        count=len(units.symbols),
        kind=units.kind,
        symbols=" ".join(shown) + (" ..." if len(units.symbols) > len(shown) else ""),
        sources="; ".join(source.summary for source in settings.data.train),
        licence=settings.licence or "not stated in the configuration",
        caveat=" (or may have been: the configuration allows shared speakers)"
        if settings.data.allow_shared_speakers
        else "",
        wer=metrics["wer"],
        cer=metrics["cer"],
        chosen=f"The epoch (number {metrics['epoch']}) was" if settings.training.epochs else "The models may have been",
        training=_training(settings.training, seconds),
        calibration=_calibration(calibrated),
        out=_shortest(out),
        limits=f"{settings.limits}\n\n" if settings.limits else "",
        noise=_noise(calibrated),
    )


def _training(training: Training, seconds: float) -> str:
    start = " and ".join(f"`{folder}`" for folder in training.starts)
    start = f"the mean of the weights of {start}" if len(training.starts) > 1 else f"the weights of {start}"
    if not training.epochs:
        return f"no further epochs: it is {start}"
    duration = f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"
    return f"{training.epochs} epochs, {duration}{f', from {start}' if training.starts else ''}"


def _hears(features: Features) -> str:
    if features.input == "audio":
        return f"mono speech at {features.sample_rate} Hz (other rates are converted by `scripts/transcribe.py`)"
    return f"features of speech, computed before: {features.coefficients} coefficients every {features.hop_ms:g} ms"


def _shortest(path: Path) -> str:
    """From the project's folder or the working one, if it lies there; elsewhere a reader has folders of other names."""
    absolute = Path(os.path.abspath(path))
    for folder in (_PROJECT, Path.cwd()):
        if absolute.is_relative_to(folder):
            return absolute.relative_to(folder).as_posix()
    return "EXPORTED"


def _noise(calibrated: Calibrated | None) -> str:
    if calibrated is None or not calibrated.least_confidence:
        return "It always answers, also to what is not speech: look at the confidence."
    return (
        f"What it is less than {100 * calibrated.least_confidence:.2g} % sure of, less than of any utterance of its "
        "validation data, it takes for noise, and answers with nothing."
    )


def _calibration(calibrated: Calibrated | None) -> str:
    if calibrated is None:
        return "Confidences are not calibrated: the validation data could not be read when the model was exported."
    errors = calibrated.errors()
    return (
        "Confidences are calibrated on the same data, so that of the words with a confidence of 0.8 four in five are "
        f"right: there the expected calibration error is {errors['words']:.1%} for words and "
        f"{errors['utterances']:.1%} for whole utterances. `scripts/evaluate.py --out FOLDER` measures and draws it "
        "on other speech.\n\n![Share of words and utterances that are right, by confidence](reliability.png)"
    )
