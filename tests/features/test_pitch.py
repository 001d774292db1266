"""The pitch track beside librosa's, and on sounds whose pitch is known."""

import numpy as np
import pytest

from imlcmm.errors import MediaError
from imlcmm.features.audio.pitch import pitch_track

RATE, FRAME = 16_000, 1024


def glide(first, last, seconds=1.5, noise=0.01):
    """Make a voice-like sound that goes from one pitch to another."""
    hertz = np.linspace(first, last, int(RATE * seconds))
    phase = 2 * np.pi * np.cumsum(hertz) / RATE
    sound = sum(np.sin(k * phase) / k for k in range(1, 6)) / 4
    return (sound + np.random.default_rng(0).normal(size=len(hertz)) * noise).astype(np.float32)


def track(sound):
    return pitch_track(sound, RATE, lowest=65.0, highest=500.0, frame=FRAME)


@pytest.mark.parametrize("sound", [glide(90, 250), glide(400, 150, noise=0.1), np.zeros(RATE, np.float32)])
def test_it_is_what_librosa_says(sound):
    librosa = pytest.importorskip("librosa")
    pitch, level = track(sound)
    wanted = librosa.yin(sound, fmin=65.0, fmax=500.0, sr=RATE, frame_length=FRAME)
    loudness = librosa.amplitude_to_db(librosa.feature.rms(y=sound, frame_length=FRAME, hop_length=FRAME // 4)[0])
    np.testing.assert_allclose(pitch, wanted, rtol=1e-4)
    np.testing.assert_allclose(level, loudness, atol=1e-3)


def test_it_follows_a_glide():
    pitch, _ = track(glide(100, 300))
    middle = pitch[len(pitch) // 2]
    assert middle == pytest.approx(200, rel=0.03)
    assert pitch[5] < middle < pitch[-6]


def test_too_short_a_sound_is_refused():
    with pytest.raises(MediaError, match="no pitch in 100 samples"):
        track(np.zeros(100, np.float32))
    with pytest.raises(MediaError, match="frames of 256"):
        pitch_track(np.zeros(RATE, np.float32), RATE, lowest=65.0, highest=500.0, frame=256)
