"""A configuration that trains in seconds, on tones: each letter is a pitch."""

import json
from pathlib import Path

import numpy as np
import soundfile
import yaml

RATE = 8000
PITCHES = {"a": 400.0, "b": 900.0, "c": 1700.0}


def tones(text: str, random: np.random.Generator) -> np.ndarray:
    """float32 [samples]: 0.15 s a letter, quiet between."""
    time = np.arange(int(0.15 * RATE)) / RATE
    parts = [np.zeros(600)]
    for letter in text:
        parts += [0.3 * np.sin(2 * np.pi * PITCHES[letter] * random.uniform(0.97, 1.03) * time), np.zeros(600)]
    audio = np.concatenate(parts)
    return (audio + 1e-3 * random.normal(size=len(audio))).astype(np.float32)


def write_speech(folder: Path, split: str, utterances: int, seed: int) -> Path:
    """A manifest with its files."""
    random = np.random.default_rng(seed)
    lines = []
    for number in range(utterances):
        text = "".join(random.choice(list(PITCHES), size=random.integers(1, 4)))
        file = f"{split}-{number}.wav"
        soundfile.write(folder / file, tones(text, random), RATE)
        lines.append(json.dumps({"audio_filepath": file, "text": text, "speaker": split}) + "\n")
    manifest = folder / f"{split}.jsonl"
    manifest.write_text("".join(lines))
    return manifest


def write_features(folder: Path, features) -> None:
    """For each manifest that lies there one of the MFCCs of its files, such as train.features.jsonl."""
    from pipeline.features import MFCC

    mfcc = MFCC(features)
    for manifest in sorted(folder.glob("*.jsonl")):
        lines = []
        for line in map(json.loads, manifest.read_text().splitlines()):
            audio, _ = soundfile.read(folder / line["audio_filepath"], dtype="float32")
            values, frames = mfcc(audio[None], np.array([len(audio)], np.int32))
            file = Path(line.pop("audio_filepath")).with_suffix(".npy")
            np.save(folder / file, np.asarray(values)[0, : int(frames[0])])
            lines.append(json.dumps({"features_filepath": str(file), **line}) + "\n")
        manifest.with_suffix(".features.jsonl").write_text("".join(lines))


def write_config(folder: Path, **sections) -> Path:
    """A configuration over `write_speech`'s manifests; sections are merged into it."""
    for seed, (split, utterances) in enumerate({"train": 24, "valid": 6, "test": 4}.items()):
        write_speech(folder, split, utterances, seed)
    values = {
        "seed": 7,
        "features": {"sample_rate": RATE, "n_fft": 256, "mels": 20, "coefficients": 12, "stack": 2, "stride": 2},
        "model": {"cell": "lstm", "units": 12, "layers": 1, "dropout": 0.1},
        "augment": {"speed": [0.95, 1.05]},
        "spec_augment": {"time_masks": 1, "time_width": 3},
        "data": {
            "folder": str(folder),
            **{split: [{"kind": "manifest", "path": f"{split}.jsonl"}] for split in ("train", "valid", "test")},
            "batch_size": 4,
        },
        "training": {"epochs": 3, "learning_rate": 0.01, "average": 0.9, "pictures": 0.0},
    }
    for name, section in sections.items():
        values[name] = {**values.get(name, {}), **section} if isinstance(section, dict) else section
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def write_features_config(folder: Path) -> Path:
    """A configuration over `write_features`' manifests that is otherwise `write_config`'s, which lies there."""
    values = yaml.safe_load((folder / "tiny.yaml").read_text())
    audio = values["features"]
    values["features"] = {"input": "features", **{key: audio[key] for key in ("coefficients", "stack", "stride")}}
    values["augment"] = {}
    for split in ("train", "valid", "test"):
        values["data"][split] = [{"kind": "manifest", "path": f"{split}.features.jsonl"}]
    path = folder / "given.yaml"
    path.write_text(yaml.safe_dump(values))
    return path
