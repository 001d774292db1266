"""Headers that claim anything: each file gives a result or one line, in seconds and in bounded memory."""

import resource
import time

import numpy as np
import pytest

from broken_media import COUNT, broken_files
from clips import Picture, Sound, make_clip, numbered_frames, talking_clip, tone
from imlcmm.errors import MediaError
from imlcmm.features.extractor_options import ExtractorOptions
from imlcmm.features.media import sound as sound_module
from imlcmm.features.media.limits import MediaLimits
from imlcmm.features.media.pictures import read_frames
from imlcmm.features.media.probe import probe
from imlcmm.features.media.sound import read_sound, stream_sound
from imlcmm.prediction.predictor import Predictor

SECONDS, MEGABYTES = 20, 1000


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    found = list(broken_files(tmp_path_factory.mktemp("broken")))
    assert len(found) == COUNT
    return found


def read(path):
    """Read a file in every way, and count what was refused."""
    refusals = []
    for way in (probe, read_sound, lambda p: sum(1 for _ in read_frames(p, rate=25))):
        try:
            way(path)
        except MediaError as error:
            refusals.append(str(error))
    assert not any("\n" in line for line in refusals)
    return len(refusals)


def within_bounds(paths, job):
    """Do a job for each file; give what it gave, once time and memory have been checked."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = []
    for path in paths:
        begun = time.monotonic()
        found.append(job(path))
        assert time.monotonic() - begun < SECONDS, path.name
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < MEGABYTES
    return found


def test_broken_headers_are_read_within_bounds(files):
    refused = within_bounds(files, read)
    # Some of each: neither is everything refused, nor does everything pass.
    assert 20 < refused.count(0) < COUNT - 20
    assert 20 < refused.count(3) < COUNT - 20


@pytest.fixture(scope="module")
def predicted():
    """Give what scores a file without listening."""
    predictor = Predictor.load(None, ExtractorOptions(transcribe=False))

    def score(path):
        result = predictor(path, transcript="a fine day")
        assert result.failure or result.utterances
        assert "\n" not in result.failure
        return result

    return score


def test_broken_headers_are_predicted_within_bounds(files, predicted):
    assert within_bounds(files, predicted)


def test_a_rate_of_one_is_named(files):
    path = next(file for file in files if file.name == "rate-1.wav")
    with pytest.raises(MediaError, match=r"rate-1\.wav' claims 1 samples a second; from 1,000 to 1,000,000 are read"):
        read_sound(path)


def test_limits_are_options(tmp_path):
    path = talking_clip(tmp_path / "clip.mp4")
    small = ExtractorOptions(largest=0.001).limits
    with pytest.raises(MediaError, match=r"claims pictures of 64 x 48; up to 0\.001 megapixels .*option largest"):
        list(read_frames(path, rate=5, limits=small))
    short = MediaLimits(hours=1 / 3600)
    for way in (probe, read_sound, lambda p, limits: list(stream_sound(p, limits=limits))):
        with pytest.raises(MediaError, match=r"claims to last .* hours; up to .*option longest"):
            way(path, limits=short)
    assert probe(path, limits=MediaLimits(hours=2.5 / 3600)).duration == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize("values", [{"hours": 0.0}, {"megapixels": -1.0}, {"hours": float("nan")}])
def test_limits_that_let_nothing_through_are_refused(values):
    with pytest.raises(MediaError, match="give a number above 0"):
        MediaLimits(**values)


def test_sound_that_is_too_long_for_one_piece_is_refused(tmp_path, monkeypatch):
    path = make_clip(tmp_path / "long.wav", Sound(tone(2.0), codec="pcm_s16le"))
    monkeypatch.setattr(sound_module, "SAMPLES", 16_000)
    with pytest.raises(MediaError, match="too much for one piece: give start and end"):
        read_sound(path)
    assert len(read_sound(path, start=0.5, end=1.0)) == 8000
    assert sum(map(len, stream_sound(path))) == 32_000


def test_real_extremes_are_read(tmp_path):
    fast = make_clip(tmp_path / "fast.wav", Sound(np.zeros(768_000, "float32"), 768_000, codec="pcm_s16le"))
    assert len(read_sound(fast)) == 16_000
    large = make_clip(tmp_path / "large.mp4", Picture(numbered_frames(2, 2160, 3840), codec="mpeg4"))
    assert len(list(read_frames(large, rate=25))) == 2
