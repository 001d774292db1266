"""Sound of several channels: mixed, unless the mix loses what they hold."""

import numpy as np
import pytest

from broken_media import wav
from clips import Sound, make_clip, tone
from imlcmm.features.media import channels
from imlcmm.features.media.channels import channel_to_keep
from imlcmm.features.media.limits import USUAL
from imlcmm.features.media.sound import read_sound, stream_sound

SAID = "the strongest, is taken alone"


@pytest.fixture(autouse=True)
def fresh():
    channels._decided.cache_clear()


def many(path, *sounds, rate=16_000):
    """Write channels to a WAV file, as many as there are."""
    samples = (np.stack(sounds, axis=1) * 32_000).astype("<i2")
    path.write_bytes(wav(samples.tobytes(), rate, len(sounds)))
    return path


def loudness(sound):
    return float(np.sqrt(np.square(sound).mean()))


def test_channels_that_cancel_are_heard_by_the_strongest(tmp_path, caplog):
    voice = tone(3.0)
    path = many(tmp_path / "a.wav", 0.8 * voice, -voice)
    heard = read_sound(path)
    assert loudness(heard) == pytest.approx(loudness(voice), rel=0.05)
    assert caplog.text.count(SAID) == 1
    assert "channel 2" in caplog.text
    np.testing.assert_array_equal(read_sound(path, start=1.0, end=2.0), heard[16_000:32_000])
    np.testing.assert_array_equal(np.concatenate(list(stream_sound(path, block=0.7))), heard)
    assert caplog.text.count(SAID) == 1


def test_silence_before_the_voice_decides_nothing(tmp_path):
    voice = np.concatenate([np.zeros(20 * 16_000, np.float32), tone(2.0)])
    path = many(tmp_path / "a.wav", voice, -voice)
    assert loudness(read_sound(path)[-16_000:]) > 0.3


def test_compressed_sound_that_cancels(tmp_path):
    voice = tone(2.0, 48_000)
    path = make_clip(tmp_path / "a.m4a", Sound(np.stack([voice, -voice]), 48_000))
    assert loudness(read_sound(path)) > 0.3


@pytest.mark.parametrize("kind", ["equal", "apart", "one silent", "half", "silent"])
def test_ordinary_stereo_is_mixed_as_before(tmp_path, kind, caplog):
    draw = np.random.default_rng(0)
    one, other = (0.3 * draw.normal(size=32_000).clip(-3, 3) for _ in range(2))
    pair = {
        "equal": (one, one),
        "apart": (one, other),
        "one silent": (one, 0 * one),
        "half": (one, 0.5 * one - 0.5 * other),
        "silent": (0 * one, 0 * one),
    }[kind]
    path = many(tmp_path / "a.wav", *pair)
    np.testing.assert_allclose(read_sound(path), (pair[0] + pair[1]) / 2 * 32_000 / 32_768, atol=2e-4)
    assert channel_to_keep(path, USUAL) is None
    assert not caplog.text


@pytest.mark.parametrize("count", [6, 8, 9, 64])
def test_more_channels_than_two_are_heard(tmp_path, count):
    path = many(tmp_path / "a.wav", *(tone(1.0) for _ in range(count)))
    assert loudness(read_sound(path)) > 0.2


def test_surround_whose_sides_cancel(tmp_path):
    voice, nothing = tone(1.0), np.zeros(16_000, np.float32)
    path = many(tmp_path / "a.wav", voice, -voice, nothing, nothing, nothing, nothing)
    assert loudness(read_sound(path)) > 0.3
