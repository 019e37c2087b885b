import json
import pickle

import numpy as np
import pytest
import soundfile

from pipeline.config import Config, Speakers, SynthesisSource
from pipeline.data import sources
from pipeline.data.manifest import read_manifest
from pipeline.data.synthesis_source import synthesize
from pipeline.data.utterances import Skipped
from pipeline.errors import InputError

RATE = 8000
DIGITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


def write(path, seconds=0.5, rate=RATE):
    soundfile.write(path, 0.1 * np.sin(np.arange(int(seconds * rate)) / 5), rate)
    return path


def manifest(folder, *lines):
    path = folder / "m.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def settings(folder, *train):
    source = {"kind": "manifest", "path": "m.jsonl"}
    values = {"name": "tiny", "features": {"sample_rate": RATE, "n_fft": 256}}
    data = {"folder": str(folder), "train": list(train) or [source], "valid": [source]}
    return Config.model_validate({**values, "data": data})


def test_paths_are_relative_to_the_manifest_or_absolute(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    absolute = write(tmp_path / "elsewhere" / "b.wav")
    (tmp_path / "set").mkdir()
    write(tmp_path / "set" / "a.wav")
    path = manifest(
        tmp_path / "set",
        {"audio_filepath": "a.wav", "text": "a"},
        {"audio_filepath": str(absolute), "text": "b"},
        {"audio_filepath": "../elsewhere/b.wav", "text": "c"},
    )
    assert [len(utterance.load()) for utterance in read_manifest(path, RATE)] == [4000] * 3


def test_audio_comes_at_the_models_rate(tmp_path):
    write(tmp_path / "a.wav", rate=16000)
    path = manifest(tmp_path, {"audio_filepath": "a.wav", "text": "Hi", "speaker": 7})
    (utterance,) = read_manifest(path, RATE)
    assert (utterance.transcript, utterance.speaker, utterance.samples) == ("Hi", "7", 4000)
    assert len(utterance.load()) == 4000 and utterance.load().dtype == np.float32


def test_an_empty_speaker_is_none(tmp_path):
    write(tmp_path / "a.wav")
    (utterance,) = read_manifest(manifest(tmp_path, {"audio_filepath": "a.wav", "text": "Hi", "speaker": ""}), RATE)
    assert utterance.speaker is None


def test_a_duration_is_believed_until_the_file_is_read(tmp_path):
    path = manifest(tmp_path, {"audio_filepath": "missing.wav", "text": "a", "duration": 1.25})
    (utterance,) = read_manifest(path, RATE)
    assert (utterance.samples, utterance.speaker) == (10000, None)
    with pytest.raises(InputError, match=r"missing\.wav: no such file"):
        utterance.load()


def test_a_file_that_cannot_be_opened_does_not_hold_up_the_others(tmp_path):
    (tmp_path / "bad.wav").write_bytes(b"no audio")
    write(tmp_path / "a.wav")
    lines = ({"audio_filepath": name, "text": "a"} for name in ("bad.wav", "a.wav"))
    assert [utterance.samples for utterance in read_manifest(manifest(tmp_path, *lines), RATE)] == [0, 4000]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "a JSON object wanted, found '{'"),
        ('"text"', "a JSON object wanted"),
        ("{}", "'audio_filepath' with a string wanted, found None"),
        ('{"audio_filepath": "a.wav"}', "'text' with a string wanted, found None"),
        ('{"audio_filepath": "a", "text": "", "speaker": ["ann"]}', "'speaker' with a string or a number wanted"),
        ('{"audio_filepath": "a.wav", "text": "a", "duration": -1}', "'duration' in seconds wanted, found -1"),
        ('{"audio_filepath": "a.wav", "text": "a", "duration": true}', "'duration' in seconds wanted, found True"),
        ('{"audio_filepath": "a.wav", "text": "a", "duration": Infinity}', "'duration' in seconds wanted, found inf"),
        ('{"audio_filepath": "a.wav", "text": "a", "duration": 1e305}', r"'duration' in seconds wanted, found 1e\+305"),
        ("[" * 100_000, "a JSON object wanted"),
        (r'{"audio_filepath": "a.wav", "text": "a\ud800b"}', "'text' with characters wanted"),
        (r'{"audio_filepath": "a\u0000.wav", "text": "a"}', "'audio_filepath' with characters wanted"),
    ],
    ids=range(12),
)
def test_a_bad_line_is_named_by_file_and_number(tmp_path, line, message):
    path = tmp_path / "m.jsonl"
    path.write_text('{"audio_filepath": "a.wav", "text": "a", "duration": 1}\n\n' + line + "\n")
    with pytest.raises(InputError, match=rf"m\.jsonl:3: {message}"):
        read_manifest(path, RATE)


def test_a_line_in_another_encoding_is_a_bad_line_and_a_byte_order_mark_is_none(tmp_path):
    line = '{"audio_filepath": "a.wav", "text": "%s", "duration": 1}\n'
    (tmp_path / "m.jsonl").write_bytes(b"\xef\xbb\xbf" + (line % "a").encode() + (line % "\xe9").encode("latin-1"))
    (kept,) = read_manifest(tmp_path / "m.jsonl", RATE, skipped=(skipped := Skipped()))
    assert kept.transcript == "a" and [name[-9:] for name, _ in skipped] == ["m.jsonl:2"]


def test_an_utterance_travels_without_the_texts_of_the_others(tmp_path):
    line = '{"audio_filepath": "a.wav", "text": "%d", "duration": 1}\n'
    (tmp_path / "m.jsonl").write_text("".join(line % number for number in range(2000)))
    assert len(pickle.dumps(read_manifest(tmp_path / "m.jsonl", RATE)[7])) < 2000


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        (b"", "at least one line"),
        (b"\n \n", "at least one line"),
        (b"\xff\xfe{", "in UTF-8 wanted"),
    ],
)
def test_a_manifest_that_is_missing_empty_or_binary_is_named(tmp_path, content, message):
    path = tmp_path / "m.jsonl"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=rf"m\.jsonl:.*{message}"):
        read_manifest(path, RATE)


def test_a_source_gives_the_speakers_that_are_chosen(tmp_path):
    manifest(tmp_path, *({"audio_filepath": "a", "text": s, "speaker": s, "duration": 1} for s in ("ann", "bob")))
    chosen = {"kind": "manifest", "path": "m.jsonl", "speakers": {"exclude": ["bob"]}}
    configured = settings(tmp_path, chosen)
    assert [u.speaker for u in sources.read(configured.data.train, configured, "train")(0)] == ["ann"]


def test_a_source_that_gives_nothing_is_named(tmp_path):
    manifest(tmp_path, {"audio_filepath": "a", "text": "a", "speaker": "ann", "duration": 1})
    chosen = {"kind": "manifest", "path": "m.jsonl", "speakers": {"exclude": ["ann"]}}
    configured = settings(tmp_path, {"kind": "manifest", "path": "m.jsonl"}, chosen)
    with pytest.raises(InputError, match=r"data\.train\.1: no utterance is left"):
        sources.read(configured.data.train, configured, "train")


def test_joined_strings_are_new_in_each_epoch_and_the_same_when_it_comes_again(tmp_path):
    lines = ({"audio_filepath": "a", "text": word, "speaker": "ann", "duration": 1} for word in DIGITS)
    manifest(tmp_path, *lines)
    configured = settings(tmp_path, {"kind": "manifest", "path": "m.jsonl", "join": {"utterances": 9}})

    def transcripts(epoch, split="train"):
        return [u.transcript for u in sources.read(configured.data.train, configured, split)(epoch)]

    assert transcripts(1) == transcripts(1)
    assert transcripts(1) != transcripts(2)
    assert transcripts(1) != transcripts(1, "valid")


def synthesis(**options):
    return SynthesisSource(kind="synthesis", **{"phrases": ["(yes|no)"], "utterances": 3, **options})


def test_synthesis_is_the_same_for_the_same_seed_and_split():
    def spoken(seed, stream):
        return [(u.name, u.load().tobytes()) for u in synthesize(synthesis(), RATE, seed, stream)]

    first = spoken(1, "train.0")
    assert first == spoken(1, "train.0")
    assert first != spoken(2, "train.0")
    assert first != spoken(1, "valid.0")


def test_synthesis_speaks_every_phrase_before_any_comes_again():
    utterances = synthesize(synthesis(utterances=4), RATE, 0, "train.0")
    assert {u.transcript for u in utterances[:2]} == {u.transcript for u in utterances[2:]} == {"yes", "no"}
    for utterance in utterances:
        audio = utterance.load()
        assert len(audio) == utterance.samples and np.abs(audio).max() > 0.01


def voices(utterances):
    """Accent and variant of each, as the names tell."""
    return [tuple(utterance.name.removesuffix(")").rpartition(" ")[2].split("+")) for utterance in utterances]


def test_a_synthesized_speaker_is_the_variant_in_whatever_accent():
    source = synthesis(utterances=12, accents=["en-us", "en-gb", "en-029"], speakers=Speakers(include=["f3"]))
    utterances = synthesize(source, RATE, 0, "train.0")
    assert {utterance.speaker for utterance in utterances} == {"f3"}
    assert {variant for _, variant in voices(utterances)} == {"f3"}
    assert len({accent for accent, _ in voices(utterances)}) > 1


def test_shares_of_synthesized_speakers_have_no_variant_in_common():
    parts = []
    for share in ((0.0, 0.5), (0.5, 1.0)):
        utterances = synthesize(synthesis(utterances=30, speakers=Speakers(share=share)), RATE, 0, "train.0")
        assert [utterance.speaker for utterance in utterances] == [variant for _, variant in voices(utterances)]
        parts.append({utterance.speaker for utterance in utterances})
    assert all(parts) and not parts[0] & parts[1]


def test_a_variant_that_does_not_exist_is_named():
    with pytest.raises(InputError, match="'f99' does not occur"):
        synthesize(synthesis(speakers=Speakers(exclude=["f99"])), RATE, 0, "train.0")
