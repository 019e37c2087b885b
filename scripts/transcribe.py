"""Writes down what is said in audio files, by an exported model."""

import json
from dataclasses import asdict

import command


def main(arguments) -> None:
    from pipeline.audio import AudioError, load_audio
    from pipeline.errors import InputError
    from pipeline.inference import Recognizer

    command.load_tensorflow()
    recognizer = Recognizer(arguments.model)
    bad = []
    for file in arguments.audio:
        try:
            audio = load_audio(file, recognizer.sample_rate)
        except AudioError as error:
            bad.append(str(error))
            continue
        transcript = recognizer.transcribe(audio)
        if arguments.json:
            values = asdict(transcript)
            values = {"audio": file, "duration": round(len(audio) / recognizer.sample_rate, 3), **values}
            print(json.dumps(values, ensure_ascii=False), flush=True)
        elif len(arguments.audio) == 1:
            print(transcript.text, flush=True)
        else:
            print(f"{file}: {transcript.text}", flush=True)
    if bad:
        raise InputError("; ".join(bad))


arguments = command.parser(__doc__, "python scripts/transcribe.py --model exported/quickstart order.wav --json")
arguments.add_argument("--model", metavar="EXPORTED", required=True, help="an exported model's folder")
arguments.add_argument("audio", metavar="AUDIO", nargs="+", help="wav, flac, ogg, opus or mp3, of any rate")
arguments.add_argument("--json", action="store_true", help="one JSON object a file, with words and their times")

if __name__ == "__main__":
    command.run(main, arguments)
