"""The decoders that a command line can choose from, and the options that do."""

import argparse
import functools
from collections.abc import Callable

import numpy as np


def add_options(arguments: argparse.ArgumentParser) -> None:
    """Of which model decodes, and how."""
    arguments.add_argument("--model", metavar="EXPORTED", required=True, help="an exported model's folder")
    arguments.add_argument(
        "--runtime",
        choices=["tensorflow", "litert"],
        default="tensorflow",
        help="litert: by the export's model.tflite, without TensorFlow (default: %(default)s)",
    )
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


def make_recognizer(arguments: argparse.Namespace, **settings):
    """The recognizer that the options ask for; `settings` are further arguments of it.

    Raises:
        InputError: an option that does not go with another, or what it names cannot be used.
    """
    from pipeline.inference import Recognizer

    if arguments.runtime == "tensorflow":
        import command

        command.load_tensorflow(keras=False)
    recognizer = Recognizer(arguments.model, runtime=arguments.runtime, **settings)
    recognizer.decoder = _decoder(arguments, recognizer) or recognizer.decoder
    return recognizer


def _decoder(arguments: argparse.Namespace, recognizer) -> Callable[[np.ndarray], object] | None:
    from pipeline.errors import InputError

    beam = arguments.beam is not None or arguments.lm or arguments.hotword or arguments.nbest is not None
    if arguments.grammar and beam:
        raise InputError("--grammar: an exact search of its own, without --beam, --lm, --hotword and --nbest")
    if arguments.nbest is not None and arguments.nbest < 1:
        raise InputError(f"--nbest {arguments.nbest}: 1 or more wanted")
    if arguments.grammar:
        from pipeline.decoding.grammar import GrammarDecoder
        from pipeline.decoding.jsgf import load_grammar

        about = recognizer.about
        return GrammarDecoder(about.units, about.frame_seconds, load_grammar(arguments.grammar, about.text)).decode
    if not beam:
        return None
    decoder = _beam_decoder(arguments, recognizer)
    if arguments.nbest is None:
        return decoder.decode
    return functools.partial(decoder.decode_alternatives, count=arguments.nbest)


def _beam_decoder(arguments: argparse.Namespace, recognizer):
    from pipeline.decoding.beam import BeamDecoder
    from pipeline.decoding.language_model import load_language_model
    from pipeline.decoding.weights import read_decoding_weights
    from pipeline.text import normalize

    about, tuned = recognizer.about, read_decoding_weights(arguments.model)
    language_model = load_language_model(arguments.lm, about.units) if arguments.lm else None
    return BeamDecoder(
        about.units,
        about.frame_seconds,
        16 if arguments.beam is None else arguments.beam,
        language_model,
        tuned.language_model_weight,
        tuned.word_bonus,
        hotwords=[normalize(hotword, **about.text) for hotword in arguments.hotword],
    )
