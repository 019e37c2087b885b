"""What an export tells of itself, apart from its weights."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from pipeline.decoding.confidence import Calibration
from pipeline.errors import InputError
from pipeline.export.checksums import check_whole
from pipeline.feature_files import FeatureFrames
from pipeline.text import Units, normalize


@dataclass(frozen=True)
class About:
    """The contents of `assets/`.

    Attributes:
        units: that it spells in.
        sample_rate: of the audio it wants, in hertz; None if it takes features.
        frame_samples: from one frame to the next; frames of features, if it takes those.
        first_samples: that its first frame needs; the same.
        text: how transcripts were normalized in training; arguments for `pipeline.text.normalize`.
        cannot_stream: the setting for which it needs the whole utterance; None if it can hear it in pieces.
        calibration: that makes probabilities of its confidences.
        features: that it takes; None if it takes audio.
        least_confidence: a text by greedy decoding that is less sure is taken for noise, and not given.
    """

    units: Units
    sample_rate: int | None
    frame_samples: int
    first_samples: int
    text: dict
    cannot_stream: str | None
    calibration: Calibration
    features: FeatureFrames | None = None
    least_confidence: float = 0.0

    @property
    def input(self) -> str:
        """What it takes, as `features.input` of its configuration says it: "audio" or "features"."""
        return "features" if self.features else "audio"

    @property
    def lengths_per_second(self) -> float:
        """What makes seconds of an utterance's length: samples a second, or frames of features."""
        return self.features.per_second if self.features else self.sample_rate

    @property
    def frame_seconds(self) -> float:
        """From one frame to the next."""
        return self.frame_samples / self.lengths_per_second

    def samples_for(self, frames: int) -> int:
        """The samples that must be there before so many frames can be scored."""
        return self.first_samples + (frames - 1) * self.frame_samples

    def save(self, folder: Path) -> None:
        """Into an export's folder."""
        assets = folder / "assets"
        assets.mkdir(exist_ok=True)
        self.units.save(assets / "units.txt")
        values = {name: value for name, value in vars(self).items() if name != "units"}
        values["calibration"] = self.calibration.to_json()
        values["features"] = asdict(self.features) if self.features else None
        (assets / "model.json").write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "About":
        """Raises: InputError: the folder is not a whole export."""
        if not folder.is_dir():
            raise InputError(f"{folder}: an exported model's folder wanted, there is none")
        file = folder / "assets" / "model.json"
        if not file.exists() and not (folder / "saved_model.pb").exists():
            raise InputError(f"{folder}: an exported model wanted, there is no saved_model.pb in it")
        check_whole(folder, "assets/units.txt", "assets/model.json")
        units = Units.load(folder / "assets" / "units.txt")
        try:
            values = json.loads(file.read_text(encoding="utf-8"))
            values["calibration"] = Calibration.from_json(values["calibration"])
            if values.get("features") is not None:
                values["features"] = FeatureFrames(**values["features"])
            about = cls(units=units, **values)
            for number in (about.frame_samples, about.first_samples, *([] if about.features else [about.sample_rate])):
                if not isinstance(number, int) or number < 1:
                    raise ValueError(f"a number of 1 or more wanted, found {number!r}")
            if not 0 <= about.least_confidence <= 1:
                raise ValueError(f"least_confidence of 0 to 1 wanted, found {about.least_confidence!r}")
            normalize("", **about.text)
            return about
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise InputError(f"{file}: not as this version exports it ({error}); export the model again") from error
