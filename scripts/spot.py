"""Finds keywords in audio files, by an exported model; they need not be known in training."""

import json
from collections.abc import Iterator
from dataclasses import asdict

import audio_files
import command
import decoders


def main(arguments) -> None:
    from pipeline.errors import UnreadableError

    files = audio_files.find(arguments.audio, arguments.model)
    recognizer = decoders.load_model(arguments)
    spotter = _spotter(arguments, recognizer.about)
    bad = []
    for file in command.progress(files, "file"):
        try:
            for log_probs in _log_probs(recognizer, file):
                for detection in spotter.accept(log_probs):
                    _print(file, detection, arguments.json)
        except UnreadableError as error:
            bad.append(str(error))
        for detection in spotter.finish():
            _print(file, detection, arguments.json)
    audio_files.tell_bad(bad, len(files))


def _spotter(arguments, about):
    from pipeline.decoding.keywords import DEFAULT_THRESHOLD, Spotter, load_thresholds
    from pipeline.errors import InputError
    from pipeline.text import OTHER, normalize

    units = about.units
    if arguments.keyword:
        keywords = [normalize(keyword, **about.text) for keyword in arguments.keyword]
    elif units.kind == "words":
        keywords = [symbol for symbol in units.symbols if symbol != OTHER]
    else:
        raise InputError(f"--keyword TEXT wanted: {arguments.model} spells any keyword, so it has none of its own")
    stored = load_thresholds(arguments.model) if arguments.threshold is None else {}
    otherwise = DEFAULT_THRESHOLD if arguments.threshold is None else arguments.threshold
    thresholds = {word: stored.get(word, otherwise) for word in keywords}
    return Spotter(units, about.frame_seconds, keywords, thresholds, refractory_seconds=arguments.refractory)


def _log_probs(recognizer, file: str) -> Iterator:
    """Log posteriors of a file, float32 [frames, units], in pieces if the model can hear it so."""
    from pipeline.audio import stream_audio

    if recognizer.about.cannot_stream:
        yield recognizer.log_probs(audio_files.load(file, recognizer.about))
    else:
        audio_files.check_kind(file, recognizer.about)
        yield from recognizer.log_probs_in_pieces(stream_audio(file, recognizer.sample_rate))


def _print(file: str, detection, as_json: bool) -> None:
    import tqdm

    line = f"{file}: {detection.start:.2f}-{detection.end:.2f} s {detection.keyword} ({detection.score:.2f})"
    if as_json:
        values = asdict(detection)
        values.update({name: round(values[name], 4) for name in ("start", "end", "score")})
        line = json.dumps({"audio": file, **values}, ensure_ascii=False)
    with tqdm.tqdm.external_write_mode():  # above the bar
        print(line, flush=True)


arguments = command.parser(
    __doc__,
    'python scripts/spot.py --model exported/commands-spelled-lstm --keyword "brown sugar" --keyword latte order.wav',
)
decoders.add_model_options(arguments)
arguments.add_argument(
    "--keyword", metavar="TEXT", action="append", help="may be repeated; without, a model of words spots all its words"
)
arguments.add_argument("audio", metavar="AUDIO", nargs="+", help=audio_files.HELP)
arguments.add_argument(
    "--threshold",
    metavar="X",
    type=float,
    help="the lowest score of a detection, above 0 and at most 1; without, what evaluate_keywords.py stored, or 0.5",
)
arguments.add_argument(
    "--refractory",
    metavar="SECONDS",
    type=float,
    default=0.5,
    help="after a detection in which its keyword is not detected again (default: %(default)s)",
)
arguments.add_argument("--json", action="store_true", help="one JSON object a detection")

if __name__ == "__main__":
    command.run(main, arguments)
