from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from imlcmm.errors import MediaError
from imlcmm.features.media.sound import SOUND_RATE, read_sound
from imlcmm.features.speech.voice_activity import VoiceActivity, speech_regions, speech_regions_stream

pytest.importorskip("faster_whisper", reason="the voice activity detector comes with faster-whisper")
CLIPS = Path(__file__).parents[2].parent / "shared" / "data" / "clips"
with_clips = pytest.mark.skipif(not CLIPS.is_dir(), reason="needs the recordings in ../shared/data/clips")


def music(seconds: float) -> np.ndarray:
    """Make three voices with overtones and vibrato, struck twice a second."""
    time = np.arange(round(seconds * SOUND_RATE)) / SOUND_RATE
    tones = [np.sin(2 * np.pi * f * k * time + 0.3 * np.sin(10 * np.pi * time)) / k
             for f in (220, 277, 330) for k in range(1, 8)]  # fmt: skip
    sound = np.sum(tones, axis=0) * np.exp(-5 * (time % 0.5))
    return (0.5 * sound / np.abs(sound).max()).astype("float32")


@pytest.mark.parametrize(
    "sound",
    [
        np.zeros(0, "float32"),
        np.zeros(100, "float32"),
        np.zeros(5 * SOUND_RATE, "float32"),
        np.random.default_rng(0).normal(0, 0.1, 8 * SOUND_RATE).astype("float32"),
        music(8),
    ],
    ids=["nothing", "a moment", "silence", "noise", "music"],
)
def test_there_is_no_speech_in(sound):
    assert speech_regions(sound) == []


@with_clips
@pytest.mark.parametrize("name", ["face_no_speech.mp4", "no_face.mp4"])
def test_there_are_no_words_in_crying_and_noise(name):
    assert speech_regions(read_sound(CLIPS / name)) == []


@pytest.fixture(scope="module")
def talk() -> np.ndarray:
    """Speech, five seconds of silence, speech."""
    if not CLIPS.is_dir():
        pytest.skip("needs the recordings in ../shared/data/clips")
    first, second = read_sound(CLIPS / "talking_1.mp4"), read_sound(CLIPS / "zh_read.wav")
    return np.concatenate([first, np.zeros(5 * SOUND_RATE, "float32"), second])


def test_speech_is_found_where_it_is(talk):
    regions = speech_regions(talk)
    assert regions[0] == pytest.approx((0.0, 2.53), abs=0.15)
    assert regions[1] == pytest.approx((3.42, 4.68), abs=0.15)
    assert regions[-1] == pytest.approx((11.55, 15.0), abs=0.25)
    assert len(regions) == 3
    assert all(a[1] < b[0] for a, b in pairwise(regions))


@pytest.mark.parametrize("size", [100, 511, 512, 16_001, 400_000])
def test_blocks_of_any_length_give_the_same_regions(talk, size):
    blocks = (talk[first : first + size] for first in range(0, len(talk), size))
    assert np.allclose(speech_regions_stream(blocks), speech_regions(talk), atol=1e-4)


def test_blocks_are_taken_one_by_one(talk):
    taken = []

    def endless():
        for number in range(40):
            taken.append(number)
            yield talk
            if number == 1:
                raise InterruptedError

    with pytest.raises(InterruptedError):
        speech_regions_stream(endless())
    assert taken == [0, 1]


def test_regions_follow_the_rules(talk):
    assert len(speech_regions(talk, VoiceActivity(longest_gap=2.0))) == 2
    assert len(speech_regions(talk, VoiceActivity(shortest=2.0))) == 2
    bare = speech_regions(talk, VoiceActivity(margin=0.0))
    assert bare[1][0] - speech_regions(talk)[1][0] == pytest.approx(0.1)
    # Margins longer than a pause join the regions beside it.
    assert len(speech_regions(talk, VoiceActivity(margin=3.0))) == 2
    assert len(speech_regions(talk, VoiceActivity(margin=4.0))) == 1


def test_the_sound_is_left_as_it_is(talk):
    before = talk.copy()
    speech_regions(talk)
    assert np.array_equal(before, talk)


@pytest.mark.parametrize("block", [np.zeros((2, 512), "float32"), np.full(512, np.nan, "float32")])
def test_sound_that_is_none_is_refused(block):
    with pytest.raises(MediaError, match="one channel of numbers"):
        speech_regions_stream([block])


@pytest.mark.parametrize("wrong", [{"threshold": 1.5}, {"margin": -1.0}])
def test_rules_that_make_no_sense_are_refused(wrong):
    with pytest.raises(MediaError, match="give"):
        VoiceActivity(**wrong)
