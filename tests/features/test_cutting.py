"""Where a file is cut: no speech is lost, whether words are found in it or not."""

from itertools import pairwise

import numpy as np

from clips import Sound, make_clip
from imlcmm.features import cutting
from imlcmm.features.media.recording import Recording
from imlcmm.features.speech.transcribe import Transcriber
from imlcmm.features.words.utterances import Utterance
from imlcmm.features.words.word import Word


class HearsOneStretch(Transcriber):
    """Hears two words in the first stretch that it is given, and nothing later; without a speech model."""

    def __init__(self):
        self.heard, self.language = 0, None

    def __call__(self, sound):
        self.heard += 1
        words = (Word("hello", 0.5, 1.0), Word("there.", 1.0, 2.0))
        return [Utterance(0.5, 2.0, "hello there.", words)] if self.heard == 1 else []


def test_speech_without_words_stays(tmp_path, monkeypatch):
    path = make_clip(tmp_path / "talk.wav", Sound(np.zeros(16_000 * 90, "float32"), codec="pcm_s16le"))
    speech = [(0.0, 3.0), (40.0, 52.0), (70.0, 88.0)]
    monkeypatch.setattr(cutting, "speech_regions_stream", lambda blocks: list(blocks) and speech)
    with Recording(path) as recording:
        found = cutting.find_utterances(recording, None, HearsOneStretch)
    assert found[0].text == "hello there."
    assert all(not utterance.text for utterance in found[1:])
    for start, end in speech[1:]:
        assert any(u.start <= start + 0.01 and u.end > start for u in found)
        assert any(u.end >= end - 0.01 and u.start < end for u in found)
    assert all(one.end <= other.start for one, other in pairwise(found))
    assert max(u.end - u.start for u in found) <= 15


def test_a_file_in_which_nobody_speaks_is_cut_by_the_clock(tmp_path):
    path = make_clip(tmp_path / "quiet.wav", Sound(np.zeros(16_000 * 31, "float32"), codec="pcm_s16le"))
    with Recording(path) as recording:
        found = cutting.find_utterances(recording, None, HearsOneStretch)
    assert [round(u.end - u.start) for u in found] == [10, 10, 10]
    assert not any(u.text for u in found)
