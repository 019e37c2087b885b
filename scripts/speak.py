"""Speaks a text by espeak-ng into an audio file: something to try a model on where there is no recording at hand."""

import io
from pathlib import Path

import command

KINDS = (".wav", ".flac", ".ogg")
RATE = 16000


def main(arguments) -> None:
    import soundfile

    from pipeline.data.synthesis import synthesize
    from pipeline.errors import InputError

    out = Path(arguments.out)
    if out.suffix.lower() not in KINDS:
        raise InputError(f"{out}: a file name that ends in {', '.join(KINDS)} wanted, found {out.suffix!r}")
    if not out.parent.is_dir():
        raise InputError(f"{out.parent}: a folder for {out.name} wanted, there is none")
    samples = synthesize(arguments.text, arguments.voice, RATE, arguments.words_per_minute, arguments.pitch)
    written = io.BytesIO()  # soundfile tells a full disk by a stack trace
    soundfile.write(written, samples, RATE, format=out.suffix[1:])
    out.write_bytes(written.getvalue())
    print(f"{out}: {len(samples) / RATE:.1f} s")


arguments = command.parser(__doc__, 'python scripts/speak.py "can i get a large latte" order.wav --voice en-gb+f3')
arguments.add_argument("text", metavar="TEXT", help="words, of any length")
arguments.add_argument("out", metavar="OUT", help="the file to write: .wav, .flac or .ogg")
arguments.add_argument("--voice", default="en-us", help="an accent, and a variant: en-gb+f3 (default: %(default)s)")
arguments.add_argument("--words-per-minute", metavar="N", type=int, default=160, help="80 to 450 (default: 160)")
arguments.add_argument("--pitch", metavar="N", type=int, default=50, help="0 to 100 (default: %(default)s)")

if __name__ == "__main__":
    command.run(main, arguments)
