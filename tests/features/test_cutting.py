"""Where a file is cut: no speech is lost, whether words are found in it or not."""

from itertools import pairwise

import numpy as np
import pytest

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


class Aligns(HearsOneStretch):
    """Gives every word of a text half a second."""

    def align(self, sound, said, language):
        self.heard, self.language = len(sound), language
        return [Word(text, number / 2, (number + 1) / 2) for number, text in enumerate(said.split())]


def sounding(tmp_path, seconds, monkeypatch, speech):
    monkeypatch.setattr(cutting, "speech_regions_stream", lambda blocks: list(blocks) and speech)
    return make_clip(tmp_path / "talk.wav", Sound(np.zeros(round(16_000 * seconds), "float32"), codec="pcm_s16le"))


def never():
    raise AssertionError("it listens")


def test_subtitles_are_taken_as_they_are_and_nothing_listens(tmp_path):
    path = make_clip(tmp_path / "a.wav", Sound(np.zeros(16_000 * 5, "float32"), codec="pcm_s16le"))
    (tmp_path / "a.srt").write_text(
        "1\n00:00:01,000 --> 00:00:02,000\nHello\n\n2\n00:00:03,000 --> 00:00:04,000\nBye\n"
    )
    with Recording(path) as recording:
        found = cutting.find_utterances(recording, None, never)
        assert [(one.start, one.end, one.text) for one in found] == [(1, 2, "Hello"), (3, 4, "Bye")]
        given = [Utterance(0.0, 2.0, "Another")]
        assert cutting.find_utterances(recording, given, never) == given


@pytest.mark.parametrize(("said", "language"), [("I like it", "en"), ("我 喜欢 它", "zh")])
def test_the_words_of_a_short_text_are_found_by_listening(tmp_path, monkeypatch, said, language):
    listener = Aligns()
    with Recording(sounding(tmp_path, 4, monkeypatch, [(0.0, 4.0)])) as recording:
        (found,) = cutting.find_utterances(recording, said, lambda: listener)
    assert (found.start, found.end, found.text) == (0.0, 4.0, said)
    assert [word.start for word in found.words] == [0.0, 0.5, 1.0]
    assert (listener.heard, listener.language) == (64_000, language)


def test_a_long_text_is_spread_over_the_speech(tmp_path, monkeypatch):
    speech = [(1.0, 10.0), (20.0, 29.0), (40.0, 49.0)]
    said = "one two three four five six seven eight nine"
    with Recording(sounding(tmp_path, 60, monkeypatch, speech)) as recording:
        found = cutting.find_utterances(recording, said, never)
    assert " ".join(one.text for one in found).split() == said.split()
    for word in (word for one in found for word in one.words):
        assert any(start - 0.01 <= word.start and word.end <= end + 0.01 for start, end in speech)


def test_without_a_listener_speech_has_no_words(tmp_path, monkeypatch):
    with Recording(sounding(tmp_path, 20, monkeypatch, [(0.0, 20.0)])) as recording:
        assert not any(one.text for one in cutting.find_utterances(recording, None, None))
        assert not any(one.text for one in cutting.find_utterances(recording, "", never))
