"""Texts -> synthesized utterances, made once and kept on disk."""

import contextlib
import functools
import hashlib
import itertools
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import numpy as np

from pipeline.audio import AudioError
from pipeline.config import SynthesisSource
from pipeline.data import synthesis
from pipeline.data.cache import write_array
from pipeline.data.corpora.lines import good_lines
from pipeline.data.utterances import BadLines, Skipped, Utterance, take_speakers, too_many_skipped
from pipeline.errors import InputError, UnreadableError
from pipeline.grammar.jsgf import load_grammar

log = logging.getLogger(__name__)

_VERSION = 1
"""Goes up when the same settings give other speech."""
_TOGETHER = 200
"""Utterances that are spoken, and kept, in one go: no more are in memory, or lost by an interruption."""

Speak = Callable[[str, str, int, int, int], np.ndarray]
"""(text, voice, sample rate, words a minute, pitch) -> float32 [samples]."""


def synthesize(
    source: SynthesisSource,
    sample_rate: int,
    seed: int,
    stream: str,
    cache_folder: Path | None = None,
    skipped: Skipped | None = None,
    most_skipped: float = 1.0,
) -> list[Utterance]:
    """Texts spoken by random voices, speeds and pitches.

    Every phrase comes once before any comes again; a grammar's sentences are drawn as its weights say, and make up half
    of the utterances where there are phrases too. A variant of espeak-ng is a speaker: with another accent it is still
    the same throat. The voices are those that the source's `speakers` leave.

    Args:
        source: what is said, and how.
        sample_rate: in hertz.
        seed, stream: decide the random choices.
        cache_folder: where speech is kept; default: nowhere.
        skipped: where lines of the file of phrases go that are none, and texts that a voice has no sounds for;
            default: the first ends it.
        most_skipped: the share of that file's lines that may be bad.

    Raises:
        InputError: a phrase, file, grammar or voice that cannot be used.
    """
    random = np.random.default_rng([seed, *stream.encode()])
    bad = BadLines(skipped)
    texts = _texts(source, random, _phrases(source, bad, most_skipped))
    engine, voices = _engine(source, stream)
    spoken = []
    for _ in range(source.utterances):
        text, voice = next(texts), voices[random.integers(len(voices))]
        words_per_minute = int(random.integers(*source.words_per_minute, endpoint=True))
        pitch = int(random.integers(*source.pitch, endpoint=True))
        spoken.append((text, voice, words_per_minute, pitch))
    speech = _speech(spoken, engine, sample_rate, source.piper, cache_folder)
    utterances = []
    for number, ((text, voice, _, _), (load, samples)) in enumerate(zip(spoken, speech, strict=True)):
        name = f"synthesis.{stream}.{number} ({text!r} by {voice})"
        if samples:
            utterances.append(Utterance(name, text, _throat(voice), samples, load))
        else:
            bad.add(name, "a text with sounds wanted, found none in it")
    if not utterances:
        raise InputError(f"data.{stream}: texts that can be spoken wanted, found {bad.only}")
    return utterances


def _phrases(source: SynthesisSource, bad: BadLines, most_bad: float) -> list[str]:
    """What phrases stand for: the configuration's own, and those of the file."""
    texts = [text for phrase in source.phrases for text in synthesis.expand(phrase)]
    file = source.phrases_file
    if file is None:
        return texts
    good = 0
    for number, line in good_lines(Path(file), "a file of phrases", bad):
        if phrase := line.strip():
            try:
                texts += synthesis.expand(phrase)
                good += 1
            except InputError as error:
                bad.add(f"{file}:{number}", str(error))
    if not texts or (len(bad) and not good):
        raise InputError(f"{file}: a file of phrases wanted, found {bad.only or 'none in it'}")
    if len(bad):
        too_many_skipped(bad, good + len(bad), most_bad, file)
    return texts


def _texts(source: SynthesisSource, random: np.random.Generator, texts: list[str]) -> Iterator[str]:
    """The texts of phrases and a grammar's sentences, without an end."""
    grammar = load_grammar(source.grammar) if source.grammar is not None else None
    sampler = Random(int(random.integers(2**62))) if grammar else None
    while True:
        for place in random.permutation(len(texts)) if texts else range(1):
            if texts:
                yield texts[place]
            if grammar:
                yield _sentence(grammar, sampler)


def _sentence(grammar, sampler: Random) -> str:
    for _ in range(1000):
        if sentence := grammar.sample(sampler):
            return sentence
    raise InputError(f"{grammar.name}: sentences with words wanted, found empty ones only")


def _engine(source: SynthesisSource, stream: str) -> tuple[Callable[[], Speak], list[str]]:
    """What makes something that speaks, afresh whatever was said before; and the voices that it has."""
    if source.piper is not None:
        from pipeline.data.piper import Piper

        names = Piper(source.piper).voices
    else:
        names = synthesis.voices(source.accents)
    silent = [Utterance(name, "", _throat(name), 0, lambda: np.zeros(0, np.float32)) for name in names]
    voices = [utterance.name for utterance in take_speakers(silent, source.speakers)]
    if not voices:
        raise InputError(f"data.{stream}: no voice is left of accents {source.accents} (speakers: {source.speakers})")
    if source.piper is None:
        return lambda: synthesis.synthesize, voices
    return lambda: Piper(source.piper).synthesize, voices


def _speech(
    spoken: list[tuple], engine: Callable[[], Speak], sample_rate: int, piper: str | None, folder: Path | None
) -> Iterator[tuple[Callable[[], np.ndarray], int]]:
    """What loads each utterance's speech, and its length in samples."""
    for first in range(0, len(spoken), _TOGETHER):
        part = spoken[first : first + _TOGETHER]
        what = json.dumps([_VERSION, sample_rate, piper, part])
        file = folder and folder / "synthesis" / f"{hashlib.sha256(what.encode()).hexdigest()}.npy"
        read, ends = (file and _kept(file)) or _spoken(part, engine(), sample_rate, file)
        for begin, end in itertools.pairwise([0, *ends.tolist()]):
            yield functools.partial(read, begin, end), end - begin


def _kept(file: Path) -> tuple[Callable[[int, int], np.ndarray], np.ndarray] | None:
    """What reads the speech between two of a file's samples, and int64 where each utterance ends; None: not there."""
    with contextlib.suppress(OSError, ValueError, EOFError):  # or damaged
        return functools.partial(_piece_of_file, file, _first_byte(file)), np.load(file.with_suffix(".ends.npy"))
    return None


def _spoken(
    part: list[tuple], speak: Speak, sample_rate: int, file: Path | None
) -> tuple[Callable[[int, int], np.ndarray], np.ndarray]:
    """The same of speech that is made now, and kept in the file if there is one and room for it.

    One without a sound in it has no samples.
    """
    pieces = []
    for text, voice, words_per_minute, pitch in part:
        try:
            pieces.append(np.round(32767 * speak(text, voice, sample_rate, words_per_minute, pitch)).astype(np.int16))
        except UnreadableError:
            pieces.append(np.zeros(0, np.int16))
    samples, ends = np.concatenate(pieces), np.cumsum([len(piece) for piece in pieces])
    if file and len(samples):
        try:
            write_array(file.with_suffix(".ends.npy"), ends)
            write_array(file, samples)
            return functools.partial(_piece_of_file, file, _first_byte(file)), ends
        except OSError as error:
            log.warning("%s: synthesized speech stays in memory (%s)", file.parent, error.strerror or error)
    return functools.partial(_piece, samples), ends


def _first_byte(file: Path) -> int:
    """Where the samples begin in a file of them. Raises: OSError, ValueError, EOFError: it is missing, or not whole."""
    samples = np.load(file, mmap_mode="r")
    return file.stat().st_size - samples.nbytes


def _piece_of_file(file: Path, first_byte: int, begin: int, end: int) -> np.ndarray:
    try:
        return np.fromfile(file, np.int16, end - begin, offset=first_byte + 2 * begin).astype(np.float32) / 32767
    except OSError as error:
        raise AudioError(f"{file}: synthesized speech wanted, {(error.strerror or str(error)).lower()}") from error


def _piece(samples: np.ndarray, begin: int, end: int) -> np.ndarray:
    return samples[begin:end].astype(np.float32) / 32767


def _throat(voice: str) -> str:
    """Who speaks: the variant of `accent+variant`, or the accent if there is none."""
    accent, _, variant = voice.partition("+")
    return variant or accent
