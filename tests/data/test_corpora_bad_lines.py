"""One bad line of a corpus is skipped, counted and named, as a manifest's is."""

import json
import os

import pytest
import tiny
from tiny_corpora import COMMON_VOICE, audio, common_voice, kaldi, librispeech, ljspeech, paired, table, text

from pipeline.config import load_config
from pipeline.data.corpora import read_corpus
from pipeline.data.splits import load_splits
from pipeline.data.survey import choose
from pipeline.data.utterances import Skipped
from pipeline.errors import InputError


def read(path, format=None, split=None):
    """Texts, and what is skipped by the names of files and the numbers of lines."""
    skipped = Skipped()
    entries = read_corpus(path, format, split, skipped)
    return [entry.text for entry in entries], {os.path.basename(name): reason for name, reason in skipped}


LATIN = "caf\udce9"  # a byte that is not UTF-8


def raw(path, *lines):
    path.write_bytes("".join(f"{line}\n" for line in lines).encode(errors="surrogateescape"))
    return path


def test_common_voice(tmp_path):
    folder = common_voice(tmp_path)
    lines = ["ann\ta.mp3\t1\tOne\ten", "ann\tb.mp3\t2\tTwo", f"ann\tb.mp3\t3\t{LATIN}\ten", "ann\t\t4\tFour\ten"]
    raw(folder / "train.tsv", COMMON_VOICE, *lines, "bob\tb\t5\tFive\ten", "bob\tc.mp3\t5\tSix\ten")
    text(folder / "clip_durations.tsv", "clip\tduration[ms]", "a.mp3\t100", "b.mp3\tlong", "unused.mp3")
    texts, skipped = read(folder)
    assert texts == ["One", "Six"] and list(skipped) == ["train.tsv:3", "train.tsv:4", "train.tsv:5", "train.tsv:6"]
    assert skipped["train.tsv:3"] == "5 fields wanted as in the header, found 4"
    assert skipped["train.tsv:4"] == "a table wanted, found bytes that are not UTF-8"
    assert skipped["train.tsv:6"].endswith("clip_durations.tsv:3: seconds wanted, found 'long'")


def test_librispeech(tmp_path):
    folder = librispeech(tmp_path)
    raw(
        folder / "dev-clean" / "84" / "7" / "84-7.trans.txt",
        "84-7-0001",
        f"84-7-0002 {LATIN}",
        "84-7-0000 GO",
        "84-7-0000 ON",
    )
    texts, skipped = read(folder, split="dev-clean")
    assert texts == ["GO"] and list(skipped) == [f"84-7.trans.txt:{number}" for number in (1, 2, 4)]
    assert skipped["84-7.trans.txt:4"] == "each once wanted, found '84-7-0000' again"


def test_ljspeech(tmp_path):
    folder = ljspeech(tmp_path)
    raw(folder / "metadata.csv", f"a|{LATIN}", "LJ001-0001|One|one", "b", "LJ001-0001|Two|two", "c| |")
    texts, skipped = read(folder)
    assert texts == ["one"] and list(skipped) == [f"metadata.csv:{number}" for number in (1, 3, 4, 5)]
    assert skipped["metadata.csv:5"] == "a text of 'c' wanted, found none"


def test_a_cell_without_a_text_is_no_silence(tmp_path):
    path = table(tmp_path, "path,text", "a.wav,one", "b.wav,", "c.wav,two")
    assert read(path) == (["one", "two"], {f"{path.name}:3": "a text wanted in column 'text', found none"})
    folder = common_voice(tmp_path / "cv")
    raw(folder / "train.tsv", COMMON_VOICE, "ann\ta.mp3\t1\t \ten", "ann\tb.mp3\t2\tTwo\ten")
    texts, skipped = read(folder)
    assert texts == ["Two"] and skipped == {"train.tsv:2": "a text wanted in column 'sentence', found none"}


def test_texts(tmp_path):
    folder = paired(tmp_path)
    raw(folder / "c.txt", "a line that is right", LATIN)
    audio(folder / "e.wav")
    raw(folder / "e.txt", " ")
    texts, skipped = read(folder)
    assert texts == ["good morning", "evening"]
    assert list(skipped) == ["c.wav", "e.wav"] and "c.txt:2: a text wanted, found bytes" in skipped["c.wav"]
    assert skipped["e.wav"].endswith("e.txt: a text wanted, found none")


def test_kaldi_counts_an_utterance_once_in_whichever_file_its_bad_line_is(tmp_path):
    keys = [f"u{number}" for number in range(8)]
    folder = kaldi(
        tmp_path,
        wav_scp=["r wav/r.wav", "gone sph2pipe r.sph |", "unused cat |"],
        text=[*(f"{key} {key}" for key in keys), "u0 again"],
        segments=[
            *(f"{key} r {number} {number + 1}" for number, key in enumerate(keys[:4])),
            "u4 gone 0 1",
            "u5 r 2 1",
        ],
    )
    raw(
        folder / "utt2spk",
        *(f"{key} ann" for key in keys[:2]),
        f"u2 {LATIN}",
        "u3",
        *(f"{key} ann" for key in keys[4:]),
    )
    texts, skipped = read(folder)
    assert texts == ["u0", "u1"]
    assert list(skipped) == [f"text:{number}" for number in range(3, 10)]
    reasons = [reason.rpartition("/")[2] for reason in skipped.values()]
    assert reasons[0] == "utt2spk:3: lines of an utterance and its speaker wanted, found bytes that are not UTF-8"
    assert reasons[1] == "utt2spk:4: an utterance and its speaker wanted, found 'u3'"
    assert "wav.scp:2: an audio file wanted, found a command" in skipped["text:5"]
    assert reasons[3] == "segments:6: an end after the start wanted, found 2 and 1"
    assert reasons[4:] == [
        "a segment of 'u6' wanted in segments, found none",
        "a segment of 'u7' wanted in segments, found none",
        "each once wanted, found 'u0' again",
    ]


def test_csv_after_a_bad_row_goes_on_in_the_next_line(tmp_path):
    path = table(tmp_path)
    raw(
        path,
        "path,text",
        'a.wav,"one',
        "a.wav,two",
        'a.wav,"three\nlines\nof it"',
        f'a.wav,"four\n{LATIN}\nfour"',
        "a.wav,five",
    )
    texts, skipped = read(path)
    assert texts == ["two", "three\nlines\nof it", "five"]
    assert list(skipped) == ["t.csv:2", "t.csv:7", "t.csv:8", "t.csv:9"]
    assert "found one that is none" in skipped["t.csv:2"] and "not UTF-8" in skipped["t.csv:8"]
    assert skipped["t.csv:7"].startswith("a quote that is closed wanted, found it open as far as line 8 (")


def test_rows_of_other_splits_are_not_counted(tmp_path):
    path = table(tmp_path, "path,text,duration,split", "a.wav,a,1,train", "a.wav,b,long,test", "a.wav,c,1,test")
    assert read(path, split="train") == (["a"], {})
    assert read(path, split="test") == (["c"], {"t.csv:3": "seconds wanted, found 'long'"})


def test_a_name_that_is_not_utf8_is_skipped(tmp_path):
    folder = paired(tmp_path)
    audio(folder / "a.wav")
    for ending in (".wav", ".txt"):
        try:
            os.rename(folder / f"c{ending}", folder / f"{LATIN}{ending}")
        except OSError:
            pytest.skip("this disk has no such names")
    texts, skipped = read(folder)
    assert texts == ["good morning", "evening"]
    assert list(skipped.values()) == ["a name in UTF-8 wanted, found other bytes"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            ["path,text", "a.wav", ",a"],
            r"utterances wanted, found 2 bad ones only, the first .*t\.csv:2: 2 fields wanted",
        ),
        ([f"path,{LATIN}", "a.wav,a"], r"t\.csv:1: a table wanted, found bytes that are not UTF-8"),
        (['path,"text', "a.wav,a"], r"t\.csv:1: a table's row wanted, found one that is none"),
        (["path,words", "a.wav,a"], r"a column of text wanted"),
        (["path,text", "b.wav,a", "b.wav"], r"audio wanted, none of 1 files is there"),
    ],
    ids=range(5),
)
def test_a_fault_of_the_whole_corpus_is_one_error(tmp_path, lines, message):
    with pytest.raises(InputError, match=message):
        read(raw(table(tmp_path), *lines), "csv")


@pytest.fixture
def configured(tmp_path):
    """A configuration whose training data is a table of the same audio, and that table's lines."""
    path = tiny.write_config(tmp_path)
    found = [json.loads(line) for line in (tmp_path / "train.jsonl").read_text().splitlines()]
    lines = ["path,text,speaker", *(f"{line['audio_filepath']},{line['text']},train" for line in found)]
    return load_config(path, ["data.train=[{kind: corpus, path: t.csv}]", "data.cache=none"]), lines


def test_bad_lines_count_among_what_a_training_may_skip(configured, tmp_path):
    settings, lines = configured
    text(tmp_path / "t.csv", *lines[:3], "train-0.wav", *lines[3:])
    ((name, reason),) = load_splits(settings).skipped
    assert name.endswith("t.csv:4") and reason == "3 fields wanted as in the header, found 1"
    text(tmp_path / "t.csv", *lines[:3], *["train-0.wav"] * 12, *lines[3:])
    with pytest.raises(InputError, match=r"data\.train: skipped 12 of 36 utterances: .*t\.csv:4 \(3 fields wanted"):
        load_splits(settings)


def test_a_look_at_the_data_shows_bad_lines(configured, tmp_path):
    settings, lines = configured
    text(tmp_path / "t.csv", *lines, "train-0.wav")
    assert [u.name for u in choose(settings)["train"].utterances][-1].endswith("t.csv:26")
