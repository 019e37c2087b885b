"""Writes a split's speech as FLAC files, or its features, with a manifest: to listen to, or to try a model on."""

import json
import re
import sys
from pathlib import Path

import command


def main(arguments) -> None:
    import numpy as np
    import soundfile

    from pipeline.config import load_config
    from pipeline.data import sources
    from pipeline.data.utterances import Skipped
    from pipeline.errors import InputError

    settings = load_config(arguments.config, arguments.overrides)
    configured = getattr(settings.data, arguments.split)
    if not configured:
        raise InputError(f"{arguments.config}: data.{arguments.split} with sources wanted, found none")
    found = sources.read(configured, settings, arguments.split, bad := Skipped())(0)
    if len(bad):
        print(bad.summary(len(found) + len(bad)), file=sys.stderr)
    utterances = found[: arguments.first]
    folder = Path(arguments.out)
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for number, utterance in enumerate(utterances):
        said = re.sub(r"\W+", "-", utterance.transcript)[:60].strip("-")
        signal, name = utterance.load(), f"{number:04d}-{said}"
        if settings.features.input == "features":
            np.save(folder / f"{name}.npy", signal)
            line = {"features_filepath": f"{name}.npy"}
        else:
            soundfile.write(folder / f"{name}.flac", signal, settings.features.sample_rate)
            line = {"audio_filepath": f"{name}.flac"}
        line |= {"text": utterance.transcript, "speaker": utterance.speaker}
        line["duration"] = round(len(signal) / settings.features.lengths_per_second, 3)
        lines.append(json.dumps(line, ensure_ascii=False) + "\n")
    (folder / "manifest.jsonl").write_text("".join(lines), encoding="utf-8")
    print(f"{folder}: {len(lines)} utterances and manifest.jsonl")


arguments = command.parser(__doc__, "python scripts/save_split.py configs/quickstart.yaml test /tmp/speech --first 20")
arguments.add_argument("config", metavar="CONFIG")
arguments.add_argument("split", metavar="SPLIT", choices=["train", "valid", "test"], help="train, valid or test")
arguments.add_argument("out", metavar="OUT", help="the folder to write")
arguments.add_argument("overrides", metavar="key=value", nargs="*", help="settings that override the file's")
arguments.add_argument("--first", type=int, metavar="N", help="no more than N utterances")

if __name__ == "__main__":
    command.run(main, arguments)
