import json
import os

import pytest
from tiny_corpora import RATE, audio, paired

from pipeline.data.corpora import Entry, read_corpus, write_manifest
from pipeline.data.manifest import read_manifest
from pipeline.errors import InputError


def manifest(entries, path):
    write_manifest(entries, path)
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_manifest_of_a_corpus_is_read_back(tmp_path):
    folder = paired(tmp_path / "corpus")
    entries = read_corpus(folder)
    write_manifest(entries, tmp_path / "m.jsonl")
    found = read_manifest(tmp_path / "m.jsonl", RATE)
    assert [(os.path.realpath(u.name), u.transcript, u.speaker) for u in found] == [
        (os.path.realpath(entry.audio), entry.text, entry.speaker) for entry in entries
    ]


def test_paths_in_a_manifest_are_relative_unless_only_the_root_is_shared(tmp_path):
    folder = tmp_path / "lists"
    folder.mkdir()
    names = (f"{folder}/a.wav", f"{folder}/sub/b.wav", f"{tmp_path}/audio/c.wav", "/elsewhere/d.wav")
    lines = manifest([Entry(name, "x") for name in names], folder / "m.jsonl")
    assert [line["audio_filepath"] for line in lines] == ["a.wav", "sub/b.wav", "../audio/c.wav", "/elsewhere/d.wav"]


def test_paths_in_a_manifest_hold_where_folders_are_links(tmp_path):
    file = audio(tmp_path / "audio" / "a.wav")
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "deep" / "er")
    (line,) = manifest([Entry(file, "x")], tmp_path / "link" / "m.jsonl")
    assert (tmp_path / "link" / line["audio_filepath"]).exists()


def test_a_part_of_a_file_has_offset_and_duration(tmp_path):
    entries = [
        Entry("/a.wav", "é", "ann", 9.0, 0.1, 0.4),
        Entry("/a.wav", "b", None, 1.5, 2.0, None),
        Entry("/b.wav", ""),
    ]
    assert manifest(entries, tmp_path / "m.jsonl") == [
        {"audio_filepath": "/a.wav", "text": "é", "offset": 0.1, "duration": 0.3, "speaker": "ann"},
        {"audio_filepath": "/a.wav", "text": "b", "offset": 2.0, "duration": 1.5},
        {"audio_filepath": "/b.wav", "text": ""},
    ]


def test_a_manifest_that_cannot_be_written_is_told(tmp_path):
    with pytest.raises(InputError, match="a manifest to write wanted, no such file or directory"):
        write_manifest([], tmp_path / "none" / "m.jsonl")
