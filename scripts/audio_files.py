"""The files of audio, or of features, that a command line names."""

import glob
from pathlib import Path

import numpy as np

HELP = "wav, flac, ogg, opus or mp3 files of any rate, folders of them, patterns; or .npy files of features"


def find(names: list[str], model: str | None = None) -> list[str]:
    """Files as they are named; of a folder the audio files in it, and in its folders; of a pattern what matches.

    Args:
        names: as the command line has them.
        model: an export's folder; if it takes features, their files are what is taken of a folder.

    Raises:
        InputError: a folder without such files, or a pattern that matches nothing.
    """
    from pipeline.errors import InputError

    files = []
    for name in names:
        path, wanted = Path(name), "audio files"
        if path.is_dir():
            wanted, endings = _in_folders(model)
            found = sorted(str(file) for file in path.rglob("*") if file.suffix.lower() in endings and file.is_file())
        elif glob.has_magic(name) and not path.exists():
            found = sorted(file for file in glob.glob(name, recursive=True) if Path(file).is_file())
        else:
            found = [name]
        if not found:
            raise InputError(f"{name}: {wanted} wanted, found none")
        files += found
    return files


def _in_folders(model: str | None) -> tuple[str, set[str]]:
    """Which files are wanted of a folder, and the endings of their names."""
    import soundfile

    from pipeline.export.about import About
    from pipeline.feature_files import ENDING

    if model is not None and About.load(Path(model)).features:
        return "files of features", {ENDING}
    endings = {f".{ending.lower()}" for ending in soundfile.available_formats()} | {".opus", ".oga", ".aif"} - {".raw"}
    return "audio files", endings


def load(file: str, about) -> np.ndarray:
    """What a model takes: audio float32 [samples], or features float32 [frames, coefficients].

    Raises:
        UnreadableError: the file cannot be read, or is not of what the model takes.
    """
    from pipeline.audio import load_audio
    from pipeline.feature_files import load_features

    check_kind(file, about)
    return load_features(file, about.features.coefficients) if about.features else load_audio(file, about.sample_rate)


def check_kind(file: str, about) -> None:
    """Raises: UnreadableError: the file is of features and the model takes audio, or the other way."""
    from pipeline.errors import UnreadableError
    from pipeline.feature_files import is_feature_file

    if about.features and not is_feature_file(file):
        wanted = f"a .npy file of features [frames, {about.features.coefficients}]"
        raise UnreadableError(f"{file}: {wanted} wanted by this model, found a file of another kind")
    if is_feature_file(file) and not about.features:
        raise UnreadableError(f"{file}: audio wanted by this model, found a file of features")


def tell_bad(errors: list[str], total: int) -> None:
    """Ends a command that met bad files, after all the others: so many `errors` of `total` files.

    Raises:
        InputError: there are errors.
    """
    from pipeline.errors import InputError

    if not errors:
        return
    between = " " if len(errors) == 1 else "\n  "
    of = f"{len(errors)} of {total} files:{between}" if total > 1 else ""
    raise InputError(of + "\n  ".join(errors))
