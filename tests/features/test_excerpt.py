"""Excerpts play everywhere and hold what their stretch holds."""

import av
import numpy as np
import pytest

from clips import Picture, Sound, make_clip, numbered_frames
from imlcmm.features.media.excerpt import plays_in_browsers, write_excerpt
from imlcmm.features.media.pictures import read_frames
from imlcmm.features.media.probe import probe
from imlcmm.features.media.recording import Recording
from imlcmm.features.media.sound import read_sound


def chirp(seconds):
    moments = np.arange(int(16_000 * seconds)) / 16_000
    return (0.4 * np.sin(2 * np.pi * (200 + 100 * moments) * moments)).astype(np.float32)


def test_an_excerpt_holds_the_pictures_and_the_sound_of_its_stretch(tmp_path):
    whole = make_clip(tmp_path / "x.mp4", Picture(numbered_frames(30), rate=10), Sound(chirp(3.0)))
    with Recording(whole) as recording:
        write_excerpt(recording, tmp_path / "part.mp4", 1.0, 2.0)
    info = probe(tmp_path / "part.mp4")
    assert (info.has_picture, info.has_sound) == (True, True)
    assert info.duration == pytest.approx(1.0, abs=0.1)
    theirs = [frame.image.mean() for frame in read_frames(whole, rate=10, start=1.0, end=2.0)]
    mine = [frame.image.mean() for frame in read_frames(tmp_path / "part.mp4", rate=10)]
    assert len(mine) == 10
    assert np.allclose(mine, theirs, atol=4)
    expected, found = read_sound(whole, start=1.0, end=2.0), read_sound(tmp_path / "part.mp4")
    length = min(len(expected), len(found))
    assert length > 15_000
    assert np.corrcoef(expected[:length], found[:length])[0, 1] > 0.98


def test_sound_alone_stays_alone(tmp_path):
    whole = make_clip(tmp_path / "x.wav", Sound(chirp(2.0), codec="pcm_s16le"))
    with Recording(whole) as recording:
        write_excerpt(recording, tmp_path / "part.mp4", 0.5)
    info = probe(tmp_path / "part.mp4")
    assert (info.has_picture, info.has_sound) == (False, True)
    assert info.duration == pytest.approx(1.5, abs=0.1)


def test_pictures_are_upright_and_of_even_size(tmp_path):
    whole = make_clip(tmp_path / "x.mp4", Picture(np.zeros((5, 50, 78, 3), "uint8"), rate=5, rotation=90))
    with Recording(whole) as recording:
        write_excerpt(recording, tmp_path / "part.mp4")
    with av.open(str(tmp_path / "part.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (50, 78)


@pytest.mark.parametrize(
    ("name", "codec", "sound", "plays"),
    [
        ("x.mp4", "libx264", "aac", True),
        ("x.mp4", "mpeg4", "aac", False),
        ("x.avi", "mpeg4", "mp2", False),
        ("x.mkv", "libx264", "aac", False),
        ("x.webm", "libvpx", "libopus", True),
    ],
)
def test_which_files_browsers_play(tmp_path, name, codec, sound, plays):
    picture = Picture(np.zeros((5, 48, 64, 3), "uint8"), rate=5, codec=codec)
    rate = 48_000 if sound == "libopus" else 16_000
    path = make_clip(tmp_path / name, picture, Sound(chirp(1.0), rate=rate, codec=sound))
    assert plays_in_browsers(path) is plays


def test_sounds_play(tmp_path):
    assert plays_in_browsers(make_clip(tmp_path / "x.wav", Sound(chirp(0.5), codec="pcm_s16le")))
