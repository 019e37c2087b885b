"""The only reader of YAML.

A configuration is one YAML file; `key=value` overrides come on top of it. Unknown keys, wrong types and impossible
values are refused with one line that names the key, the value, what was wanted and the nearest right name.
"""

import difflib
import json
import re
from pathlib import Path
from typing import Any, get_args

import pydantic
import yaml

from pipeline.config.data import SOURCES
from pipeline.config.experiment import Config
from pipeline.config.section import Section
from pipeline.config.tune import Range
from pipeline.errors import InputError


class _Loader(yaml.SafeLoader):
    """YAML as people write it: 1e-4 is a number, and a key that comes twice is a mistake."""

    def construct_mapping(self, node, deep=False):
        keys = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for number, key in enumerate(keys):
            if any(key.value == earlier.value for earlier in keys[:number]):
                raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} is there twice", key.start_mark)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)


_TUNE_TAGS = ("range", "choices", "int", "float")


def load_config(path: str | Path, overrides: list[str] = ()) -> Config:
    """The configuration in a YAML file, with `key=value` overrides such as `model.cell=simple_rnn` on top.

    `name` defaults to the file's own.

    Raises:
        InputError: the file is missing or not YAML, or a key or value is not one a configuration has.
    """
    path = Path(path)
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except OSError as error:
        raise InputError(f"{path}: a configuration file wanted, {error.strerror.lower()}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: a YAML file wanted, found bytes that are not UTF-8") from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date that no calendar has
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}:" if mark else ""
        problem = " ".join(str(getattr(error, "problem", None) or error).split())
        raise InputError(f"{path}:{line} not YAML: {problem}") from error
    if not isinstance(values, dict):
        raise InputError(f"{path}: a mapping of keys to values wanted, found {values!r}")
    values.setdefault("name", path.stem)
    for text in overrides:
        override(values, text)
    settings = config_of(values, str(path))
    _check_tune(settings, path)
    return settings


def config_of(values: dict, told: str) -> Config:
    """The configuration that nested keys and values make.

    Args:
        values: as YAML gives them.
        told: what messages call them: their file, for example.

    Raises:
        InputError: a key or value is not one that a configuration has.
    """
    try:
        return _validated(values)
    except pydantic.ValidationError as error:
        raise InputError(f"{told}: {_explain(error)}") from error
    except TypeError as error:
        raise InputError(f"{told}: keys of text wanted, found others ({error})") from error
    except ValueError as error:  # json's
        raise InputError(f"{told}: an alias (*) is recursive") from error


def with_values(settings: Config, values: dict[str, Any]) -> Config:
    """The same configuration with other values at dotted keys, such as {"model.cell": "gru"}.

    Raises:
        InputError: a key or value is not one that a configuration has.
    """
    changed = settings.model_dump(mode="json")
    for key, value in values.items():
        _set(changed, key, value, f"{key} = {value!r}")
    try:
        return _validated(changed)
    except pydantic.ValidationError as error:
        raise InputError(_explain(error)) from error


def _validated(values: dict) -> Config:
    # As JSON, because there a list is a tuple too when types are strict: no true for 1, no "7" for 7.
    return Config.model_validate_json(json.dumps(values, default=str), strict=True)


def _check_tune(settings: Config, path: Path) -> None:
    """Raises: InputError: a key or value under `tune` is not one that a configuration has."""
    for key, choices in settings.tune.items():
        if key.split(".")[0] in ("name", "tune"):
            raise InputError(f"{path}: tune.{key}: a setting that a training depends on wanted")
        for value in choices.ends if isinstance(choices, Range) else choices:
            try:
                with_values(settings, {key: value})
            except InputError as error:
                raise InputError(f"{path}: tune.{key}: {error}") from error


def override(values: dict, text: str) -> None:
    """Sets what `key=value` says in nested mappings and lists; keys have dots, values are YAML.

    Raises:
        InputError: it is not of that form, or there is no such place.
    """
    key, equals, written = text.partition("=")
    if not equals or not key:
        raise InputError(f"override {text!r}: key=value wanted, such as model.cell=simple_rnn")
    try:
        value = yaml.load(written, _Loader)
    except (yaml.YAMLError, ValueError) as error:
        raise InputError(f"override {text!r}: the value is not YAML") from error
    # Keys under `tune` have dots of their own.
    if key.startswith("tune."):
        values.setdefault("tune", {})[key.removeprefix("tune.")] = value
    else:
        _set(values, key, value, f"override {text!r}")


def _set(values: dict, key: str, value: Any, told: str) -> None:
    """Sets a dotted key in nested mappings and lists. Raises: InputError: there is no such place."""
    *parents, last = key.split(".")
    place: Any = values
    for depth, parent in enumerate(parents):
        try:
            if isinstance(place, list):
                place = place[int(parent)]
            else:
                if place.get(parent) is None:
                    place[parent] = {}
                place = place[parent]
        except (ValueError, IndexError, AttributeError) as error:
            raise InputError(f"{told}: there is no {'.'.join(parents[: depth + 1])} to set") from error
    if isinstance(place, list) and last.isdigit() and int(last) < len(place):
        place[int(last)] = value
    elif isinstance(place, dict):
        place[last] = value
    else:
        raise InputError(f"{told}: there is no {key} to set")


def _explain(error: pydantic.ValidationError) -> str:
    """The first problem as one line: key, value, what was wanted, the nearest right name."""
    problems = error.errors()
    # An unknown key first: where another is missing, it is often that one misspelt.
    first = next((problem for problem in problems if problem["type"] == "extra_forbidden"), problems[0])
    # Inside a source pydantic adds the union's tag to the location; a user's key has none.
    tags = _TUNE_TAGS if first["loc"][:1] == ("tune",) else SOURCES
    key = ".".join(str(part) for part in first["loc"] if part not in tags)
    place = f"{key}: " if key else ""
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    if first["type"] == "extra_forbidden":
        names = _names_beside(first["loc"])
        near = difflib.get_close_matches(str(first["loc"][-1]), names, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
        return f"unknown key {key}; {hint}{more}"
    if first["type"] == "missing":
        return f"{key} is missing{more}"
    message = first["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    if isinstance(first["input"], (dict, Section)):
        return f"{place}{message}{more}"
    hint = ""
    if first["type"] == "literal_error" and isinstance(first["input"], str):
        near = difflib.get_close_matches(first["input"], first["ctx"]["expected"].replace("'", "").split(" or "), n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
    return f"{key} = {first['input']!r}: {message}{hint}{more}"


def _names_beside(location: tuple) -> list[str]:
    """The keys that may stand where the location's last one does."""
    section: Any = Config
    for part in location[:-1]:
        if part in SOURCES:
            section = SOURCES[part]
        elif part == "range" and location[0] == "tune":
            section = Range
        elif isinstance(part, str) and part in getattr(section, "model_fields", {}):
            annotation = section.model_fields[part].annotation
            section = next((a for a in (annotation, *get_args(annotation)) if hasattr(a, "model_fields")), annotation)
    return list(getattr(section, "model_fields", {}))
