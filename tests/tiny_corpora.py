"""Corpora of a few files, in the layouts of those that one downloads."""

import numpy as np
import soundfile

RATE = 8000
COMMON_VOICE = "client_id\tpath\tsentence_id\tsentence\tlocale"


def audio(path, seconds=0.1):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.zeros(round(seconds * RATE)), RATE)
    return str(path)


def text(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(f"{line}\n" for line in lines).encode())
    return path


def librispeech(folder):
    for subset, speaker in (("dev-clean", "84"), ("test-clean", "61"), ("dev-other", "116")):
        chapter = folder / "LibriSpeech" / subset / speaker / "7"
        text(chapter / f"{speaker}-7.trans.txt", f"{speaker}-7-0000 GO ON", f"{speaker}-7-0001 DON'T STOP")
        audio(chapter / f"{speaker}-7-0000.flac")
        audio(chapter / f"{speaker}-7-0001.flac")
    text(folder / "LibriSpeech" / "SPEAKERS.TXT", "; about")
    return folder / "LibriSpeech"


def ljspeech(folder, *lines):
    audio(folder / "wavs" / "LJ001-0001.wav")
    return text(folder / "metadata.csv", *lines).parent


def common_voice(folder, **tables):
    for name in ("a.mp3", "b.mp3"):
        audio(folder / "clips" / name)
    for name, lines in tables.items():
        text(folder / f"{name}.tsv", COMMON_VOICE, *lines)
    return folder


def kaldi(folder, **files):
    audio(folder / "wav" / "r.wav", 3)
    texts = {"wav_scp": ["r1 wav/r.wav"], "text": ["r1 hello there"], "utt2spk": ["r1 ann"], **files}
    for name, lines in texts.items():
        text(folder / name.replace("_scp", ".scp"), *lines)
    return folder


def commands(folder):
    for name in ("cat/a69b9b3e_nohash_0", "cat/f17be97f_nohash_1", "dog/bb05582b_nohash_3", "dog/bb05582b_nohash_4"):
        audio(folder / f"{name}.wav")
    return folder


def table(folder, *lines, name="t.csv"):
    audio(folder / "a.wav")
    return text(folder / name, *lines)


def paired(folder):
    for name in ("ann/a.wav", "ann/more/b.flac", "c.wav"):
        audio(folder / name)
    text(folder / "ann" / "a.txt", "good", "morning ")
    text(folder / "ann" / "more" / "b.lab", "evening")
    text(folder / "c.txt", "night")
    return folder
