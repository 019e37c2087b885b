"""How much a language model counts in a decoding: what was tuned is kept with the export."""

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pipeline.decoding.confidence import Calibration
from pipeline.errors import InputError

FILE = Path("assets") / "decoding.json"


@dataclass(frozen=True)
class DecodingWeights:
    """Args of `BeamDecoder`, as used if nothing was tuned.

    Attributes:
        language_model_weight: what the language model's log probabilities are multiplied by, 0 or more.
        word_bonus: nats for each word that the language model scores.
        calibration: that makes probabilities of the confidences of what is decoded so; None: as of greedy decoding.
        measured: on what they were tuned and how well they did; nothing reads it but people.
    """

    language_model_weight: float = 0.75
    word_bonus: float = 1.0
    calibration: Calibration | None = None
    measured: dict = field(default_factory=dict)


def read_decoding_weights(export: str | Path) -> DecodingWeights:
    """The weights tuned for an exported model; the untuned ones if there are none.

    Raises:
        InputError: the file in the export is damaged.
    """
    path = Path(export) / FILE
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return DecodingWeights()
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: a JSON object with decoding weights wanted, found none ({error})") from error
    if not isinstance(values, dict):
        raise InputError(f"{path}: a JSON object with decoding weights wanted, found {values!r:.60}")
    weight, bonus = (_number(path, values, key) for key in ("language_model_weight", "word_bonus"))
    if weight < 0:
        raise InputError(f"{path}: 'language_model_weight' of 0 or more wanted, found {weight}")
    try:
        calibration = Calibration.from_json(values["calibration"]) if values.get("calibration") else None
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    measured = values.get("measured")
    return DecodingWeights(weight, bonus, calibration, measured if isinstance(measured, dict) else {})


def _number(path: Path, values: dict, key: str) -> float:
    value = values.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InputError(f"{path}: {key!r} with a number wanted, found {value!r}")
    return float(value)


def write_decoding_weights(export: str | Path, weights: DecodingWeights) -> Path:
    """Stores them in an exported model's folder; gives the file."""
    path = Path(export) / FILE
    path.write_text(json.dumps(asdict(weights), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return path
