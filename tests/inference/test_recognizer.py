import json
import shutil
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import tiny
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import load_config
from pipeline.decoding.confidence import Calibration
from pipeline.decoding.transcript import Transcript, Word
from pipeline.errors import InputError
from pipeline.export.saved_model import export
from pipeline.inference import Endpoints, Recognizer
from pipeline.samples import as_samples
from pipeline.training.trainer import train

QUICK = Endpoints(after_speech=0.3, without_speech=1.0, longest=4.0)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recognizer")
    path = tiny.write_config(
        folder, training={"epochs": 20}, model={"units": 24}, data={"batch_size": 2}, features={"deltas": 1}
    )
    train(load_config(path), folder / "run")
    export(folder / "run", folder / "out")
    return folder / "out"


@pytest.fixture(scope="module")
def recognizer(exported):
    return Recognizer(exported, QUICK)


@pytest.fixture(scope="module")
def speech():
    """float32 [samples]: three utterances with pauses that end them."""
    random = np.random.default_rng(5)
    pause = 1e-3 * random.normal(size=tiny.RATE)
    parts = [part for text in ("abc", "ca", "b") for part in (tiny.tones(text, random), pause)]
    return np.concatenate([0.5 * pause, *parts]).astype(np.float32)


def follow(recognizer, audio, sizes):
    """What the results are of audio in pieces of these sizes, again and again."""
    results, begin, number = [], 0, 0
    while begin < len(audio):
        if recognizer.accept_waveform(audio[begin : begin + sizes[number % len(sizes)]]):
            while result := recognizer.result():
                results.append(result)
        begin, number = begin + sizes[number % len(sizes)], number + 1
    return [*results, recognizer.final()]


def test_utterances_in_a_stream_are_told_apart(recognizer, speech):
    results = follow(recognizer, speech, [800])
    assert len(results) == 4 and results[-1].text == ""
    begins = [words[0].start for words in (result.words for result in results[:3])]
    assert begins == sorted(begins)
    assert begins[1] > len(speech) / tiny.RATE / 4


@pytest.mark.parametrize("sizes", [[10**6], [1600], [1, 4000, 333], [37]], ids=str)
def test_the_size_of_the_pieces_changes_no_result(recognizer, speech, sizes):
    def flat(results):
        return [(word.word, word.start, word.end, word.confidence) for result in results for word in result.words]

    found, wanted = follow(recognizer, speech, sizes), follow(recognizer, speech, [800])
    texts = [result.text for result in found if result.text]
    assert texts == [result.text for result in wanted if result.text]
    for one, other in zip(flat(found), flat(wanted), strict=True):
        assert one[0] == other[0]
        assert one[1:] == pytest.approx(other[1:], abs=1e-4)


@pytest.mark.parametrize("size", [1, 160, 10**6])
def test_a_stream_scores_as_the_whole_does(recognizer, speech, size):
    audio = speech[:1500] if size == 1 else speech
    blocks = (audio[begin : begin + size] for begin in range(0, len(audio), size))
    pieces = np.concatenate(list(recognizer.log_probs_in_pieces(blocks)))
    np.testing.assert_allclose(pieces, recognizer.log_probs(audio), atol=1e-4)


def test_without_endpoints_a_stream_is_one_utterance(exported, speech):
    whole = Recognizer(exported, endpoints=None)
    assert not whole.accept_waveform(speech)
    assert whole.result() is None
    assert whole.final().text == whole.transcribe(speech).text


def test_a_partial_transcript_grows_to_the_result(recognizer, speech):
    stream = recognizer.stream()
    seen = []
    for begin in range(0, len(speech), 400):
        if stream.accept_waveform(speech[begin : begin + 400]):
            break
        seen.append(stream.partial().text)
    assert seen[0] == "" and any(seen)
    assert stream.result().text == seen[-1]


def test_a_partial_transcript_is_timed_and_as_sure_as_the_final_one(recognizer, speech):
    stream = recognizer.stream()
    audio = speech[: len(speech) // 4]
    stream.accept_waveform(audio)
    partial, final = stream.partial(), stream.final()
    assert partial.text == final.text != ""
    assert partial.confidence == pytest.approx(final.confidence, abs=0.05)
    for one, other in zip(partial.words, final.words, strict=True):
        assert one.confidence == pytest.approx(other.confidence, abs=0.05)
        assert (one.start, one.end) == pytest.approx((other.start, other.end), abs=0.05)


def test_what_is_too_unsure_is_answered_with_nothing(exported, speech):
    sure = Recognizer(exported).transcribe(speech)
    for least, text in ((sure.confidence, sure.text), (min(1.0, 1.001 * sure.confidence), "")):
        heard = Recognizer(exported, endpoints=None, least_confidence=least)
        heard.accept_waveform(speech)
        for transcript in (heard.transcribe(speech), heard.final()):
            assert transcript.text == text == " ".join(word.word for word in transcript.words)
            assert transcript.confidence == pytest.approx(sure.confidence, abs=1e-4)


def test_an_export_says_what_is_too_unsure_for_greedy_decoding(exported, speech, tmp_path):
    shutil.copytree(exported, tmp_path / "out")
    (tmp_path / "out" / "SHA256SUMS").unlink()
    replace(Recognizer(exported).about, least_confidence=1.0).save(tmp_path / "out")
    recognizer, text = Recognizer(tmp_path / "out"), Recognizer(exported).transcribe(speech).text
    assert recognizer.transcribe(speech).text == "" != text
    stream = recognizer.stream()
    stream.accept_waveform(speech[: len(speech) // 4])
    assert stream.partial().text == ""
    assert Recognizer(tmp_path / "out", least_confidence=0).transcribe(speech).text == text
    recognizer.decoder = lambda log_probs: Transcript("ab", 0.5, (Word("ab", 0.1, 0.3, 0.5),))
    assert recognizer.transcribe(speech).text == "ab"


def test_a_decoder_has_a_calibration_of_its_own(exported, speech):
    recognizer = Recognizer(exported)
    recognizer.decoder = lambda log_probs: Transcript("ab", 0.5, (Word("ab", 0.1, 0.3, 0.5),))
    recognizer.calibration = Calibration(word=(1.0, 2.0), utterance=(1.0, -2.0))
    transcript = recognizer.transcribe(speech)
    assert transcript.confidence == pytest.approx(recognizer.calibration.utterance_probability(0.5))
    assert transcript.words[0].confidence == pytest.approx(recognizer.calibration.word_probability(0.5))


def test_noise_is_less_sure_than_speech(recognizer):
    random = np.random.default_rng(1)
    speech = [recognizer.transcribe(tiny.tones(text, random)).confidence for text in ("abc", "ca", "bac", "cb")]
    noise = [recognizer.transcribe(loud * random.normal(size=16000)) for loud in (1e-3, 0.1, 0.5)]
    assert all(found.text == "" or found.confidence < min(speech) for found in noise)


@pytest.mark.parametrize("least", [-0.1, 1.5, float("nan"), "0.5"])
def test_a_least_confidence_of_no_use_is_refused(exported, least):
    with pytest.raises(InputError, match="least confidence: a number from 0 to 1 wanted, found"):
        Recognizer(exported, least_confidence=least)


def test_endpoints_of_another_type_are_refused(exported):
    with pytest.raises(InputError, match=r"endpoints: Endpoints or None wanted, found 0\.8"):
        Recognizer(exported, 0.8)


def test_what_final_gives_holds_what_nobody_asked_for(recognizer, speech):
    recognizer.accept_waveform(speech)
    joined = recognizer.final()
    assert joined.text.split() == [r.text for r in follow(recognizer, speech, [800]) if r.text]
    assert [word.start for word in joined.words] == sorted(word.start for word in joined.words)
    assert recognizer.final().text == ""  # and a new stream begins


def test_bytes_and_integers_are_heard_as_floats_are(recognizer, speech):
    integers = np.round(speech * 32767).astype(np.int16)
    assert recognizer.transcribe(integers.astype("<i2").tobytes()) == recognizer.transcribe(integers)
    assert recognizer.transcribe(integers).text == recognizer.transcribe(speech).text
    assert recognizer.transcribe(memoryview(integers)) == recognizer.transcribe(integers)
    assert recognizer.transcribe(memoryview(speech.astype(np.float32))) == recognizer.transcribe(speech)


def test_company_does_not_change_a_transcript(recognizer, speech):
    parts = [speech[: len(speech) // 3], speech[:100], speech]
    together, alone = recognizer.transcribe_all(parts), [recognizer.transcribe(part) for part in parts]
    assert [t.text for t in together] == [t.text for t in alone]
    assert [t.confidence for t in together] == pytest.approx([t.confidence for t in alone], abs=1e-4)
    assert recognizer.transcribe_all([]) == []


def test_an_utterance_ends_when_it_is_the_longest_allowed(exported):
    short = Recognizer(exported, Endpoints(after_speech=9.0, without_speech=9.0, longest=0.9))
    long = tiny.tones("abc" * 6, np.random.default_rng(5))  # 4 s without a pause
    results = [result for result in follow(short, long, [800]) if result.text]
    assert len(results) > 2
    assert all(result.words[-1].end - result.words[0].start <= 0.9 + 1e-6 for result in results)


@pytest.mark.parametrize("seconds", [-1, 0, float("nan"), "x", None, True])
def test_a_rule_without_sense_is_refused(seconds):
    with pytest.raises(InputError, match="endpoints: longest in seconds above 0 wanted"):
        Endpoints(longest=seconds)


def test_keywords_are_found_where_they_are(recognizer, speech):
    found = recognizer.spot(speech, ["B", "abc"])
    assert [detection.keyword for detection in found] == ["b", "abc"]
    for detection in found:
        assert 0 <= detection.score <= 1
        assert 0 <= detection.start < detection.end <= len(speech) / tiny.RATE
    assert recognizer.spot(speech, []) == []
    for keywords in ("abc", [5], [b"abc"]):
        with pytest.raises(InputError, match="a list of texts, the keywords, wanted"):
            recognizer.spot(speech, keywords)


@pytest.mark.parametrize("keyword", ["", "  ", "xylophone"])
def test_a_keyword_that_cannot_be_spelled_is_refused(recognizer, speech, keyword):
    with pytest.raises(InputError, match="keyword"):
        recognizer.spot(speech, [keyword])


def test_nothing_is_heard_in_nothing(recognizer):
    for audio in (b"", np.zeros(0), np.zeros(80), np.zeros(8000, np.int16)):
        assert recognizer.transcribe(audio).text == ""
        assert not recognizer.accept_waveform(audio)
        assert recognizer.partial().text == recognizer.final().text == ""


@settings(max_examples=30, deadline=None)
@given(st.lists(st.binary(max_size=700), max_size=6))
def test_any_bytes_are_heard_or_refused(recognizer, packets):
    stream = recognizer.stream()
    for packet in packets:
        if len(packet) % 2:
            with pytest.raises(InputError, match="two bytes"):
                stream.accept_waveform(packet)
        else:
            stream.accept_waveform(packet)
    assert isinstance(stream.final().text, str)


@pytest.mark.parametrize(
    "audio",
    [
        np.zeros((2, 9)),
        np.zeros(9, int),
        np.full(9, np.nan),
        np.full(9, 1e30),
        np.full(9, np.inf, np.float16),
        np.array([0.0, -12000.0]),  # of 16 bits, without their type
        [1, 2, 3],
        np.array(["a"]),
        np.zeros((3, 2, 1)),
        b"x",
    ],
)
def test_samples_that_are_no_audio_are_refused(recognizer, audio):
    for hear in (recognizer.transcribe, recognizer.accept_waveform, as_samples):
        with pytest.raises(InputError, match="audio: "):
            hear(audio)
    assert recognizer.final().text == ""


def test_memory_does_not_grow_with_a_stream(recognizer, speech):
    stream = recognizer.stream()

    def listen(times):
        for _ in range(times):
            for begin in range(0, len(speech), 4000):
                stream.accept_waveform(speech[begin : begin + 4000])
                while stream.result():
                    pass

    listen(3)
    tracemalloc.start()
    listen(2)
    before = tracemalloc.get_traced_memory()[0]
    listen(10)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 100_000  # the audio alone would be over a megabyte


def test_a_model_that_needs_the_whole_utterance_says_so(tmp_path, speech):
    path = tiny.write_config(tmp_path, training={"epochs": 1}, model={"bidirectional": True})
    train(load_config(path), tmp_path / "run")
    export(tmp_path / "run", tmp_path / "out")
    recognizer = Recognizer(tmp_path / "out")
    recognizer.transcribe(speech)
    with pytest.raises(InputError, match=r"model\.bidirectional = true"):
        recognizer.accept_waveform(speech)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(InputError, match="nowhere: an exported model's folder wanted"):
        Recognizer(tmp_path / "nowhere")


def test_a_folder_that_is_no_export_is_named(tmp_path):
    with pytest.raises(InputError, match=r"no saved_model\.pb"):
        Recognizer(tmp_path)


@pytest.mark.parametrize("file", ["units.txt", "model.json"])
def test_what_would_only_show_in_wrong_texts_is_named(exported, tmp_path, file):
    shutil.copytree(exported, tmp_path / "out")
    path = tmp_path / "out" / "assets" / file
    path.write_text(path.read_text().translate(str.maketrans("ab", "ba")))
    with pytest.raises(InputError, match=rf"{file}: damaged, or not of this export"):
        Recognizer(tmp_path / "out")


def test_a_damaged_export_is_named(exported, tmp_path):
    shutil.copytree(exported, tmp_path / "out")
    (tmp_path / "out" / "SHA256SUMS").unlink()  # which would name any of these
    units = (tmp_path / "out" / "assets" / "units.txt").read_text()
    (tmp_path / "out" / "assets" / "units.txt").write_text(units.removesuffix("c\n"))
    with pytest.raises(InputError, match=r"units\.txt: the model's 4 units wanted, found 3"):
        Recognizer(tmp_path / "out")
    (tmp_path / "out" / "assets" / "units.txt").write_text(units)
    with pytest.raises(InputError, match="runtime 'foo': one of tensorflow, litert wanted"):
        Recognizer(tmp_path / "out", runtime="foo")
    fingerprint = (tmp_path / "out" / "fingerprint.pb").read_bytes()
    (tmp_path / "out" / "fingerprint.pb").write_bytes(b"damaged")
    with pytest.raises(InputError, match="damaged export"):
        Recognizer(tmp_path / "out")
    (tmp_path / "out" / "fingerprint.pb").write_bytes(fingerprint)
    (tmp_path / "out" / "saved_model.pb").write_bytes(b"damaged")
    with pytest.raises(InputError, match="damaged export"):
        Recognizer(tmp_path / "out")
    about = json.loads((tmp_path / "out" / "assets" / "model.json").read_text())
    for text in (None, {"lower": True}, {"remove": 5}):
        (tmp_path / "out" / "assets" / "model.json").write_text(json.dumps({**about, "text": text}))
        with pytest.raises(InputError, match=r"model\.json: not as this version exports it"):
            Recognizer(tmp_path / "out")
    (tmp_path / "out" / "assets" / "model.json").write_text('{"sample_rate": 8000}')
    with pytest.raises(InputError, match=r"model\.json: not as this version exports it"):
        Recognizer(tmp_path / "out")
