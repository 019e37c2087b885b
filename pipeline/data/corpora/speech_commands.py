"""Speech Commands (Warden 2018, arXiv:1804.03209), and what is laid out like it."""

import hashlib
import os
from pathlib import Path

from pipeline import audio
from pipeline.data.corpora import splits
from pipeline.data.corpora.entry import Entry
from pipeline.data.corpora.files import ENDINGS, audio_names, subfolders
from pipeline.data.corpora.lines import good_lines
from pipeline.data.utterances import BadLines
from pipeline.errors import InputError

LAYOUT = "WORD/SPEAKER_nohash_N.wav"
SPLITS = ("training", "validation", "testing")
NOISE, SILENCE = "_background_noise_", "_silence_"

_BUCKETS = 2**27  # of speakers' hashes; the published code calls the last one MAX_NUM_WAVS_PER_CLASS
_PERCENT = {"validation": 10, "testing": 10}
_PIECE_SECONDS = 1  # as long as a word's recording


def fits(path: Path) -> bool:
    return any("_nohash_" in name for word in subfolders(path) for name in os.listdir(path / word))


def read(path: Path, split: str | None, bad: BadLines) -> list[Entry]:
    """Single words, and pieces of noise without any: the set's class of silence, `""`.

    Every word is told as it was said; which of them a model knows is up to its units. Noise is cut into whole seconds:
    the first four fifths of a recording are for training, a tenth each for validation and testing, and none overlap.

    Args:
        path: the folder with the words' folders.
        split: training, validation or testing, by the set's own lists, or else by the hash of the speaker.
        bad: not used: there are no lines but those of the lists, and a recording whose line is bad is of no split.

    Raises:
        InputError: no such layout or split, one list without the other, or a bad line in one.
    """
    words = {word: audio_names(path / word) for word in subfolders(path) if word != NOISE}
    wanted = set(splits.choose(split, SPLITS, path))
    listed = _listed(path, words)
    entries = []
    for word, names in words.items():
        prefix, text = f"{path / word}/", "" if word == SILENCE else word
        for name in names:
            stem = os.path.splitext(name)[0]
            speaker = stem.split("_nohash_")[0]
            own = split_of(speaker) if listed is None else listed.get(f"{word}/{stem}", "training")
            if own in wanted:
                entries.append(Entry(prefix + name, text, speaker))
    if not entries and split is None:
        raise InputError(f"{path}: {LAYOUT} wanted, found none")
    return entries + [entry for own, entry in _noise(path / NOISE) if own in wanted]


def split_of(speaker: str) -> str:
    """The split of all of a speaker's recordings: `which_set` of the published code, with its 10 % and 10 %.

    A recording's speaker is its name up to `_nohash_`.
    """
    bucket = int(hashlib.sha1(speaker.encode()).hexdigest(), 16) % _BUCKETS
    percent = bucket * (100.0 / (_BUCKETS - 1))
    if percent < _PERCENT["validation"]:
        return "validation"
    return "testing" if percent < _PERCENT["validation"] + _PERCENT["testing"] else "training"


def _listed(path: Path, words: dict[str, list[str]]) -> dict[str, str] | None:
    """Of each `word/stem` in the set's lists its split; None if there are no lists. The rest is for training.

    Words whose folder is not there may be listed, as not all need be kept.

    Args:
        path: the folder with the lists.
        words: of each word's folder the names of its recordings.
    """
    lists = {split: path / f"{split}_list.txt" for split in _PERCENT}
    there = [file.name for file in lists.values() if file.is_file()]
    if not there:
        return None
    if len(there) < len(lists):
        raise InputError(f"{path}: {' and '.join(file.name for file in lists.values())} wanted, found {there[0]} alone")
    stems = {word: {os.path.splitext(name)[0] for name in names} for word, names in words.items()}
    known = {word.lower() for word in words}
    listed = {}
    for split, file in lists.items():
        for number, line in good_lines(file, "a list of recordings", BadLines()):
            word, _, name = line.strip().partition("/")
            stem, ending = os.path.splitext(name)
            if not name and not word:
                continue
            if not word or "/" in name or ending.lower() not in ENDINGS:
                raise InputError(f"{file}:{number}: a recording as WORD/FILE wanted, found {line.strip()[:60]!r}")
            if stem not in stems[word] if word in stems else word.lower() in known:
                raise InputError(f"{file}:{number}: a recording that is there wanted, found {line.strip()[:60]!r}")
            listed[f"{word}/{stem}"] = split
    return listed


def _noise(folder: Path) -> list[tuple[str, Entry]]:
    """Pieces of the recordings of noise, each with its split."""
    pieces = []
    for name in audio_names(folder) if folder.is_dir() else []:
        file, stem = f"{folder}/{name}", os.path.splitext(name)[0]
        count = int(audio.duration(file) // _PIECE_SECONDS)
        if not count:  # shorter, or not readable: what is wrong is told when it is read
            pieces.append(("training", Entry(file, "", f"{stem}_training")))
        for number in range(count):
            split = "training" if number < 0.8 * count else "validation" if number < 0.9 * count else "testing"
            start = float(number * _PIECE_SECONDS)
            # Pieces that share a split share a speaker: noise is divided as speech is, and none is in two splits.
            entry = Entry(file, "", f"{stem}_{split}", float(_PIECE_SECONDS), start, start + _PIECE_SECONDS)
            pieces.append((split, entry))
    return pieces
