import csv
import hashlib
import os
import re
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_corpora import audio, commands, common_voice, kaldi, librispeech, ljspeech, paired, table, text

from pipeline.config import CorpusSource
from pipeline.data import corpora
from pipeline.data.corpora import Entry, detect_format, read_corpus, speech_commands
from pipeline.errors import InputError


def test_librispeech_has_subsets_of_speakers_of_chapters(tmp_path):
    folder = librispeech(tmp_path)
    chapter = folder / "dev-clean" / "84" / "7"
    assert read_corpus(folder, split="dev-clean") == [
        Entry(f"{chapter}/84-7-0000.flac", "GO ON", "84"),
        Entry(f"{chapter}/84-7-0001.flac", "DON'T STOP", "84"),
    ]
    assert [entry.speaker for entry in read_corpus(folder, split="dev-other+dev-clean")] == ["116"] * 2 + ["84"] * 2
    assert len(read_corpus(folder)) == 6


def test_librispeech_is_found_by_its_parent_and_a_subset_stands_alone(tmp_path):
    folder = librispeech(tmp_path)
    assert read_corpus(tmp_path) == read_corpus(folder)
    subset = folder / "dev-other"
    assert read_corpus(subset) == read_corpus(subset, split="dev-other") == read_corpus(folder, split="dev-other")


def test_librispeech_converted_to_another_format_is_found(tmp_path):
    folder = librispeech(tmp_path)
    file = folder / "dev-clean" / "84" / "7" / "84-7-0001.flac"
    audio(file.with_suffix(".ogg"))
    file.unlink()
    assert [entry.audio[-4:] for entry in read_corpus(folder, split="dev-clean")] == ["flac", ".ogg"]


def test_ljspeech_gives_the_normalized_text_where_there_is_one(tmp_path):
    folder = ljspeech(tmp_path / "LJSpeech-1.1", 'LJ001-0001|"5" of|five of', "LJ001-0002|two|", "LJ001-0003|three")
    assert detect_format(folder) == "ljspeech"
    entries = read_corpus(folder)
    assert [(os.path.basename(e.audio), e.text, e.speaker) for e in entries] == [
        ("LJ001-0001.wav", "five of", "LJSpeech-1.1"),
        ("LJ001-0002.wav", "two", "LJSpeech-1.1"),
        ("LJ001-0003.wav", "three", "LJSpeech-1.1"),
    ]


def test_common_voice_has_a_table_for_each_split(tmp_path):
    rows = ["ann\ta.mp3\t1\tHi, all\ten", "bob\tb.mp3\t2\tNo.\ten"]
    folder = common_voice(tmp_path, train=rows[:1], test=rows[1:], validated=rows, other=["eve\tc.mp3\t3\tx\ten"])
    text(folder / "clip_durations.tsv", "clip\tduration[ms]", "a.mp3\t1500")
    text(folder / "reported.tsv", "sentence\treason", "Hi\tno")
    assert detect_format(folder) == "common_voice"
    assert read_corpus(folder, split="train") == [Entry(f"{folder}/clips/a.mp3", "Hi, all", "ann", 1.5)]
    assert read_corpus(folder) == read_corpus(folder, split="validated") == read_corpus(folder, split="train+test")
    assert read_corpus(folder / "test.tsv") == read_corpus(folder, split="test")
    with pytest.raises(InputError, match="no split 'tests'; did you mean test\\? there are other, test, train, valid"):
        read_corpus(folder, split="tests")


def test_common_voice_without_the_validated_table_is_its_three_splits(tmp_path):
    folder = common_voice(
        tmp_path, train=["\ta\t1\tone\ten"], test=["\tb.mp3\t2\ttwo\ten"], other=["\tc.mp3\t3\tsix\ten"]
    )
    assert [(os.path.basename(e.audio), e.text, e.speaker) for e in read_corpus(folder)] == [
        ("a.mp3", "one", None),
        ("b.mp3", "two", None),
    ]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ('"Yes" and "no".', '"Yes" and "no".'),
        ('"Whole."', '"Whole."'),
        ('"""Early"" release"', '"Early" release'),
        ('"', '"'),
        ('""', '""'),
        ('5" | 6\\n', '5" | 6\\n'),
    ],
)
def test_common_voice_tells_text_from_the_quotes_of_early_releases(tmp_path, written, meant):
    folder = common_voice(tmp_path, train=[f"ann\ta.mp3\t1\t{written}\ten"])
    assert [entry.text for entry in read_corpus(folder)] == [meant]


def test_kaldi_recordings_have_texts_speakers_and_durations(tmp_path):
    folder = kaldi(tmp_path, wav_scp=["r1  wav/r.wav", "r2\t/no/my file.wav"], text=["r1 hello\tthere ", "r2"])
    text(folder / "utt2spk", "r1 ann", "r2 bob")
    text(folder / "utt2dur", "r1 3.0")
    assert detect_format(folder) == "kaldi"
    assert read_corpus(folder) == [
        Entry(f"{folder}/wav/r.wav", "hello\tthere", "ann", 3.0),
        Entry("/no/my file.wav", "", "bob"),
    ]


def test_kaldi_segments_are_parts_of_recordings(tmp_path):
    folder = kaldi(
        tmp_path,
        text=["u1 one", "u2 two"],
        utt2spk=["u1 ann", "u2 ann"],
        segments=["u1 r1 0.1 0.4", "u2 r1 1.5 -1", "u3 r1 0 1"],
    )
    file = f"{folder}/wav/r.wav"
    assert read_corpus(folder) == [
        Entry(file, "one", "ann", 0.3, 0.1, 0.4),
        Entry(file, "two", "ann", None, 1.5, None),
    ]
    text(folder / "reco2dur", "r1 3.0")
    assert read_corpus(folder)[1] == Entry(file, "two", "ann", 1.5, 1.5, None)


def test_kaldi_paths_may_be_relative_to_where_the_recipe_runs(tmp_path):
    audio(tmp_path / "corpus" / "r.wav")
    folder = kaldi(tmp_path / "data" / "train", wav_scp=["r1 corpus/r.wav"])
    assert [entry.audio for entry in read_corpus(folder)] == [str(tmp_path / "corpus" / "r.wav")]


def test_speech_commands_are_split_by_the_speakers_hash(tmp_path):
    folder = commands(tmp_path)
    assert detect_format(folder) == "speech_commands"
    assert [(e.text, e.speaker) for e in read_corpus(folder, split="testing")] == [("dog", "bb05582b")] * 2
    assert [(e.text, e.speaker) for e in read_corpus(folder, split="validation")] == [
        ("cat", "a69b9b3e"),
        ("cat", "f17be97f"),
    ]
    assert len(read_corpus(folder)) == 4


def test_speech_commands_own_lists_go_before_the_hash(tmp_path):
    folder = commands(tmp_path)
    text(folder / "validation_list.txt", "dog/bb05582b_nohash_4.opus")
    text(folder / "testing_list.txt", "cat/f17be97f_nohash_1.wav")
    found = {split: [e.audio[-12:] for e in read_corpus(folder, split=split)] for split in speech_commands.SPLITS}
    assert found == {
        "training": ["nohash_0.wav", "nohash_3.wav"],
        "validation": ["nohash_4.wav"],
        "testing": ["nohash_1.wav"],
    }


def test_lists_may_hold_words_that_are_not_there_but_nothing_that_is_no_recording(tmp_path):
    folder = commands(tmp_path)
    text(folder / "validation_list.txt", "bird/a69b9b3e_nohash_0.wav", "cat/a69b9b3e_nohash_0.wav")
    with pytest.raises(InputError, match=r"validation_list\.txt and testing_list\.txt wanted, found validation_list"):
        read_corpus(folder)
    text(folder / "testing_list.txt", "cat/f17be97f_nohash_1.wav", "")
    assert len(read_corpus(folder, split="validation")) == len(read_corpus(folder, split="testing")) == 1
    absent = ("cat/f17be97f_nohash_9.wav", "CAT/f17be97f_nohash_1.wav")
    for line in (
        *absent,
        "garbage",
        "cat\\f17be97f_nohash_1.wav",
        "./cat/f17be97f_nohash_1.wav",
        "cat/f17be97f_nohash_1.wav.bak",
    ):
        text(folder / "testing_list.txt", "dog/bb05582b_nohash_3.wav", line)
        told = "that is there" if line in absent else "as WORD/FILE"
        with pytest.raises(InputError, match=rf"testing_list\.txt:2: a recording {told} wanted, found '"):
            read_corpus(folder, split="training")


@pytest.mark.parametrize(
    ("speaker", "split"),
    [
        # From the lists of the set, version 0.02.
        *((speaker, "validation") for speaker in ("a69b9b3e", "439c84f4", "dbaf8fc6", "f17be97f", "c4cfbe43")),
        *((speaker, "testing") for speaker in ("bb05582b", "c9b5ff26", "a7216980", "5170b77f", "0c40e715")),
        *((speaker, "training") for speaker in ("0a7c2a8d", "00f0204f", "004ae714")),
    ],
)
def test_the_hash_gives_the_published_split(speaker, split):
    assert speech_commands.split_of(speaker) == split


@settings(max_examples=50)
@given(st.text(st.characters(codec="utf-8"), max_size=12))
def test_the_hash_is_that_of_the_published_function(speaker):
    hashed = int(hashlib.sha1(re.sub(r"_nohash_.*$", "", speaker + "_nohash_0.wav").encode()).hexdigest(), 16)
    percentage = (hashed % 134217728) * (100.0 / 134217727)
    wanted = "validation" if percentage < 10 else "testing" if percentage < 20 else "training"
    assert speech_commands.split_of(speaker) == wanted


def test_noise_is_cut_into_seconds_that_are_divided_and_do_not_overlap(tmp_path):
    folder = commands(tmp_path)
    file = audio(folder / "_background_noise_" / "tap.wav", 20.7)
    pieces = {
        split: [entry for entry in read_corpus(folder, split=split) if not entry.text]
        for split in speech_commands.SPLITS
    }
    assert [len(pieces[split]) for split in speech_commands.SPLITS] == [16, 2, 2]
    starts = [entry.start for split in speech_commands.SPLITS for entry in pieces[split]]
    assert starts == list(range(20))
    assert pieces["testing"][0] == Entry(file, "", "tap_testing", 1.0, 18.0, 19.0)
    assert [entry for entry in read_corpus(folder) if not entry.text] == [
        entry for split in speech_commands.SPLITS for entry in pieces[split]
    ]


def test_noise_that_cannot_be_read_is_left_to_the_reading(tmp_path):
    folder = commands(tmp_path)
    text(folder / "_background_noise_" / "bad.wav", "no audio")
    text(folder / "_background_noise_" / "README.md", "about")
    assert read_corpus(folder)[-1] == Entry(f"{folder}/_background_noise_/bad.wav", "", "bad_training")


def test_silence_of_the_test_archive_has_no_text(tmp_path):
    folder = commands(tmp_path)
    audio(folder / "_silence_" / "tap_nohash_0.wav")
    audio(folder / "_unknown_" / "bed_nohash_0.wav")
    assert [entry.text for entry in read_corpus(folder)] == ["", "_unknown_", "cat", "cat", "dog", "dog"]


def test_a_tables_columns_have_several_names(tmp_path):
    path = table(
        tmp_path, "\ufeffSpeaker, Audio_FilePath,duration,Transcript", 'ann,a.wav,1.5,"Hi, all"', ",/b.wav,,no"
    )
    assert detect_format(path) == "csv"
    assert read_corpus(path) == [Entry(f"{tmp_path}/a.wav", "Hi, all", "ann", 1.5), Entry("/b.wav", "no")]
    assert read_corpus(tmp_path, "csv") == read_corpus(path)


@pytest.mark.parametrize(
    ("name", "delimiter"), [("t.csv", ","), ("t.csv", ";"), ("t.csv", "|"), ("t.csv", "\t"), ("t.tsv", "\t")]
)
def test_a_tables_delimiter_is_found(tmp_path, name, delimiter):
    rows = (["file", "text", "a,b;c|d"], ["a.wav", "x, y; z", ""])
    path = table(tmp_path, *(delimiter.join(f'"{field}"' for field in row) for row in rows), name=name)
    assert [entry.text for entry in read_corpus(path)] == ["x, y; z"]


def test_a_tables_column_of_splits_is_asked(tmp_path):
    path = table(tmp_path, "path,label,split", "a.wav,one,train", "b.wav,two,dev", "c.wav,three,train")
    assert [entry.text for entry in read_corpus(path, split="train")] == ["one", "three"]
    assert [entry.text for entry in read_corpus(path)] == ["one", "two", "three"]
    with pytest.raises(InputError, match=r"t\.csv: there is no split 'trian'; did you mean train\? there are dev, tra"):
        read_corpus(path, split="trian")


def test_texts_lie_beside_audio_in_the_folders_of_speakers(tmp_path, caplog):
    folder = paired(tmp_path)
    audio(folder / "z.wav")
    assert detect_format(folder) == "texts"
    assert read_corpus(folder) == [
        Entry(f"{folder}/c.wav", "night"),
        Entry(f"{folder}/ann/a.wav", "good morning", "ann"),
        Entry(f"{folder}/ann/more/b.flac", "evening", "more"),
    ]
    assert caplog.messages == [f"{folder}: an audio file without a text is left out: z.wav"]
    for name in ("ann/w.wav", "x.wav", "y.wav"):
        audio(folder / name)
    read_corpus(folder)
    assert caplog.messages[1] == f"{folder}: 4 audio files without a text are left out: x.wav, y.wav, z.wav, ..."


@settings(max_examples=50)
@given(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20).filter(str.strip),
        min_size=1,
        max_size=5,
    ),
    st.sampled_from([(",", ".csv"), ("\t", ".tsv"), (";", ".csv"), ("|", ".csv")]),
)
def test_any_text_comes_out_of_a_table_as_it_went_in(tmp_path_factory, texts, kind):
    delimiter, ending = kind
    folder = tmp_path_factory.mktemp("table")
    path = (folder / "t").with_suffix(ending)
    audio(folder / "0.wav")
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerows([["path", "text"], *([f"{number}.wav", line] for number, line in enumerate(texts))])
    assert [entry.text for entry in read_corpus(path)] == texts


LINE = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n\t"), min_size=1, max_size=20).filter(str.strip)


@settings(max_examples=25)
@given(st.lists(LINE, min_size=1, max_size=5))
def test_any_line_comes_out_of_tables_without_quotes_as_it_went_in(tmp_path_factory, lines):
    root = tmp_path_factory.mktemp("lines")
    voice = common_voice(root / "cv", train=[f"ann\ta.mp3\t1\t{line}\ten" for line in lines])
    doubled = re.compile(r'"(?=.*"")([^"]|"")*"')  # what early releases quoted
    expected = [line if not doubled.fullmatch(line) else line[1:-1].replace('""', '"') for line in lines]
    assert [entry.text for entry in read_corpus(voice)] == expected
    numbers = range(len(lines))
    data = kaldi(
        root / "kaldi",
        wav_scp=[f"u{n} wav/r.wav" for n in numbers],
        utt2spk=[f"u{n} ann" for n in numbers],
        text=[f"u{n} {line}" for n, line in zip(numbers, lines, strict=True)],
    )
    assert [entry.text for entry in read_corpus(data)] == [line.strip() for line in lines]


def test_every_format_of_the_configuration_is_read():
    literal, _ = get_args(CorpusSource.model_fields["format"].annotation)
    assert set(corpora.FORMATS) == set(get_args(literal))


def test_real_speech_commands_are_split_by_speakers(real_data):
    folder = real_data / "speech_commands_words"
    if not folder.is_dir():
        pytest.skip(f"real speech wanted in {folder}, there is none")
    splits = {split: read_corpus(folder, split=split) for split in speech_commands.SPLITS}
    assert {split: len(entries) for split, entries in splits.items()} == {
        "training": 4112,
        "validation": 554,
        "testing": 522,
    }
    assert {entry.text for entry in splits["testing"]} == {"bed", "cat", "happy"}
    speakers = [{entry.speaker for entry in entries} for entries in splits.values()]
    assert sum(map(len, speakers)) == len(set.union(*speakers))
