"""The sources a configuration names -> utterances."""

import functools
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pipeline import audio, config
from pipeline.data import joining, synthesis
from pipeline.data.utterances import Utterance, take_speakers
from pipeline.errors import InputError
from pipeline.feature_files import FeatureFrames, frames_announced, load_features

LONGEST_SECONDS = 1e6
"""That a manifest may announce: eleven days."""

_NO_TEXT = re.compile("[\0\ud800-\udfff]")
"""What JSON may hold, but neither a file's name nor a transcript: zeros, and halves of characters."""


def read(sources: list[config.Source], settings: config.Config, stream: str) -> Callable[[int], list[Utterance]]:
    """What a split's sources hold, as a function of the epoch: joined strings are drawn anew for each.

    Args:
        sources: `data.train`, `data.valid` or `data.test`.
        settings: the whole configuration.
        stream: the split's name; random choices of two splits are independent.
    """
    rate, folder = settings.features.sample_rate, Path(settings.data.folder)
    frames = FeatureFrames.of(settings.features)
    kept = []
    for number, source in enumerate(sources):
        name = f"{stream}.{number}"
        if isinstance(source, config.ManifestSource):
            utterances = read_manifest(folder / source.path, rate, frames)
        elif isinstance(source, config.TfdsSource):
            utterances = read_tfds(source, folder, rate)
        else:
            utterances = synthesize(source, rate, settings.seed, name)
        utterances = take_speakers(utterances, source.speakers)
        if not utterances:
            raise InputError(f"data.{name}: no utterance is left of it (speakers: {source.speakers})")
        kept.append((source, name, utterances))

    def of_epoch(epoch: int) -> list[Utterance]:
        everything = []
        for source, name, utterances in kept:
            if source.join:
                random = np.random.default_rng([settings.seed, epoch, *name.encode()])
                utterances = joining.join(utterances, source.join, rate, random, name)
            everything.extend(utterances)
        return everything

    return of_epoch


def read_manifest(path: str | Path, sample_rate: int | None, features: FeatureFrames | None = None) -> list[Utterance]:
    """A manifest's lines: `audio_filepath` (relative to the manifest, or absolute), `text`, `duration`, `speaker`.

    For a model that takes features, `features_filepath` of a .npy file; a line may have both.

    Args:
        path: the manifest.
        sample_rate: of the audio that the model takes, in hertz.
        features: that it takes instead of audio.

    Raises:
        InputError: the file is missing, or a line (it is named) is not such an object, or not of what the model takes.
    """
    path = Path(path)
    utterances = []
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    utterances.append(_manifest_line(f"{path}:{number}", line, path.parent, sample_rate, features))
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: a manifest of JSON lines wanted, found bytes that are not UTF-8") from error
    except InputError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a path with a zero in it
        problem = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{path}: a manifest wanted, {problem.lower()}") from error
    if not utterances:
        raise InputError(f"{path}: a manifest with at least one line wanted, found none")
    return utterances


def _manifest_line(
    place: str, line: str, folder: Path, sample_rate: int | None, features: FeatureFrames | None
) -> Utterance:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as error:  # ValueError: no JSON, or a number of thousands of digits
        raise InputError(f"{place}: a JSON object wanted, found {line.strip()[:60]!r}") from error
    if not isinstance(values, dict):
        raise InputError(f"{place}: a JSON object wanted, found {line.strip()[:60]!r}")
    file_key, other = ("features_filepath", "audio_filepath")[:: 1 if features else -1]
    if file_key not in values and other in values:
        model = "features" if features else "audio"
        raise InputError(f"{place}: {file_key!r} wanted by a model with features.input = {model}, found {other!r}")
    for key in (file_key, "text"):
        if not isinstance(values.get(key), str):
            raise InputError(f"{place}: {key!r} with a string wanted, found {values.get(key)!r}")
        if _NO_TEXT.search(values[key]):
            raise InputError(f"{place}: {key!r} with characters wanted, found half of one or none: {values[key]!r}")
    duration = values.get("duration")
    if duration is not None and (
        isinstance(duration, bool) or not isinstance(duration, int | float) or not 0 <= duration <= LONGEST_SECONDS
    ):
        raise InputError(f"{place}: 'duration' in seconds wanted, found {duration!r}")
    file, speaker = folder / values[file_key], values.get("speaker")
    if features:
        samples = frames_announced(file) if duration is None else round(duration * features.per_second)
        load = functools.partial(load_features, file, features.coefficients)
    else:
        samples = round((audio.duration(file) if duration is None else duration) * sample_rate)
        load = functools.partial(audio.load_audio, file, sample_rate)
    return Utterance(
        name=str(file),
        transcript=values["text"],
        speaker=None if speaker is None else str(speaker),
        samples=samples,
        load=functools.cache(load),  # read once and kept
    )


def read_tfds(source: config.TfdsSource, folder: Path, sample_rate: int) -> list[Utterance]:
    """A set of TensorFlow Datasets, prepared first if it is not yet.

    Raises:
        InputError: no such set, split or feature, or its archive is neither in `manual_dir` nor can be downloaded.
    """
    import tensorflow_datasets as tfds

    options = {}
    if source.manual_dir:
        manual = folder / source.manual_dir
        if not manual.is_dir():
            raise InputError(
                f"{manual}: the folder with the archive of {source.name} wanted (manual_dir), there is none"
            )
        options["manual_dir"] = str(manual.resolve())
    tfds.disable_progress_bar()
    try:
        builder = tfds.builder(source.name, data_dir=source.data_dir)
        builder.download_and_prepare(download_config=tfds.download.DownloadConfig(**options))
        examples = tfds.as_numpy(builder.as_dataset(split=source.split))
    except Exception as error:  # TFDS raises whatever its dozens of builders and the network do
        problem = str(error).strip().splitlines() or [type(error).__name__]
        raise InputError(f"TFDS {source.name} ({source.split}): {problem[0]}") from error

    info = builder.info.features
    wanted = [source.audio, source.text or source.label, *([source.speaker] if source.speaker else [])]
    for key in wanted:
        if key not in info:
            raise InputError(f"TFDS {source.name}: no feature {key!r}; there are {', '.join(info)}")
    found_rate = info[source.audio].sample_rate
    if found_rate is None:
        raise InputError(f"TFDS {source.name}: its feature {source.audio!r} tells no sample rate")
    names = source.label_texts
    if source.text is None and names is None:
        names = info[source.label].names

    utterances = []
    for number, example in enumerate(examples):
        samples = example[source.audio].astype(np.int16)
        speaker = _speaker(source, example) if source.speaker else None
        transcript = example[source.text].decode() if source.text else names[int(example[source.label])]
        utterances.append(
            Utterance(
                name=f"{source.name}/{source.split}[{number}]",
                transcript=transcript,
                speaker=speaker,
                samples=round(len(samples) * sample_rate / found_rate),
                load=functools.partial(audio.to_mono, samples, found_rate, sample_rate),
            )
        )
    return utterances


def _speaker(source: config.TfdsSource, example: dict) -> str:
    value = example[source.speaker]
    value = value.decode() if isinstance(value, bytes) else str(value)
    if source.speaker_pattern is None:
        return value
    match = re.search(source.speaker_pattern, value)
    if match is None or match.group(1) is None:
        raise InputError(
            f"TFDS {source.name}: speaker_pattern {source.speaker_pattern!r} finds no speaker in {value!r}"
        )
    return match.group(1)


def synthesize(source: config.SynthesisSource, sample_rate: int, seed: int, stream: str) -> list[Utterance]:
    """Phrases spoken by random voices, speeds and pitches; every phrase before any comes again.

    A variant of espeak-ng is a speaker: with another accent it is still the same throat. The voices are those that the
    source's `speakers` leave.
    """
    texts = [text for phrase in source.phrases for text in synthesis.expand(phrase)]
    silent = [
        Utterance(voice, "", _throat(voice), 0, lambda: np.zeros(0, np.float32))
        for voice in synthesis.voices(source.accents)
    ]
    voices = [utterance.name for utterance in take_speakers(silent, source.speakers)]
    if not voices:
        raise InputError(f"data.{stream}: no voice is left of accents {source.accents} (speakers: {source.speakers})")
    random = np.random.default_rng([seed, *stream.encode()])
    utterances = []
    for number in range(source.utterances):
        if number % len(texts) == 0:
            order = random.permutation(len(texts))
        text = texts[order[number % len(texts)]]
        voice = voices[random.integers(len(voices))]
        words_per_minute = int(random.integers(*source.words_per_minute, endpoint=True))
        pitch = int(random.integers(*source.pitch, endpoint=True))
        samples = synthesis.synthesize(text, voice, sample_rate, words_per_minute, pitch)
        name = f"synthesis.{stream}.{number} ({text!r} by {voice})"
        utterances.append(Utterance(name, text, _throat(voice), len(samples), functools.partial(_same, samples)))
    return utterances


def _throat(voice: str) -> str:
    """Who speaks: the variant of `accent+variant`, or the accent if there is none."""
    accent, _, variant = voice.partition("+")
    return variant or accent


def _same(samples: np.ndarray) -> np.ndarray:
    return samples
