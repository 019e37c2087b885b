"""Speech from text, by espeak-ng in this process: voices without recordings, for tests and first models."""

import contextlib
import ctypes
import difflib
import functools
import itertools
import math
import os
import re
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pipeline.audio import to_mono
from pipeline.errors import InputError, UnreadableError

SLOWEST, FASTEST = 80, 450  # words per minute; espeak-ng clamps to these without a word
HIGHEST_PITCH = 100  # of espeak-ng's scale from 0; 50 is the voice's own pitch

# Variants that no human sounds like: hardly a frame is voiced, or the variant's file asks for a robot's strong echo.
_UNNATURAL_VARIANTS = {
    *("whisper", "whisperf", "caleb", "klatt", "klatt2"),  # unvoiced
    *("Demonic", "UniRobot", "anikaRobot", "announcer"),
    *("RicishayMax", "RicishayMax2", "RicishayMax3"),
    *("robosoft", "robosoft2", "robosoft3", "robosoft4", "robosoft5", "robosoft6", "robosoft7", "robosoft8"),
    "fast",  # a trial of the fastest speed
    "Reed",  # its breath noise differs between two calls, whatever the seed
}
# Variants within a few MFCC steps of another one that is kept. A voice is a speaker, so a copy in the training set of
# a voice in the test set would make the test easier than it says.
_COPIED_VARIANTS = {
    *("klatt6", "benjamin", "edward2"),  # adam
    *("klatt3", "klatt4", "klatt5"),  # edward
    *("Diogo", "Henrique", "Hugo"),  # michel
    *("steph2", "steph3"),  # steph
    *("iven", "iven2", "iven3"),  # iven4, the one that does not clip
}

# From espeak-ng's speak_lib.h.
_SYNCHRONOUS_RETRIEVAL = 2  # espeak_AUDIO_OUTPUT: samples go to the callback, and espeak_Synth returns after the last
_DO_NOT_EXIT = 0x8000  # espeakINITIALIZE_DONT_EXIT: without it a missing data folder ends the process
_RATE, _PITCH = 1, 3  # espeak_PARAMETER
_UTF8 = 1  # espeakCHARS_UTF8
_OK = 0
_MOST_TEXTS = 100_000  # that one phrase may stand for
_LONGEST_DATA_PATH = 120  # bytes; espeak-ng keeps the data folder's path, and a file's name below it, in 160

_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
_lock = threading.Lock()  # espeak-ng keeps its state in global variables


def expand(phrase: str) -> list[str]:
    """Every text a phrase stands for: `turn (on|off) the (light|fan)` is four.

    Args:
        phrase: text; alternatives stand in brackets, not nested. An empty one makes the others optional: `(please|)`.

    Returns:
        The different texts, single-spaced, in the order of the alternatives.

    Raises:
        InputError: a bracket that is not closed, not opened, nested or empty, a `|` outside, a text without words, or
            more texts than memory should hold.
    """
    parts = re.split(r"\(([^()]*)\)", phrase)
    if re.search(r"[()|]", "".join(parts[::2])):
        raise InputError(f"phrase {phrase!r}: alternatives as in `(on|off)` wanted, closed and not nested")
    choices = [part.split("|") if number % 2 else [part] for number, part in enumerate(parts)]
    if not all(any(map(str.strip, choice)) for choice in choices[1::2]):
        raise InputError(f"phrase {phrase!r}: alternatives as in `(on|off)` wanted, found none in a pair of brackets")
    count = math.prod(map(len, choices))
    if count > _MOST_TEXTS:
        raise InputError(f"phrase {phrase[:60]!r}: at most {_MOST_TEXTS:,} texts of one wanted, found {count:,}")
    texts = [" ".join("".join(chosen).split()) for chosen in itertools.product(*choices)]
    if "" in texts:
        raise InputError(f"phrase {phrase!r}: words wanted, found a text without any")
    return list(dict.fromkeys(texts))


def voices(accents: list[str]) -> list[str]:
    """Every accent in every variant that sounds human and unlike the others: `en-us+f3`, sorted.

    Args:
        accents: espeak-ng's language codes: `en-us`, `en-gb`, `en-gb-scotland`.

    Raises:
        InputError: an accent that espeak-ng does not have, or espeak-ng is missing.
    """
    for accent in accents:
        _accent_file(accent)
    variants = _variants() - _UNNATURAL_VARIANTS - _COPIED_VARIANTS
    return sorted({f"{accent}+{variant}" for accent in accents for variant in variants})


def synthesize(text: str, voice: str, sample_rate: int, words_per_minute: int = 160, pitch: int = 50) -> np.ndarray:
    """A text spoken. The same arguments give the same samples, from any thread and after any other call.

    Args:
        text: words, of any length.
        voice: one of `voices`, or an accent alone.
        sample_rate: the wanted rate, in hertz.
        words_per_minute: 80..450.
        pitch: 0..100; 50 is the voice's own.

    Returns:
        float32 [samples], -1..1.

    Raises:
        UnreadableError: nothing to speak.
        InputError: an unknown voice, a value out of range, or espeak-ng is missing.
    """
    spoken = _speakable(text)
    name = _voice_name(voice)
    if not SLOWEST <= words_per_minute <= FASTEST:
        raise InputError(f"words_per_minute {words_per_minute}: {SLOWEST} to {FASTEST} wanted")
    if not 0 <= pitch <= HIGHEST_PITCH:
        raise InputError(f"pitch {pitch}: 0 to {HIGHEST_PITCH} wanted")
    with _lock:
        samples, found_rate = _speak(spoken, name, words_per_minute, pitch)
    if not samples.any():
        raise UnreadableError(f"text {text[:60]!r}: words wanted, found nothing that voice {voice!r} can speak")
    # Resampling overshoots where speech is at full scale.
    return np.clip(to_mono(samples, found_rate, sample_rate, f"speech of {voice}"), -1, 1)


def _speakable(text: str) -> bytes:
    """UTF-8 without control characters: espeak-ng stops at a zero and takes others for commands."""
    words = re.sub(r"[\x00-\x1f\x7f]", " ", text).split()
    if not words:
        raise UnreadableError(f"text {text[:60]!r}: words to speak wanted, found none")
    return " ".join(words).encode("utf-8", errors="replace")


def _voice_name(voice: str) -> bytes:
    """What espeak-ng calls a voice. It takes an unknown variant for none at all, so that is checked here."""
    accent, plus, variant = voice.partition("+")
    file = _accent_file(accent)
    if plus and variant not in _variants():
        raise InputError(f"voice {voice!r}: a variant of espeak-ng wanted{_nearest(variant, _variants())}")
    return f"{file}{plus}{variant}".encode()


def _accent_file(accent: str) -> str:
    if accent not in _accents():
        raise InputError(f"accent {accent!r}: a language code of espeak-ng wanted{_nearest(accent, _accents())}")
    return _accents()[accent]


def _nearest(name: str, names: set[str] | dict[str, str]) -> str:
    near = difflib.get_close_matches(name.lower(), sorted(names), n=3, cutoff=0.5)
    return f"; the nearest: {', '.join(near)}" if near else ""


@functools.cache
def _accents() -> dict[str, str]:
    """Language code -> its file below `lang`, as in {"en-gb": "gmw/en"}.

    The file's path names a voice on its own; some codes, en-gb among them, do not.
    """
    folder = _paths()[1] / "lang"
    codes = {}
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        # Further codes are those that a language stands in for, such as en-gb for en-gb-x-rp.
        first = re.search(r"^language\s+(\S+)", file.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
        if first:
            codes.setdefault(first[1].lower(), file.relative_to(folder).as_posix())
    return codes


@functools.cache
def _variants() -> set[str]:
    return {path.name for path in (_paths()[1] / "voices" / "!v").iterdir()}


@functools.cache
def _paths() -> tuple[Path, Path]:
    """espeak-ng's library and data folder, from the wheel that brings them."""
    try:
        import espeakng_loader

        library, data = Path(espeakng_loader.get_library_path()), Path(espeakng_loader.get_data_path())
    except (ImportError, RuntimeError) as error:
        raise InputError(f"speech synthesis: espeak-ng wanted ({error}); pip install espeakng-loader") from error
    if not (data / "voices" / "!v").is_dir():
        raise InputError(f"{data}: espeak-ng's data wanted; pip install --force-reinstall espeakng-loader")
    return library, data


@functools.cache
def _short_data_path() -> tuple[bytes, tempfile.TemporaryDirectory | None]:
    """The data folder's path, or a link to it where that is longer than espeak-ng can hold; and the link's folder."""
    data = _paths()[1]
    if len(os.fsencode(data)) <= _LONGEST_DATA_PATH:
        return os.fsencode(data), None
    folder = tempfile.TemporaryDirectory(prefix="espeak-")
    link = Path(folder.name) / data.name
    link.symlink_to(data, target_is_directory=True)
    return os.fsencode(link), folder


@contextlib.contextmanager
def _engine() -> Iterator[tuple[ctypes.CDLL, int]]:
    """espeak-ng, freshly loaded, and its sample rate in hertz.

    Flutter, roughness and gain carry over from one text to the next in static variables that no call resets, not
    even espeak_Terminate. Unloading the library does, and loading it takes a fifth of a millisecond.
    """
    library = _load()
    try:
        rate = library.espeak_Initialize(_SYNCHRONOUS_RETRIEVAL, 0, _short_data_path()[0], _DO_NOT_EXIT)
        if rate <= 0:
            raise InputError(
                f"{_paths()[1]}: espeak-ng cannot read its data; pip install --force-reinstall espeakng-loader"
            )
        yield library, rate
        library.espeak_Terminate()
    finally:
        _unload(library)


def _load() -> ctypes.CDLL:
    path = _paths()[0]
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise InputError(
            f"{path}: espeak-ng's library cannot be loaded ({error}); pip install --force-reinstall espeakng-loader"
        ) from error
    number, text, nothing = ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p
    library.espeak_Initialize.argtypes = [number, number, text, number]
    library.espeak_SetSynthCallback.argtypes = [_Callback]
    library.espeak_SetVoiceByName.argtypes = [text]
    library.espeak_SetParameter.argtypes = [number, number, number]
    library.espeak_Synth.argtypes = [text, ctypes.c_size_t, *[ctypes.c_uint, number] * 2, nothing, nothing]
    library.espeak_ng_SetRandSeed.argtypes = [ctypes.c_long]
    return library


def _unload(library: ctypes.CDLL) -> None:
    import _ctypes  # ctypes itself never unloads

    unload = _ctypes.FreeLibrary if os.name == "nt" else _ctypes.dlclose
    unload(library._handle)


def _speak(text: bytes, voice: bytes, words_per_minute: int, pitch: int) -> tuple[np.ndarray, int]:
    """int16 [samples] and their rate in hertz. The caller holds the lock."""
    chunks = []

    @_Callback
    def receive(samples: int | None, count: int, _events: int | None) -> int:
        if samples and count > 0:
            chunks.append(ctypes.string_at(samples, 2 * count))
        return 0  # go on

    with _engine() as (library, rate):
        library.espeak_SetSynthCallback(receive)
        library.espeak_ng_SetRandSeed(0)
        if library.espeak_SetVoiceByName(voice) != _OK:
            raise InputError(f"voice {voice.decode()!r}: espeak-ng cannot read it")
        library.espeak_SetParameter(_RATE, words_per_minute, 0)
        library.espeak_SetParameter(_PITCH, pitch, 0)
        if library.espeak_Synth(text, len(text) + 1, 0, 1, 0, _UTF8, None, None) != _OK:
            raise InputError(f"text {text[:60].decode(errors='replace')!r}: espeak-ng cannot speak it")
    return np.frombuffer(b"".join(chunks), np.int16), rate
