"""Speech synthesized by espeak-ng: the same every time, audible in every voice, and of the asked rate and speed."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import SynthesisSource
from pipeline.data import synthesis
from pipeline.errors import InputError

ACCENTS = SynthesisSource.model_fields["accents"].default
TEXT = "turn on the light"
RATE = 16000


def test_a_phrase_expands_to_every_combination():
    assert synthesis.expand("turn (on|off) the (light|fan)") == [
        "turn on the light",
        "turn on the fan",
        "turn off the light",
        "turn off the fan",
    ]


def test_a_phrase_without_alternatives_is_itself():
    assert synthesis.expand("  stop   now ") == ["stop now"]


def test_an_empty_alternative_makes_the_others_optional():
    assert synthesis.expand("(please|) stop (it|)") == ["please stop it", "please stop", "stop it", "stop"]


def test_equal_texts_are_given_once():
    assert synthesis.expand("(go|go) on") == ["go on"]


words = st.text(alphabet="abc", min_size=1, max_size=4)


@given(st.lists(st.lists(words, min_size=1, max_size=3, unique=True), min_size=1, max_size=4))
def test_expansion_has_the_product_of_the_choices(choices):
    texts = synthesis.expand(" ".join(f"({'|'.join(choice)})" for choice in choices))
    assert len(texts) == np.prod([len(choice) for choice in choices])
    assert all(len(text.split()) == len(choices) for text in texts)


@pytest.mark.parametrize(
    "phrase", ["turn (on|off", "turn on)", "a (b (c|d))", "turn () on", "turn (|)", "a|b", "(a|)", ""]
)
def test_a_malformed_phrase_is_named(phrase):
    with pytest.raises(InputError, match="phrase") as caught:
        synthesis.expand(phrase)
    assert repr(phrase) in str(caught.value)


def test_a_phrase_that_stands_for_more_than_memory_holds_is_refused():
    with pytest.raises(
        InputError, match=r"phrase '\(a\|b\) .*': at most 100,000 texts of one wanted, found 67,108,864"
    ):
        synthesis.expand("(a|b) " * 26)


def test_voices_are_sorted_and_different():
    voices = synthesis.voices(["en-us", "en-gb", "en-us"])
    assert voices == sorted(set(voices))
    assert {"en-us+f3", "en-gb+m1"} <= set(voices)
    assert len(voices) > 100
    assert voices == synthesis.voices(["en-gb", "en-us"])


def test_voices_leave_out_what_no_human_sounds_like():
    assert not {"en-us+whisper", "en-us+robosoft3", "en-us+klatt6"} & set(synthesis.voices(["en-us"]))


def test_left_out_variants_exist():
    assert synthesis._variants() >= (synthesis._UNNATURAL_VARIANTS | synthesis._COPIED_VARIANTS)


@pytest.mark.parametrize(
    ("accent", "right"), [("en-uss", "en-us"), ("en-scotland", "en-gb-scotland"), ("en-GB", "en-gb")]
)
def test_an_unknown_accent_is_named_with_the_nearest(accent, right):
    with pytest.raises(InputError, match=f"accent '{accent}'.*nearest: .*{right}"):
        synthesis.voices(["en-us", accent])


def test_the_same_arguments_give_the_same_samples_after_other_calls():
    for voice in ["en-us+f3", "en-gb+m1", "en-us+croak", "en-029+adam", "en-us+f4"]:
        first = synthesis.synthesize(TEXT, voice, RATE)
        synthesis.synthesize("something else entirely", "en-gb-scotland+Andrea", RATE, 200, 70)
        np.testing.assert_array_equal(synthesis.synthesize(TEXT, voice, RATE), first, err_msg=voice)


def test_another_process_gives_the_same_samples():
    code = (
        "from pipeline.data import synthesis; import sys;"
        f"sys.stdout.buffer.write(synthesis.synthesize({TEXT!r}, 'en-us+f3', {RATE}).tobytes())"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    np.testing.assert_array_equal(np.frombuffer(output, np.float32), synthesis.synthesize(TEXT, "en-us+f3", RATE))


def test_threads_give_what_one_thread_gives():
    wanted = [(f"{TEXT} {number}", voice) for number, voice in enumerate(synthesis.voices(ACCENTS)[::8])]
    alone = [synthesis.synthesize(text, voice, RATE) for text, voice in wanted]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(lambda pair: synthesis.synthesize(*pair, RATE), wanted))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


def test_all_english_accents_are_spoken_unless_others_are_asked_for():
    english = {accent for accent in synthesis._accents() if accent.partition("-")[0] == "en"}
    assert set(ACCENTS) == english - {"en-shaw"}  # which reads another alphabet


def test_every_accent_says_it_in_its_own_way():
    text = "the park by the water is not far, ask her about a cup of coffee"
    spoken = {synthesis.synthesize(text, f"{accent}+f3", RATE).tobytes() for accent in ACCENTS}
    assert len(spoken) == len(ACCENTS)


@pytest.mark.parametrize("accent", ACCENTS)
def test_every_accent_is_heard(accent):
    for voice in synthesis.voices([accent])[::7]:
        samples = synthesis.synthesize(TEXT, voice, RATE)
        assert samples.dtype == np.float32
        assert samples.ndim == 1
        assert 0.5 < len(samples) / RATE < 2.5, voice
        assert np.sqrt(np.mean(samples**2)) > 0.01, voice
        assert np.abs(samples).max() <= 1, voice


def test_accents_and_variants_differ():
    spoken = [synthesis.synthesize(TEXT, voice, RATE).tobytes() for voice in synthesis.voices(ACCENTS)[::5]]
    assert len(set(spoken)) == len(spoken)


def test_the_rate_changes_the_samples_and_not_the_duration():
    seconds = [len(synthesis.synthesize(TEXT, "en-us+f3", rate)) / rate for rate in (8000, 16000, 22050, 44100)]
    np.testing.assert_allclose(seconds, seconds[0], atol=1e-3)


def test_faster_speech_is_shorter():
    lengths = [len(synthesis.synthesize(TEXT, "en-us+f3", RATE, speed)) for speed in (80, 130, 160, 200, 300)]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[-1] < lengths[0] / 2


def fundamental(samples):
    """Hertz, of the loudest 40 ms: the lag at which they are most like themselves."""
    start = np.argmax(np.convolve(samples**2, np.ones(640), "valid"))
    frame = samples[start : start + 640]
    likeness = np.correlate(frame, frame, "full")[640:]
    return RATE / (np.argmax(likeness[40:320]) + 41)


def test_pitch_raises_the_voice():
    low, middle, high = (
        fundamental(synthesis.synthesize("ah", "en-us+m3", RATE, pitch=pitch)) for pitch in (0, 50, 99)
    )
    assert low < 0.8 * middle < 0.64 * high


def test_a_long_text_is_spoken_whole():
    once = len(synthesis.synthesize(TEXT + ".", "en-us+m3", RATE))
    assert len(synthesis.synthesize(f"{TEXT}. " * 200, "en-us+m3", RATE)) > 150 * once


def test_control_characters_are_spaces():
    np.testing.assert_array_equal(
        synthesis.synthesize("turn\0on\n\nthe\x0150Slight", "en-us+f3", RATE),
        synthesis.synthesize("turn on the 50Slight", "en-us+f3", RATE),
    )


@pytest.mark.parametrize("text", ["", "  \n", "\0"])
def test_an_empty_text_is_refused(text):
    with pytest.raises(InputError, match="words to speak wanted"):
        synthesis.synthesize(text, "en-us+f3", RATE)


@pytest.mark.parametrize(
    ("voice", "message"), [("en-us+f33", "nearest: f3"), ("martian+f3", "accent 'martian'"), ("", "accent ''")]
)
def test_an_unknown_voice_is_named(voice, message):
    with pytest.raises(InputError, match=message):
        synthesis.synthesize(TEXT, voice, RATE)


@pytest.mark.parametrize("values", [{"words_per_minute": 10}, {"words_per_minute": 900}, {"pitch": -1}, {"pitch": 101}])
def test_a_value_out_of_range_is_refused(values):
    with pytest.raises(InputError, match=f"{next(iter(values))}.* wanted"):
        synthesis.synthesize(TEXT, "en-us+f3", RATE, **values)


@pytest.fixture
def fresh_paths():
    """Where espeak-ng lies is looked up once; a test that changes it starts and ends with nothing looked up."""
    caches = (synthesis._paths, synthesis._short_data_path, synthesis._accents, synthesis._variants)
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()


def test_a_missing_wheel_says_what_to_install(fresh_paths, monkeypatch):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(InputError, match="pip install espeakng-loader"):
        synthesis.synthesize(TEXT, "en-us+f3", RATE)


def test_a_library_that_does_not_load_says_what_to_install(fresh_paths, monkeypatch, tmp_path):
    broken = tmp_path / "libespeak-ng.so"
    broken.write_bytes(b"not a library")
    monkeypatch.setattr("espeakng_loader.get_library_path", lambda: str(broken))
    with pytest.raises(InputError, match=r"libespeak-ng.so.*pip install"):
        synthesis.synthesize(TEXT, "en-us+f3", RATE)


def test_data_below_a_long_path_is_found(fresh_paths, monkeypatch, tmp_path):
    wanted = synthesis.synthesize(TEXT, "en-us+f3", RATE)
    folder = tmp_path / ("long" * 30) / ("longer" * 20)
    folder.mkdir(parents=True)
    (folder / "espeak-ng-data").symlink_to(synthesis._paths()[1])
    for cache in (synthesis._paths, synthesis._short_data_path):
        cache.cache_clear()
    monkeypatch.setattr("espeakng_loader.get_data_path", lambda: str(folder / "espeak-ng-data"))
    np.testing.assert_array_equal(synthesis.synthesize(TEXT, "en-us+f3", RATE), wanted)


def test_importing_loads_nothing():
    code = "import sys, pipeline.data.synthesis; sys.exit('espeakng_loader' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
