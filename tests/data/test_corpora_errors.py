import os

import pytest
from tiny_corpora import commands, common_voice, kaldi, librispeech, ljspeech, paired, table, text

from pipeline.data.corpora import read_corpus
from pipeline.errors import InputError


@pytest.mark.parametrize(
    ("make", "split", "message"),
    [
        (
            librispeech,
            "dev-claen",
            r"there is no split 'dev-claen'; did you mean dev-clean\? there are dev-clean",
        ),
        (librispeech, "dev-clean+zzz", r"there is no split 'zzz'; there are dev-clean, dev-other, test-clean$"),
        (commands, "train", r"there is no split 'train'; did you mean training\? there are training, validation, test"),
        (commands, "", r"there is no split ''; there are training, validation, testing"),
        (kaldi, "train", r"split 'train' wanted, but a corpus of format kaldi has no splits"),
        (paired, "train", r"split 'train' wanted, but a corpus of format texts has no splits"),
        (
            lambda f: ljspeech(f, "LJ001-0001|a"),
            "x",
            r"split 'x' wanted, but .* format ljspeech has no",
        ),
        (lambda f: table(f, "path,text", "a.wav,a"), "x", r"split 'x' wanted, but there is no column 'split'"),
    ],
    ids=range(8),
)
def test_a_split_that_is_not_there_is_told(tmp_path, make, split, message):
    with pytest.raises(InputError, match=message):
        read_corpus(make(tmp_path), split=split)


def row(line):
    return lambda folder: common_voice(folder, train=["ann\ta.mp3\t1\tHi\ten", "", line])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (row("ann\tb.mp3\t2\tHi"), r"train\.tsv:4: 5 fields wanted as in the header, found 4"),
        (row("ann\tb.mp3\t2\tHi\ten\t"), r"train\.tsv:4: 5 fields wanted as in the header, found 6"),
        (row("ann\t\t2\tHi\ten"), r"train\.tsv:4: a clip's name wanted"),
        (row("ann\ta\0.mp3\t2\tHi\ten"), r"train\.tsv:4: a table wanted, found a zero"),
        (lambda f: table(f, "path,text", 'a.wav,"a\nb"', 'b.wav,"c', "d.wav,e"), r"t\.csv:4: a table's row wanted"),
        (lambda f: table(f, "path,text", "a.wav,a", ",b"), r"t\.csv:3: an audio file wanted in column 'path'"),
        (lambda f: table(f, "path,text,duration", "a.wav,a,1", "b,b,long"), r"t\.csv:3: seconds wanted, found 'long'"),
        (lambda f: table(f, "path,text,duration", "a.wav,a,nan"), r"t\.csv:2: seconds wanted, found 'nan'"),
        (lambda f: table(f, "path,text,duration", "a.wav,a,-1"), r"t\.csv:2: seconds wanted, found '-1'"),
        (
            lambda f: table(f, "path,words", "a.wav,a"),
            r"t\.csv: a column of text wanted \(text, .*'words'",
        ),
        (lambda f: table(f, "a.wav,one"), r"t\.csv: a column of audio wanted \(path, .*found 'a\.wav', 'one'"),
        (lambda f: table(f, "x" * 200_000), r"t\.csv:1: a table's row wanted, found one that is none"),
        (lambda f: table(f), r"t\.csv: a column of audio wanted \(path, .*found none"),
        (lambda f: table(f, "path,text"), r"t\.csv: utterances wanted, found none"),
        (
            lambda f: ljspeech(f, "LJ001-0001|a", "", "b"),
            r"metadata\.csv:3: id\|text\|normalized text wanted, .*'b'",
        ),
        (lambda f: ljspeech(f, "LJ001-0001|a", "b|c|d|e"), r"metadata\.csv:2: id\|text\|normalized text wanted"),
        (
            lambda f: kaldi(f, wav_scp=["r1 touch ran |"]),
            r"text:1: .*wav\.scp:1: an audio file wanted, .*'touch",
        ),
        (lambda f: kaldi(f, wav_scp=["r1"]), r"wav\.scp:1: a recording and its file wanted, found 'r1'"),
        (lambda f: kaldi(f, text=["r1 a", "r1 b"]), r"text:2: each once wanted, found 'r1' again"),
        (lambda f: kaldi(f, text=["r1 a", "r2 b"]), r"text:2: a speaker of 'r2' wanted in utt2spk"),
        (lambda f: kaldi(f, text=["r2 b"], utt2spk=["r2 x"]), r"text:1: a recording of 'r2' wanted in wav\.scp"),
        (lambda f: kaldi(f, segments=["u1 r1 0 1"]), r"text:1: a segment of 'r1' wanted in segments"),
        (lambda f: kaldi(f, segments=["r1 r2 0 1"]), r"segments:1: a recording 'r2' wanted in wav\.scp, found none"),
        (lambda f: kaldi(f, segments=["r1 r1 1 1"]), r"segments:1: an end after the start wanted, found 1 and 1"),
        (lambda f: kaldi(f, segments=["r1 r1 0"]), r"segments:1: an utterance, its recording, start and end wanted"),
        (lambda f: kaldi(f, segments=["r1 r1 x 1"]), r"segments:1: seconds wanted, found 'x'"),
        (lambda f: kaldi(f, utt2dur=["r1 x"]), r"utt2dur:1: seconds wanted, found 'x'"),
    ],
    ids=range(27),
)
def test_what_is_wrong_is_told_with_its_file_and_line(tmp_path, make, message):
    with pytest.raises(InputError, match=message) as told:
        read_corpus(make(tmp_path))
    assert "\n" not in str(told.value)
    assert not os.path.exists("ran")


def test_a_librispeech_line_without_text_is_named(tmp_path):
    folder = librispeech(tmp_path)
    text(folder / "dev-clean" / "84" / "7" / "84-7.trans.txt", "84-7-0000 GO", "84-7-0001")
    with pytest.raises(InputError, match=r"84-7\.trans\.txt:2: an utterance's name and text wanted, found '84-7-0001'"):
        read_corpus(folder)


def test_bytes_that_are_not_utf8_are_told_by_line(tmp_path):
    path = table(tmp_path)
    path.write_bytes(b"path,text\na.wav,ok\nb.wav,\xff\n")
    with pytest.raises(InputError, match=r"t\.csv:3: a table wanted, found bytes that are not UTF-8"):
        read_corpus(path)


@pytest.mark.parametrize("name", ["wav.scp", "text", "utt2spk"])
def test_a_missing_file_of_kaldi_is_named(tmp_path, name):
    folder = kaldi(tmp_path)
    (folder / name).unlink()
    with pytest.raises(InputError, match=rf"{name}: lines of .* wanted, no such file"):
        read_corpus(folder, "kaldi")


@pytest.mark.parametrize(
    ("format", "message"),
    [
        ("librispeech", r"SUBSET/SPEAKER/CHAPTER/\*\.trans\.txt wanted, found none"),
        ("ljspeech", r"metadata\.csv: lines of id\|text\|normalized text wanted, no such file"),
        ("common_voice", r"validated\.tsv and others .* wanted, found no such table"),
        ("kaldi", r"wav\.scp: lines of a recording and its file wanted, no such file"),
        ("speech_commands", r"WORD/SPEAKER_nohash_N\.wav wanted, found none"),
        ("csv", r"a folder with one \.csv or \.tsv file, or the file's path wanted; found none"),
        ("texts", r"audio files, each with a \.txt .* wanted, found 0 audio files without"),
        ("kaldy", r"there is no format 'kaldy'; did you mean kaldi\? there are kaldi, common_voice"),
        (None, r"a corpus wanted, found none of kaldi \(wav\.scp, text, utt2spk\); common_voice \(.*; texts \("),
    ],
)
def test_a_folder_of_another_layout_is_told_what_is_looked_for(tmp_path, format, message):
    with pytest.raises(InputError, match=message):
        read_corpus(tmp_path, format)


def test_a_missing_corpus_and_a_file_in_a_folders_place_are_told(tmp_path):
    for missing in (tmp_path / "none", "no\0ne"):
        with pytest.raises(InputError, match="a corpus"):
            read_corpus(missing)
    with pytest.raises(InputError, match="the folder of a corpus of format kaldi wanted, found a file"):
        read_corpus(text(tmp_path / "a.txt", "a"), "kaldi")
    with pytest.raises(InputError, match=r"a\.txt: a corpus wanted, found none of"):
        read_corpus(tmp_path / "a.txt")


def test_some_audio_may_be_missing_but_not_all(tmp_path):
    path = table(tmp_path, "path,text", "gone.wav,a", "a.wav,b")
    assert len(read_corpus(path)) == 2
    (tmp_path / "a.wav").unlink()
    with pytest.raises(InputError, match=r"none of 2 files is there, .*/gone\.wav for example \(format csv\)"):
        read_corpus(path)
