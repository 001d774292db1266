"""A recording's sound is decoded once, whoever reads it, and is the sound that `read_sound` gives."""

import numpy as np
import pytest

from clips import Picture, Sound, make_clip
from imlcmm.errors import MediaError
from imlcmm.features.media import recording as media
from imlcmm.features.media import streams
from imlcmm.features.media.recording import Recording
from imlcmm.features.media.sound import read_sound

SECONDS = 75


@pytest.fixture(scope="module")
def talk(tmp_path_factory):
    noise = np.random.default_rng(0).normal(size=16_000 * SECONDS).astype(np.float32) / 10
    picture = Picture(np.random.default_rng(1).integers(0, 255, (30, 32, 48, 3), np.uint8), rate=10)
    return make_clip(tmp_path_factory.mktemp("talk") / "talk.mkv", picture, Sound(noise, codec="flac"))


@pytest.fixture(params=[1 << 26, 1 << 10], ids=["in memory", "in a file"])
def recording(talk, request, monkeypatch):
    monkeypatch.setattr(media, "_IN_MEMORY", request.param)
    with Recording(talk) as recording:
        yield recording


def test_the_sound_is_that_of_the_file(recording, talk):
    assert np.array_equal(np.concatenate(list(recording.sound_blocks())), read_sound(talk))
    assert np.array_equal(recording.sound(), read_sound(talk))


@pytest.mark.parametrize(("start", "end"), [(0.0, 1.0), (29.9, 30.1), (61.3, None), (74.0, 80.0), (90.0, 91.0), (5, 5)])
def test_a_stretch_is_that_of_the_file(recording, talk, start, end):
    assert np.allclose(recording.sound(start, end), read_sound(talk, start=start, end=end), atol=1e-4)


def test_the_sound_is_decoded_once(talk, monkeypatch):
    decoded = []
    timed = streams._timed

    def counted(container, stream, *arguments):
        for found in timed(container, stream, *arguments):
            decoded.extend([found.time] if stream.type == "audio" else [])
            yield found

    with Recording(talk) as recording:
        monkeypatch.setattr(streams, "_timed", counted)
        for _ in range(3):
            list(recording.sound_blocks())
            recording.sound(10, 20)
            list(recording.frames(5, 0, 1))
        assert len(decoded) == len(set(decoded)) > 0


def test_only_what_is_asked_for_is_decoded(talk):
    told = []
    with Recording(talk, reached=told.append) as recording:
        recording.sound(1, 2)
        assert max(told) == pytest.approx(30)


def test_pictures_count_from_the_start_that_is_asked_for(recording):
    assert [round(frame.time, 3) for frame in recording.frames(5, 1.0, 2.0)] == [0, 0.2, 0.4, 0.6, 0.8]


def test_more_than_one_piece_holds_is_refused(recording, monkeypatch):
    monkeypatch.setattr(media, "SAMPLES", 16_000 * 70)
    assert len(recording.sound(0, 70)) == 16_000 * 70
    with pytest.raises(MediaError, match="too much for one piece"):
        recording.sound()


def test_a_full_disk_is_told_in_a_line(recording, monkeypatch):
    class Full:
        def seek(self, place):
            pass

        def write(self, content):
            raise OSError(28, "No space left on device")

        def close(self):
            pass

    recording._kept.close()
    recording._kept = Full()
    with pytest.raises(MediaError, match=r"No space left on device.*TMPDIR"):
        recording.sound()


def test_a_file_without_sound_has_none(tmp_path):
    picture = Picture(np.zeros((5, 32, 48, 3), np.uint8), rate=5)
    with Recording(make_clip(tmp_path / "still.mp4", picture)) as recording:
        assert len(recording.sound()) == 0
        assert list(recording.sound_blocks()) == []
