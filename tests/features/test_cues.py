"""Cues on sounds and faces whose answer is known."""

import numpy as np
import pytest

from clips import Sound, make_clip
from imlcmm.features.clip_extractor import ExtractedClip
from imlcmm.features.cue_names import CUES
from imlcmm.features.cues import measure_cues
from imlcmm.features.feature_set import Features
from imlcmm.features.media.recording import Recording
from imlcmm.features.vision.faces import FACE_COLUMNS
from imlcmm.features.words.word import Word

NOTHING = ExtractedClip("", (), {}, None, {})


def tone(path, hertz, amplitude, seconds=2.0):
    moments = np.arange(int(16_000 * seconds)) / 16_000
    sound = sum(np.sin(2 * np.pi * hertz * k * moments) / k for k in range(1, 6))
    return make_clip(path, Sound((amplitude * sound / np.abs(sound).max()).astype(np.float32), codec="pcm_s16le"))


SPEECH = NOTHING._replace(speech=[(0.0, 2.0)])


@pytest.mark.parametrize("hertz", [90.0, 220.0, 400.0])
def test_pitch_is_the_fundamental(tmp_path, hertz):
    with Recording(tone(tmp_path / "x.wav", hertz, 0.5)) as recording:
        cues = measure_cues(recording, 0.0, 2.0, SPEECH)
    assert cues["pitch"] == pytest.approx(hertz, rel=0.02)
    assert cues["pauses"] == pytest.approx(0.0, abs=0.1)


def test_ten_times_the_amplitude_is_twenty_decibels(tmp_path):
    levels = []
    for name, amplitude in (("a", 0.05), ("b", 0.5)):
        with Recording(tone(tmp_path / f"{name}.wav", 200.0, amplitude)) as recording:
            levels.append(measure_cues(recording, 0.0, 2.0, SPEECH)["loudness"])
    assert levels[1] - levels[0] == pytest.approx(20.0, abs=0.3)


def test_the_speech_rate_counts_words_in_speech(tmp_path):
    clip = NOTHING._replace(speech=[(0.5, 1.5)], words=tuple(Word("x", i / 4, i / 4 + 0.2) for i in range(4)))
    with Recording(tone(tmp_path / "x.wav", 200.0, 0.5)) as recording:
        cues = measure_cues(recording, 0.0, 2.0, clip)
    assert (cues["speech rate"], cues["pauses"]) == (4.0, 50.0)


def test_silence_has_no_cues(tmp_path):
    path = make_clip(tmp_path / "x.wav", Sound(np.zeros(16_000, np.float32), codec="pcm_s16le"))
    with Recording(path) as recording:
        assert measure_cues(recording, 0.0, 1.0, NOTHING) == {}


def test_a_smile_is_the_mean_of_both_sides(tmp_path):
    values = np.zeros((4, len(FACE_COLUMNS)))
    values[:, FACE_COLUMNS.index("mouthSmileLeft")] = 0.5
    values[:, FACE_COLUMNS.index("mouthSmileRight")] = 0.7
    values[0] = np.nan
    clip = NOTHING._replace(features={"vision": Features(values, np.zeros((4, 2)))})
    path = make_clip(tmp_path / "x.wav", Sound(np.zeros(16_000, np.float32), codec="pcm_s16le"))
    with Recording(path) as recording:
        cues = measure_cues(recording, 0.0, 1.0, clip)
    assert cues["smile"] == 60.0
    assert set(cues) <= set(CUES)
