"""Whisper's encoder works once for the language and the words, on the same frames."""

import numpy as np

from imlcmm.features.speech.encode_once import encode_once


class Model:
    """What the speech library does with a recording: find its language, then its words."""

    def __init__(self):
        self.encoded = []

    def encode(self, features):
        self.encoded.append(features.shape)
        return float(features.sum())

    def detect_language(self, *, features, seconds=1):
        return self.encode(padded(features)), seconds

    def transcribe(self, features):
        language = self.detect_language(features=features, seconds=3)
        return language, self.encode(padded(features[..., : features.shape[-1] - 1]))


def padded(features):
    return np.pad(features, ((0, 0), (0, 9 - features.shape[-1])))


def test_a_recording_is_encoded_once():
    model = Model()
    encode_once(model)
    assert model.transcribe(np.ones((2, 7))) == ((12.0, 3), 12.0)
    assert model.encoded == [(2, 9)]
    assert model.transcribe(np.full((2, 7), 2.0)) == ((24.0, 3), 24.0)
    assert len(model.encoded) == 2


def test_what_is_written_over_is_encoded_anew():
    model = Model()
    encode_once(model)
    features = np.ones((2, 3))
    assert model.encode(features) == 6.0
    features[:] = 2
    assert model.encode(features) == 12.0


def test_a_single_frame_still_has_a_language():
    model = Model()
    encode_once(model)
    assert model.detect_language(features=np.ones((2, 1))) == (2.0, 1)
