"""LibriSpeech (Panayotov et al. 2015, openslr.org/12), and what is laid out like it."""

from pathlib import Path

from pipeline.data.corpora import splits
from pipeline.data.corpora.entry import Entry
from pipeline.data.corpora.files import by_stem, subfolders
from pipeline.data.corpora.lines import check_new, good_lines
from pipeline.data.utterances import BadLines
from pipeline.errors import InputError

LAYOUT = "SUBSET/SPEAKER/CHAPTER/*.trans.txt"

_TRANSCRIPTS = "*/*/*.trans.txt"


def fits(path: Path) -> bool:
    return bool(_subsets(path))


def read(path: Path, split: str | None, bad: BadLines) -> list[Entry]:
    """The utterances of subsets; the path is that of one, of the folder that holds them, or of LibriSpeech's parent.

    Malformed lines go into `bad`.

    Raises:
        InputError: no such layout or subset.
    """
    subsets = _subsets(path)
    if not subsets:
        raise InputError(f"{path}: {LAYOUT} wanted, found none")
    entries = []
    for name in splits.choose(split, subsets, path):
        for transcripts in sorted(subsets[name].glob(_TRANSCRIPTS)):
            entries += _chapter(transcripts, bad)
    return entries


def _subsets(path: Path) -> dict[str, Path]:
    if _has_transcripts(path):
        return {path.resolve().name: path}
    found = {name: path / name for name in subfolders(path) if _has_transcripts(path / name)}
    inner = path / "LibriSpeech"
    return found if found or not inner.is_dir() else _subsets(inner)


def _has_transcripts(path: Path) -> bool:
    return next(path.glob(_TRANSCRIPTS), None) is not None


def _chapter(transcripts: Path, bad: BadLines) -> list[Entry]:
    folder = transcripts.parent
    files = by_stem(folder)
    prefix, speaker = f"{folder}/", folder.parent.name
    entries, seen = [], set()
    for number, line in good_lines(transcripts, "transcripts", bad):
        if not line.strip():
            continue
        utterance, _, text = line.strip().partition(" ")
        try:
            if not text:
                raise InputError(f"an utterance's name and text wanted, found {utterance[:60]!r}")
            check_new(utterance, seen)
        except InputError as error:
            bad.add(f"{transcripts}:{number}", str(error))
        else:
            seen.add(utterance)
            entries.append(Entry(prefix + files.get(utterance, f"{utterance}.flac"), text.strip(), speaker))
    return entries
