"""The decoders that a command line can choose from, and the options that do."""

import argparse
import functools
from collections.abc import Callable

import command
import numpy as np

DEFAULT_BEAM = 16
"""Hypotheses of the beam search where another option asks for it."""


def add_model_options(arguments: argparse.ArgumentParser) -> None:
    """Of which model hears, and on what."""
    arguments.add_argument("--model", metavar="EXPORTED", required=True, help="an exported model's folder")
    arguments.add_argument(
        "--runtime",
        choices=["tensorflow", "litert"],
        default="tensorflow",
        help="litert: by the export's model.tflite, without TensorFlow (default: %(default)s)",
    )


def add_options(arguments: argparse.ArgumentParser) -> None:
    """Of which model hears, and how it decodes."""
    add_model_options(arguments)
    arguments.add_argument("--beam", metavar="N", type=int, help="a beam search of so many hypotheses; 16 is usual")
    arguments.add_argument(
        "--lm",
        metavar="FILE",
        help="a language model, ARPA or KenLM's, for the beam search; see make_language_model.py",
    )
    arguments.add_argument(
        "--hotword", metavar="TEXT", action="append", default=[], help="a word or phrase to favour; may be repeated"
    )
    arguments.add_argument(
        "--nbest", metavar="N", type=int, help="with --json, also the N best texts of the beam search and their scores"
    )
    arguments.add_argument("--grammar", metavar="FILE.jsgf", help="answer with what this grammar can say, or nothing")
    arguments.add_argument(
        "--least-confidence",
        metavar="X",
        type=float,
        help="an utterance whose text is less sure, in 0..1, is answered with the empty text (default: the model's own "
        "value for greedy decoding, 0 for other decoding; see docs/words.md)",
    )


def load_model(arguments: argparse.Namespace, **settings):
    """The recognizer that `add_model_options` asks for; `settings` are further arguments of it.

    Raises:
        InputError: the model is missing or damaged, or not made for the runtime.
    """
    from pipeline.inference import Recognizer

    if arguments.runtime == "tensorflow":
        command.load_tensorflow(keras=False)
    with command.without_notices():
        return Recognizer(arguments.model, runtime=arguments.runtime, **settings)


def make_recognizer(arguments: argparse.Namespace, **settings):
    """The recognizer that `add_options` asks for; `settings` are further arguments of it.

    Raises:
        InputError: an option that does not go with another, or what it names cannot be used.
    """
    recognizer = load_model(arguments, least_confidence=arguments.least_confidence, **settings)
    recognizer.decoder = _decoder(arguments, recognizer) or recognizer.decoder
    return recognizer


def _decoder(arguments: argparse.Namespace, recognizer) -> Callable[[np.ndarray], object] | None:
    from pipeline.errors import InputError

    beam = arguments.beam is not None or arguments.lm or arguments.hotword or arguments.nbest is not None
    if arguments.grammar and beam:
        raise InputError("--grammar: an exact search of its own, without --beam, --lm, --hotword and --nbest")
    hypotheses = DEFAULT_BEAM if arguments.beam is None else arguments.beam
    if arguments.nbest is not None and not 1 <= arguments.nbest <= max(1, hypotheses):
        raise InputError(f"--nbest {arguments.nbest}: 1 to {hypotheses} wanted, the hypotheses of --beam")
    if arguments.grammar:
        from pipeline.decoding.grammar import GrammarDecoder
        from pipeline.grammar.jsgf import load_grammar

        about = recognizer.about
        return GrammarDecoder(about.units, about.frame_seconds, load_grammar(arguments.grammar, about.text)).decode
    if not beam:
        return None
    decoder = _beam_decoder(arguments, recognizer, hypotheses)
    if arguments.nbest is None:
        return decoder.decode
    return functools.partial(decoder.decode_alternatives, count=arguments.nbest)


def _beam_decoder(arguments: argparse.Namespace, recognizer, hypotheses: int):
    from pipeline.decoding.beam import BeamDecoder
    from pipeline.decoding.language_model import load_language_model
    from pipeline.decoding.weights import read_decoding_weights
    from pipeline.text import normalize

    about, tuned = recognizer.about, read_decoding_weights(arguments.model)
    language_model = load_language_model(arguments.lm, about.units) if arguments.lm else None
    if language_model and tuned.calibration:
        recognizer.calibration = tuned.calibration
    return BeamDecoder(
        about.units,
        about.frame_seconds,
        hypotheses,
        language_model,
        tuned.language_model_weight,
        tuned.word_bonus,
        hotwords=[normalize(hotword, **about.text) for hotword in arguments.hotword],
    )
