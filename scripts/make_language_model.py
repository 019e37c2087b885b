"""Makes an n-gram language model from text: files with a sentence a line, or manifests (.jsonl)."""

import json
from collections.abc import Iterable
from pathlib import Path

import command


def main(arguments) -> None:
    from pipeline.decoding.ngram import estimate, write_arpa
    from pipeline.export.about import About
    from pipeline.text import normalize

    how = About.load(Path(arguments.model)).text if arguments.model else {}
    texts = [normalize(text, **how) for file in arguments.text for text in _texts(Path(file))]
    texts = [text for text in texts if text]
    ngrams = estimate(texts, arguments.order)
    write_arpa(arguments.out, ngrams)
    words = sum(len(ngram) == 1 for ngram in ngrams.log_probs) - 3  # <s>, </s> and <unk>
    print(f"{arguments.out}: {len(ngrams.log_probs)} n-grams of {words} words, from {len(texts)} sentences")


def _texts(path: Path) -> Iterable[str]:
    from pipeline.errors import InputError

    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise InputError(f"{path}: a text file or a manifest wanted, {error.strerror.lower()}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: a text file or a manifest wanted, found bytes that are not UTF-8") from error
    for number, line in enumerate(lines, start=1):
        if path.suffix != ".jsonl":
            yield line
        elif line.strip():
            yield _manifest_text(f"{path}:{number}", line)


def _manifest_text(place: str, line: str) -> str:
    from pipeline.errors import InputError

    try:
        text = json.loads(line)["text"]
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{place}: a JSON object with 'text' wanted, found {line.strip()[:60]!r}") from error
    if not isinstance(text, str):
        raise InputError(f"{place}: 'text' with a string wanted, found {text!r:.60}")
    return text


arguments = command.parser(
    __doc__,
    "python scripts/make_language_model.py train.jsonl menu.txt orders.arpa --model exported/commands-spelled-lstm",
)
arguments.add_argument("text", metavar="TEXT", nargs="+", help="a text file, or a manifest of JSON lines with text")
arguments.add_argument("out", metavar="OUT.arpa", help="the file to write")
arguments.add_argument("--order", type=int, default=3, help="words in the longest n-grams (default: %(default)s)")
arguments.add_argument(
    "--model", metavar="EXPORTED", help="normalizes as this model's transcripts are; else text is lowercased"
)

if __name__ == "__main__":
    command.run(main, arguments)
