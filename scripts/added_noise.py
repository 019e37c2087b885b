"""Noise over the speech that a model is measured on."""

import argparse
import dataclasses
from pathlib import Path


def add_options(arguments: argparse.ArgumentParser) -> None:
    """Of how much noise, and which."""
    arguments.add_argument(
        "--snr", metavar="DB", type=float, help="adds noise, so many decibels below each utterance's speech"
    )
    arguments.add_argument(
        "--noise", metavar="FOLDER", help="recordings to take it from (default: made noise, white or pink)"
    )


def in_noise(utterances: list, arguments: argparse.Namespace, about) -> list:
    """The utterances as the options want them: always with the same noise for the same list.

    Args:
        utterances: of `pipeline.data`.
        arguments: what was given.
        about: what the model says of itself.

    Raises:
        InputError: a level of no sense, no recordings of noise, noise without a level, or a model that
            hears no audio.
    """
    from pipeline.augment import WaveformAugmentation
    from pipeline.config import Augment, Noise
    from pipeline.errors import InputError

    if arguments.snr is None:
        if arguments.noise is not None:
            raise InputError("--noise: --snr wanted as well")
        return utterances
    if about.features is not None:
        raise InputError(f"--snr: a model that hears audio wanted, {arguments.model} takes features")
    if not -100 <= arguments.snr <= 100:
        raise InputError(f"--snr: -100 to 100 decibels wanted, found {arguments.snr:g}")
    if arguments.noise is not None and not Path(arguments.noise).is_dir():
        raise InputError(f"--noise: a folder of recordings wanted, found none at {arguments.noise}")
    made = [] if arguments.noise else ["white", "pink"]
    noise = Noise(share=1, snr_db=(arguments.snr, arguments.snr), folder=arguments.noise, made=made)
    add = WaveformAugmentation(Augment(noise=noise), about.sample_rate, Path(), seed=0)
    return [_in_noise(utterance, add, number) for number, utterance in enumerate(utterances)]


def _in_noise(utterance, add, number: int):
    import numpy as np

    def load():
        return add(utterance.load(), np.random.default_rng(number))

    return dataclasses.replace(utterance, load=load)
