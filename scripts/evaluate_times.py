"""Measures how well an exported model tells when words are spoken, on the joined clips of a configuration's data.test.

Where the clips lie is known. Told are mean absolute errors of starts and ends, as the decoder gives them and refined by
the audio: of the recognized words that are right; of a forced alignment of the reference; and how far both are apart.
"""

import json
import sys
from dataclasses import dataclass

import command


@dataclass
class Errors:
    """Distances of times, [starts and ends of words in seconds], before and after they are refined."""

    before: list
    after: list

    def add(self, words, refined, wanted_before, wanted_after) -> None:
        import numpy as np

        self.before.append(np.abs(_times(words) - wanted_before))
        self.after.append(np.abs(_times(refined) - wanted_after))

    def values(self, times: str, against: str) -> dict:
        import numpy as np

        before, after = np.concatenate(self.before), np.concatenate(self.after)
        values = {"times": times, "against": against, "words": len(after)}
        if len(after):
            values |= _milliseconds(before, "unrefined_") | _milliseconds(after, "")
        return values


def main(arguments) -> None:
    from pipeline.data.utterances import Skipped
    from pipeline.errors import InputError
    from pipeline.inference import Recognizer

    if arguments.snr is not None and not -100 <= arguments.snr <= 100:
        raise InputError(f"--snr: -100 to 100 decibels wanted, found {arguments.snr:g}")
    command.load_tensorflow()
    recognizer = Recognizer(arguments.model)
    skipped = Skipped()
    strings = _strings(arguments, recognizer.sample_rate, skipped)
    found, aligned, agreement = Errors([], []), Errors([], []), Errors([], [])
    for string in command.progress(strings, "utterance"):
        _measure(recognizer, string, arguments.snr, found, aligned, agreement, skipped)
    if len(skipped):
        print(skipped.summary(len(strings)), file=sys.stderr)
    _tell(
        [
            found.values("recognized", "truth"),
            aligned.values("aligned", "truth"),
            agreement.values("recognized", "aligned"),
        ],
        arguments.json,
    )


def _measure(recognizer, string, snr: float | None, found, aligned, agreement, skipped) -> None:
    import numpy as np

    from pipeline.decoding.alignment import align
    from pipeline.decoding.greedy import greedy
    from pipeline.decoding.transcript import spell
    from pipeline.decoding.word_times import LAGS, loudness, refine
    from pipeline.evaluation.calibration import matched_words
    from pipeline.text import normalize

    about = recognizer.about
    audio = string.load() if snr is None else _noisy(string.load(), snr)
    reference = normalize(string.transcript, **about.text)
    truth = np.array(string.spans) / about.sample_rate
    log_probs = recognizer.log_probs(audio)
    runs = align(log_probs, about.units.encode(reference))
    if runs is None or len(reference.split()) != len(truth):
        skipped.add(string.name, "no alignment of one word a clip")
        return
    level, lag = loudness(audio, about.sample_rate), LAGS[about.units.kind]
    forced = spell(runs, log_probs, about.units, about.frame_seconds).words
    forced_refined = refine(forced, level, lag)
    aligned.add(forced, forced_refined, truth, truth)
    heard = greedy(log_probs, about.units, about.frame_seconds)
    places = matched_words(reference, heard.text)
    right = [number for number, place in enumerate(places) if place is not None]
    words = [heard.words[number] for number in right]
    refined = refine(heard.words, level, lag)
    refined = [refined[number] for number in right]
    stands = [places[number] for number in right]
    found.add(words, refined, truth[stands], truth[stands])
    agreement.add(words, refined, _times(forced)[stands], _times(forced_refined)[stands])


def _strings(arguments, sample_rate: int, skipped) -> list:
    from pipeline.config import load_config
    from pipeline.data import sources
    from pipeline.data.joining import Joined
    from pipeline.errors import InputError

    settings = load_config(arguments.config, [*arguments.overrides, f"features.sample_rate={sample_rate}"])
    strings = sources.read(settings.data.test, settings, "test", skipped)(0) if settings.data.test else []
    if not strings or not all(isinstance(string, Joined) for string in strings):
        raise InputError(
            f"{arguments.config}: data.test with joined clips wanted ('join' in each source), whose times are known; "
            f"found {'others' if strings else 'none'}"
        )
    return strings


def _noisy(audio, snr: float):
    """The audio in white noise, so that its pauses are not just zeros; always the same for the same audio."""
    import numpy as np

    level = np.sqrt(np.mean(np.square(audio))) * 10 ** (-snr / 20)
    return audio + level * np.random.default_rng(len(audio)).standard_normal(len(audio)).astype(np.float32)


def _times(words):
    import numpy as np

    return np.array([(word.start, word.end) for word in words]).reshape(-1, 2)


def _milliseconds(errors, prefix: str) -> dict:
    start, end = 1000 * errors.mean(axis=0)
    return {f"{prefix}start_ms": round(float(start), 1), f"{prefix}end_ms": round(float(end), 1)}


def _tell(rows: list[dict], as_json: bool) -> None:
    for row in rows:
        if as_json:
            print(json.dumps(row))
        elif row["words"]:
            print(
                f"{row['times']} against {row['against']} ({row['words']} words): starts {row['start_ms']} ms off "
                f"(unrefined {row['unrefined_start_ms']}), ends {row['end_ms']} ms ({row['unrefined_end_ms']})"
            )
        else:
            print(f"{row['times']} against {row['against']}: no word")


arguments = command.parser(
    __doc__, "python scripts/evaluate_times.py --model exported/digits_lstm configs/digits_lstm.yaml --snr 25"
)
arguments.add_argument("--model", metavar="EXPORTED", required=True, help="an exported model's folder")
arguments.add_argument("config", metavar="CONFIG", help="a configuration with joined clips in its data.test")
arguments.add_argument("overrides", metavar="key=value", nargs="*", help="settings that override the configuration's")
arguments.add_argument("--snr", metavar="DB", type=float, help="adds white noise so many decibels below the speech")
arguments.add_argument("--json", action="store_true", help="JSON objects on stdout, nothing else there")

if __name__ == "__main__":
    command.run(main, arguments)
