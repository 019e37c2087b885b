"""Precomputed features: numpy's .npy files and arrays in memory -> float32 [frames, coefficients]. Numpy alone."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import InputError, UnreadableError

if TYPE_CHECKING:
    from pipeline.config import Features

ENDING = ".npy"
"""Of the files' names."""
MAGIC = b"\x93NUMPY"
"""Their first bytes."""
LARGEST = 1e15
"""Of a coefficient: float32 holds the sum of the squares of an utterance's."""


class FeaturesError(UnreadableError):
    """Features that cannot be read, or are not those that a model takes."""


@dataclass(frozen=True)
class FeatureFrames:
    """The frames that a model takes instead of audio.

    Attributes:
        coefficients: of a frame.
        hop_ms: milliseconds from one frame to the next.
    """

    coefficients: int
    hop_ms: float

    def __post_init__(self):
        """Raises: InputError: no frame is like that."""
        if isinstance(self.coefficients, bool) or not isinstance(self.coefficients, int) or self.coefficients < 1:
            raise InputError(f"features: coefficients of 1 or more wanted, found {self.coefficients!r}")
        if isinstance(self.hop_ms, bool) or not isinstance(self.hop_ms, int | float) or not 0 < self.hop_ms < np.inf:
            raise InputError(f"features: hop_ms above 0 wanted, found {self.hop_ms!r}")

    @classmethod
    def of(cls, features: "Features") -> "FeatureFrames | None":
        """Those of a configuration; None if its model takes audio."""
        return cls(features.coefficients, features.hop_ms) if features.input == "features" else None

    @property
    def per_second(self) -> float:
        return 1000 / self.hop_ms


def is_feature_file(path: str | Path) -> bool:
    """By its name."""
    return Path(path).suffix.lower() == ENDING


def load_features(path: str | Path, coefficients: int) -> np.ndarray:
    """Features that `numpy.save` wrote.

    Args:
        path: a .npy file.
        coefficients: that a frame is to have.

    Returns:
        float32 [frames, coefficients], of at least one frame.

    Raises:
        FeaturesError: missing, truncated or no .npy file; not float [frames, coefficients]; no frame; or coefficients
            that are not finite.
    """
    features = as_features(_opened(Path(path)), coefficients, str(path))
    if not len(features):
        raise FeaturesError(f"{path}: features of at least one frame wanted, found none")
    return np.array(features)  # a copy, not the file


def as_features(features: np.ndarray, coefficients: int, name: str = "features") -> np.ndarray:
    """float32 [frames, coefficients], maybe of no frame.

    Args:
        features: float [frames, coefficients], of any precision.
        coefficients: that a frame is to have.
        name: what an error calls them.

    Raises:
        FeaturesError: another type or shape, or coefficients that are not finite.
    """
    if not isinstance(features, np.ndarray):
        raise FeaturesError(f"{name}: {_wanted(coefficients)} wanted, found {type(features).__name__}")
    if features.dtype.kind != "f" or features.ndim != 2 or features.shape[1] != coefficients:
        found = f"{features.dtype} {list(features.shape)}"
        raise FeaturesError(f"{name}: {_wanted(coefficients)} wanted, found {found}")
    bad = np.count_nonzero(~(np.abs(features, dtype=np.float64) <= LARGEST))
    if bad:
        found = f"{bad} that are NaN, infinite or above {LARGEST:g}"
        raise FeaturesError(f"{name}: finite coefficients wanted, found {found}")
    return np.ascontiguousarray(features, dtype=np.float32)


def frames_announced(path: str | Path, coefficients: int) -> int:
    """Frames that a file announces, without reading them; 0 if it cannot be opened or has not so many coefficients.

    Reading it is then what raises the error: a list of files is not held up by a bad one.
    """
    try:
        features = _opened(Path(path))
    except FeaturesError:
        return 0
    return len(features) if features.ndim == 2 and features.shape[1] == coefficients else 0


def _wanted(coefficients: int) -> str:
    return f"float [frames, {coefficients}]"


def _opened(path: Path) -> np.ndarray:
    """The array of a file, none of it read yet."""
    try:
        if not path.exists():
            raise FeaturesError(f"{path}: no such file")
        if not path.is_file():
            raise FeaturesError(f"{path}: a .npy file wanted, found {'a folder' if path.is_dir() else 'none'}")
        with path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise FeaturesError(f"{path}: a .npy file wanted, found one of another kind")
        # Mapped, so that a header which announces more than there is takes no memory: numpy compares it with the size.
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except FeaturesError:
        raise
    except Exception as error:  # of a damaged header numpy raises what Python's parser does, SyntaxError for example
        problem = str(error).strip().splitlines() or [type(error).__name__]
        raise FeaturesError(f"{path}: a .npy file of numbers wanted, this cannot be read ({problem[0]})") from error
