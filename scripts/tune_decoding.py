"""Finds how much a language model should count for an exported model, and stores that with the model."""

import functools
import json
import math
from collections.abc import Callable

import command
import skipping

WEIGHTS = "0.25,0.5,0.75,1,1.5,2,3"
BONUSES = "0,1,2,3"


def main(arguments) -> None:
    from pipeline.decoding.beam import BeamDecoder
    from pipeline.decoding.greedy import greedy
    from pipeline.decoding.language_model import load_language_model
    from pipeline.decoding.weights import DecodingWeights, write_decoding_weights
    from pipeline.evaluation.calibration import fit_calibration, judge
    from pipeline.evaluation.error_rate import error_rates
    from pipeline.evaluation.tuning import best_of, try_weights
    from pipeline.inference import Recognizer
    from pipeline.text import normalize

    weights, bonuses = _numbers("--weights", arguments.weights), _numbers("--bonuses", arguments.bonuses)
    command.load_tensorflow()
    recognizer = Recognizer(arguments.model)
    units, frame_seconds = recognizer.about.units, recognizer.about.frame_seconds
    language_model = load_language_model(arguments.lm, units)
    normalized = functools.partial(normalize, **recognizer.about.text)

    def beam(weight: float, bonus: float) -> BeamDecoder:
        return BeamDecoder(units, frame_seconds, arguments.beam, language_model, weight, bonus)

    def decoder(weight: float, bonus: float) -> Callable:
        decode = beam(weight, bonus).decode
        return lambda log_probs: normalized(decode(log_probs).text)

    decoder(weights[0], bonuses[0])  # so that bad settings are told before the audio is heard
    utterances, skipped = _utterances(arguments, recognizer, normalized)
    references = [reference for _, reference in utterances]
    heard = [normalized(greedy(log_probs, units, frame_seconds).text) for log_probs, _ in utterances]
    plain = error_rates(references, heard)
    settings = command.progress([(weight, bonus) for weight in weights for bonus in bonuses], "setting")
    trials = list(try_weights(decoder, utterances, settings))
    best = best_of(trials)
    measured = {"manifest": arguments.manifest, "language_model": arguments.lm, "beam": arguments.beam}
    measured |= {"utterances": len(utterances), "skipped": skipped, **_rounded(best.rates)}
    measured |= {f"greedy_{name}": value for name, value in _rounded(plain).items()}
    decode = beam(best.language_model_weight, best.word_bonus).decode
    calibration = fit_calibration(*judge(references, [decode(log_probs) for log_probs, _ in utterances]))
    file = write_decoding_weights(
        arguments.model, DecodingWeights(best.language_model_weight, best.word_bonus, calibration, measured)
    )
    if arguments.json:
        for trial in trials:
            values = {"language_model_weight": trial.language_model_weight, "word_bonus": trial.word_bonus}
            print(json.dumps({**values, **_rounded(trial.rates), "best": trial is best}))
        return
    _print_table(trials, weights, bonuses)
    print(f"greedy, without the language model: WER {plain.wer:.1%}, CER {plain.cer:.1%}")
    print(
        f"best: weight {best.language_model_weight:g}, word bonus {best.word_bonus:g}: "
        f"WER {best.rates.wer:.1%}, CER {best.rates.cer:.1%}; stored in {file}"
    )


def _utterances(arguments, recognizer, normalized: Callable[[str], str]) -> tuple[list, int]:
    """Log posteriors, computed once for all settings, and the reference of each utterance; and how many are skipped."""
    from pipeline.data.manifest import read_manifest
    from pipeline.errors import InputError, UnreadableError

    manifest, about, found = arguments.manifest, recognizer.about, []
    skips = skipping.Skipping(skipping.most_skipped(arguments), manifest)
    utterances = skips.start(read_manifest(manifest, about.sample_rate, about.features, skips.skipped))
    for utterance in command.progress(utterances, "utterance"):
        try:
            found.append((recognizer.log_probs(utterance.load()), normalized(utterance.transcript)))
        except UnreadableError as error:
            skips.leave_out(utterance, error)
    skips.tell()
    if not any(reference for _, reference in found):
        raise InputError(f"{manifest}: at least one readable utterance with words wanted, found none")
    return found, len(skips.skipped)


def _numbers(option: str, text: str) -> list[float]:
    from pipeline.errors import InputError

    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = [math.nan]
    if not all(map(math.isfinite, numbers)) or (option == "--weights" and min(numbers) < 0):
        raise InputError(f"{option}: numbers with commas between them wanted (weights of 0 or more), found {text!r}")
    return numbers


def _rounded(rates) -> dict[str, float]:
    return {"wer": round(rates.wer, 4), "cer": round(rates.cer, 4)}


def _print_table(trials: list, weights: list[float], bonuses: list[float]) -> None:
    print("WER by weight (down) and word bonus (across)")
    print("      " + "".join(f"{bonus:8g}" for bonus in bonuses))
    for row, weight in enumerate(weights):
        rates = [trial.rates.wer for trial in trials[row * len(bonuses) : (row + 1) * len(bonuses)]]
        print(f"{weight:6g}" + "".join(f"{rate:8.1%}" for rate in rates))


arguments = command.parser(
    __doc__, "python scripts/tune_decoding.py --model exported/commands-spelled-lstm valid.jsonl --lm orders.arpa"
)
arguments.add_argument("--model", metavar="EXPORTED", required=True, help="an exported model's folder")
arguments.add_argument(
    "manifest", metavar="MANIFEST", help="JSON lines with audio_filepath and text, not those of a test"
)
arguments.add_argument("--lm", metavar="FILE", required=True, help="a language model, ARPA or KenLM's binary form")
arguments.add_argument("--beam", metavar="N", type=int, default=16, help="width of the beam (default: %(default)s)")
arguments.add_argument("--weights", default=WEIGHTS, help="of the language model, to try (default: %(default)s)")
arguments.add_argument("--bonuses", default=BONUSES, help="nats a word, to try (default: %(default)s)")
skipping.add_options(arguments)
arguments.add_argument("--json", action="store_true", help="one JSON object a setting")

if __name__ == "__main__":
    command.run(main, arguments)
