"""Sets of TensorFlow Datasets -> utterances, read one by one when they are needed."""

import contextlib
import difflib
import functools
import hashlib
import io
import json
import logging
import os
import re
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import audio
from pipeline.config import TfdsSource
from pipeline.data.alone import alone_in
from pipeline.data.cache import Cache, NoCache
from pipeline.data.tfds_archives import Archives, one_try
from pipeline.data.utterances import Utterance
from pipeline.errors import InputError

log = logging.getLogger(__name__)

SILENCE = "_silence_"
"""The label of recordings without words, in Speech Commands."""


def read_tfds(
    source: TfdsSource,
    folder: Path,
    sample_rate: int,
    cache: Cache | None = None,
    index_folder: Path | None = None,
) -> list[Utterance]:
    """A set of TensorFlow Datasets, prepared first if it is not yet.

    Args:
        source: which set, and what its features mean.
        folder: what the source's paths are relative to.
        sample_rate: that audio is wanted at.
        cache: for audio that was read.
        index_folder: where the texts, speakers and lengths of a set's utterances are written down, to learn which takes
            a look at all of its audio; default: nowhere.

    Raises:
        InputError: no such set, split or feature, nothing in a part of the split, or the set's archive is neither in
            `manual_dir` nor can be downloaded.
    """
    import tensorflow_datasets as tfds

    tfds.disable_progress_bar()
    builder = _opened(source, folder) if source.path else _prepared(source, folder)
    told = builder.info.name
    try:
        _check_not_empty(builder, source.split)
        examples = _examples(builder, source.split)
    except InputError:
        raise
    except Exception as error:  # TFDS raises whatever its dozens of builders do
        raise InputError(f"TFDS {told} ({source.split}): {_first_line(error)}") from error
    features = builder.info.features
    if source.path and source.text is None and source.label not in features:
        source = source.model_copy(update={"text": "text", "speaker": source.speaker or "speaker"})
    wanted = [source.audio, source.text or source.label, *([source.speaker] if source.speaker else [])]
    for key in wanted:
        if key not in features:
            near = difflib.get_close_matches(key, features, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise InputError(f"TFDS {told}: no feature {key!r}; there are {', '.join(features)}{hint}")
    _check_kinds(source, features, told)
    found_rate = getattr(features[source.audio], "sample_rate", None) or (builder.info.metadata or {}).get(
        "sample_rate"
    )
    if found_rate and source.sample_rate not in (None, found_rate):
        raise InputError(f"TFDS {told}: sample_rate = {found_rate} wanted, as the set has it, got {source.sample_rate}")
    found_rate = found_rate or source.sample_rate
    if found_rate is None:
        raise InputError(f"TFDS {told}: its feature {source.audio!r} tells no sample rate; sample_rate wanted")
    names = source.label_texts
    if source.text is None and names is None:
        names = getattr(features[source.label], "names", None)
        if names is None:
            raise InputError(f"TFDS {told}: label_texts, or the feature with the text as `text`, wanted")
        names = ["" if name == SILENCE else name for name in names]

    place = f"{builder.data_dir}/{source.split}/{source.audio}"
    read = _Reader(examples, source.audio, found_rate, sample_rate, cache or NoCache(), place)
    utterances = []
    for number, line in enumerate(_index(builder, source, examples, index_folder)):
        if source.text:
            transcript = line["text"]
        elif 0 <= line["text"] < len(names):
            transcript = names[line["text"]]
        else:
            raise InputError(f"TFDS {told}: label_texts has {len(names)} words, found label {line['text']}")
        utterances.append(
            Utterance(
                name=f"{told}/{source.split}[{number}]",
                transcript=transcript,
                speaker=_speaker(source, told, line["speaker"]),
                samples=round(line["samples"] * sample_rate / found_rate),
                load=functools.partial(read, number),
            )
        )
    return utterances


def _check_kinds(source: TfdsSource, features: Any, told: str) -> None:
    """Raises: InputError: a feature that is there cannot be what the source takes it for."""
    kinds = {"audio": (source.audio, "samples"), "speaker": (source.speaker, "one text or number")}
    kinds |= {"text": (source.text, "one text")} if source.text else {"label": (source.label, "one whole number")}
    for key, (name, wanted) in kinds.items():
        if name is None:
            continue
        feature = features[name]
        nested = isinstance(feature.shape, dict)
        axes, kind = (-1, object) if nested else (len(feature.shape), feature.np_dtype)
        fits = {
            "samples": axes in (1, 2) and np.issubdtype(kind, np.number),
            "one text or number": axes == 0,
            "one text": axes == 0 and not np.issubdtype(kind, np.number),
            "one whole number": axes == 0 and np.issubdtype(kind, np.integer),
        }
        if not fits[wanted]:
            raise InputError(f"TFDS {told}: {key} = {name}: a feature of {wanted} wanted, found {feature}")


class _Reader:
    """Reads an utterance's audio by its number; the cache knows it by its place among the set's."""

    def __init__(self, examples, feature: str, found_rate: int, rate: int, cache: Cache, place: str):
        self._examples, self._feature, self._place = examples, feature, place
        self._found_rate, self._rate, self._cache = found_rate, rate, cache

    def __call__(self, number: int) -> np.ndarray:
        return self._cache.get(f"{self._place}[{number}]", functools.partial(self._read, number))

    def _read(self, number: int) -> np.ndarray:
        samples = np.asarray(self._examples[number][self._feature]).astype(np.int16, copy=False)
        return audio.to_mono(samples, self._found_rate, self._rate, f"{self._place}[{number}]")


def _opened(source: TfdsSource, folder: Path) -> Any:
    """The builder of a set that `prepare.py` made."""
    import tensorflow_datasets as tfds

    path = folder / source.path
    found = sorted(path.rglob("dataset_info.json")) if path.is_dir() else []
    if len(found) != 1:
        raise InputError(f"{path}: the folder of a prepared set wanted, found {len(found) or 'none'} in it")
    return tfds.builder_from_directory(str(found[0].parent))


def _prepared(source: TfdsSource, folder: Path) -> Any:
    """The builder of a registered set whose data is ready."""
    import tensorflow_datasets as tfds

    options = {"try_download_gcs": False}
    if source.manual_dir:
        manual = folder / source.manual_dir
        if not manual.is_dir():
            raise InputError(
                f"{manual}: the folder with the archive of {source.name} wanted (manual_dir), there is none"
            )
        options["manual_dir"] = str(manual.resolve())
    try:
        builder = tfds.builder(source.name, data_dir=source.data_dir)
    except tfds.core.DatasetNotFoundError as error:
        near = difflib.get_close_matches(source.name.partition("/")[0], tfds.list_builders(), n=3)
        raise InputError(
            f"TFDS {source.name}: no such set{'; the nearest: ' + ', '.join(near) if near else ''}"
        ) from error
    except Exception as error:  # a configuration or version that it does not have
        raise InputError(f"TFDS {source.name}: {_first_line(error)}") from error
    if not builder.is_prepared():
        folder = Path(builder.data_dir).parent
        folder.mkdir(parents=True, exist_ok=True)
        waits = "TFDS %s: waiting for another process that prepares it"
        with alone_in(folder, lambda: log.warning(waits, source.name)):
            builder = tfds.builder(source.name, data_dir=source.data_dir)  # another process may have prepared it
            if not builder.is_prepared():
                return _prepare(builder, source, options)
    return builder


def _prepare(builder: Any, source: TfdsSource, options: dict) -> Any:
    """The builder again, its data made ready."""
    import requests  # which TFDS downloads by
    import tensorflow_datasets as tfds

    archives = Archives.of(builder, options.get("manual_dir"), source.download_dir)
    problem = archives.unreachable()
    if problem and not archives.any_there():
        raise InputError(f"TFDS {source.name}: {problem}")
    with contextlib.suppress(ImportError):
        import array_record  # noqa: F401

        # Examples can then be read one by one, so that a set need not fit into memory.
        builder = tfds.builder(source.name, data_dir=source.data_dir, file_format="array_record")
    try:
        config = tfds.download.DownloadConfig(**options)
        log.warning("TFDS %s: is being prepared, once, in %s", source.name, builder.data_dir)
        tried_once = one_try() if problem else contextlib.nullcontext()
        with contextlib.redirect_stdout(io.StringIO()), tried_once:  # it tells sizes that it does not know
            builder.download_and_prepare(download_dir=source.download_dir, download_config=config)
    except Exception as error:  # TFDS raises whatever its dozens of builders and the network do
        no_network = problem and isinstance(error, requests.ConnectionError)
        raise InputError(f"TFDS {source.name}: {problem if no_network else _first_line(error)}") from error
    return builder


def _check_not_empty(builder: Any, split: str) -> None:
    """Raises: InputError: a part of the split has no examples; TFDS counts less than none from 500 to 100."""
    for part in map(str.strip, split.split("+")):
        if builder.info.splits[part].num_examples <= 0:
            raise InputError(f"TFDS {builder.info.name} ({split}): examples wanted, {part} holds none")


def _examples(builder: Any, split: str) -> Any:
    """Examples by their number: read when they are asked for, if the files allow it, or all of them in memory."""
    import tensorflow_datasets as tfds

    if "array_record" in str(builder.info.file_format).lower():
        return builder.as_data_source(split=split)
    examples = tfds.as_numpy(builder.as_dataset(split=split))
    return [{key: _short(value) for key, value in example.items()} for example in examples]


def _short(value: Any) -> Any:
    """Audio comes as int64, four times as much as it needs."""
    return value.astype(np.int16) if isinstance(value, np.ndarray) and value.dtype == np.int64 and value.ndim else value


def _index(builder: Any, source: TfdsSource, examples: Any, folder: Path | None) -> list[dict]:
    """{"text", "speaker", "samples"} of each example, from the file that an earlier look at them left."""
    ready = Path(builder.data_dir) / f"index-{source.split}.jsonl"  # prepare.py's
    if source.path and ready.exists() and (source.text, source.audio, source.speaker) == ("text", "audio", "speaker"):
        return [json.loads(line) for line in ready.read_text(encoding="utf-8").splitlines()]
    file = None
    if folder is not None:
        made = (Path(builder.data_dir) / "dataset_info.json").stat().st_mtime_ns
        what = [str(builder.data_dir), made, source.split, source.audio, source.text, source.label, source.speaker]
        file = folder / "tfds" / f"{hashlib.sha256(json.dumps(what).encode()).hexdigest()}.jsonl"
        with contextlib.suppress(OSError, ValueError):
            return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    lines = index_of(examples, source.audio, source.text or source.label, source.speaker)
    if file is not None:
        with contextlib.suppress(OSError):
            write_index(file, lines)
    return lines


def index_of(examples: Any, audio_feature: str, text: str, speaker: str | None) -> list[dict]:
    """What there is to know of a set's examples before their audio is wanted."""
    lines = []
    for number in range(len(examples)):
        example = examples[number]
        line = {"text": _plain(example[text]), "speaker": _plain(example[speaker]) if speaker else None}
        lines.append({**line, "samples": len(example[audio_feature])})
    return lines


def write_index(file: Path, lines: list[dict]) -> None:
    """Raises: OSError."""
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_suffix(f".{os.getpid()}")
    beside.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    os.replace(beside, file)


def _plain(value: Any) -> str | int:
    return (
        value.decode(errors="replace") if isinstance(value, bytes) else value if isinstance(value, str) else int(value)
    )


def _speaker(source: TfdsSource, told: str, value: Any) -> str | None:
    if value is None or value == "":
        return None
    if source.speaker_pattern is None:
        return str(value)
    match = re.search(source.speaker_pattern, str(value))
    if match is None or match.group(1) is None:
        raise InputError(f"TFDS {told}: speaker_pattern {source.speaker_pattern!r} finds no speaker in {value!r}")
    return match.group(1)


def _first_line(error: Exception) -> str:
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    told, _, last = line.rpartition(". ")
    return told if told and last.endswith(":") else line.rstrip(":")  # what a list would follow
