"""Decoding: the right moment, whatever the file is like; one line where it cannot be read."""

import math
import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from clips import (
    Picture,
    Sound,
    clicks,
    corner_frames,
    damage,
    make_clip,
    not_a_video,
    number_of,
    numbered_frames,
    talking_clip,
    tone,
    truncate,
)
from imlcmm.errors import MediaError
from imlcmm.features.media import streams
from imlcmm.features.media.pictures import read_frames
from imlcmm.features.media.probe import probe
from imlcmm.features.media.sound import read_sound, stream_sound

REAL_CLIPS = Path(__file__).parents[3] / "shared" / "data" / "clips"
CONTAINERS = {
    "mp4": ("libx264", "aac"),
    "mkv": ("libx264", "aac"),
    "webm": ("libvpx", "libopus"),
    "avi": ("mpeg4", "libmp3lame"),
    "ts": ("libx264", "aac"),
    "mpg": ("mpeg2video", "mp2"),
    "wmv": ("wmv2", "wmav2"),
}


@pytest.fixture(scope="module", params=CONTAINERS)
def clip(request, tmp_path_factory) -> Path:
    picture, sound = CONTAINERS[request.param]
    path = tmp_path_factory.mktemp("clips") / f"clip.{request.param}"
    voice = tone(4, 48_000, 300) + 0.3 * tone(4, 48_000, 1100)
    return make_clip(path, Picture(numbered_frames(100, step=2), codec=picture), Sound(voice, 48_000, codec=sound))


def test_every_container_is_measured(clip):
    info = probe(clip)
    assert info.duration == pytest.approx(4, abs=0.1)
    assert info[1:] == (True, True, 25.0, 64, 48, 0)


def test_a_part_of_the_sound_is_that_of_the_whole(clip):
    whole = read_sound(clip)
    for start, end in ((0.0, 0.5), (2.5, 3.1), (1.00003, 1.7)):
        part = read_sound(clip, start=start, end=end)
        first = round(start * 16_000)
        assert len(part) == round(end * 16_000) - first
        np.testing.assert_allclose(part, whole[first : first + len(part)], atol=1e-3)


def test_a_part_of_the_picture_is_that_of_the_whole(clip):
    whole = list(read_frames(clip, rate=25))
    part = list(read_frames(clip, rate=25, start=2.6, end=3.0))
    assert [frame.time for frame in part] == pytest.approx([2.6 + k / 25 for k in range(10)])
    for there, here in zip(whole[65:75], part, strict=True):
        np.testing.assert_array_equal(there.image, here.image)


def test_streamed_blocks_join_to_the_whole(clip):
    blocks = list(stream_sound(clip, block=0.7))
    assert {len(block) for block in blocks[:-1]} == {11_200}
    np.testing.assert_array_equal(np.concatenate(blocks), read_sound(clip))


@pytest.mark.parametrize("end", ["mp4", "mkv", "ts", "avi", "mpg", "wmv", "webm"])
def test_damage_in_the_middle_is_passed_over(tmp_path, end):
    picture, sound = CONTAINERS[end]
    path = make_clip(
        tmp_path / f"d.{end}",
        Picture(numbered_frames(100, step=2), codec=picture),
        Sound(tone(4, 48_000), 48_000, codec=sound),
    )
    damage(path, 0.45, 0.5)
    info = probe(path)
    assert info.has_sound
    assert info.has_picture
    # Matroska is found again at its next cluster alone, and a short file has one.
    shortest = 1.5 if end in {"mkv", "webm"} else 3.4
    assert shortest < info.duration < 4.2
    assert shortest < len(read_sound(path)) / 16_000 < 4.2
    assert shortest < len(list(read_frames(path, rate=25))) / 25 < 4.2


def test_damaged_packets_are_logged(tmp_path, caplog):
    path = damage(make_clip(tmp_path / "d.mp4", Sound(tone(4))), 0.4, 0.5)
    assert len(read_sound(path)) == pytest.approx(64_000, abs=2048)
    assert "damaged audio packets" in caplog.text


@pytest.mark.parametrize("rate", [8000, 11_025, 22_050, 44_100, 48_000])
def test_resampling_keeps_every_moment(tmp_path, rate):
    path = make_clip(tmp_path / "s.wav", Sound(tone(2, rate), rate, codec="pcm_s16le"))
    wanted = tone(2)
    np.testing.assert_allclose(read_sound(path)[400:-400], wanted[400:-400], atol=1e-3)
    np.testing.assert_allclose(read_sound(path, start=1.1, end=1.5), wanted[17_600:24_000], atol=1e-3)


@pytest.mark.parametrize("end", ["mp4", "mkv", "ts"])
def test_sound_that_begins_late_is_heard_at_its_moment(tmp_path, end):
    path = make_clip(
        tmp_path / f"late.{end}", Picture(numbered_frames(75, step=3)), Sound(clicks(2, 0.5, 48_000), 48_000, start=0.8)
    )
    sound = read_sound(path)
    loud = np.nonzero(np.abs(sound) > 0.3)[0]
    assert not sound[: int(0.7 * 16_000)].any()
    assert loud[0] / 16_000 == pytest.approx(1.3, abs=0.03)
    np.testing.assert_allclose(read_sound(path, start=1.2)[:16_000], sound[19_200:35_200], atol=1e-3)


def test_a_gap_in_the_sound_is_silence(tmp_path):
    import av

    path = tmp_path / "gap.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=16_000, layout="mono")
        for first in [*range(0, 16_000, 1600), *range(32_000, 48_000, 1600)]:
            frame = av.AudioFrame.from_ndarray(np.full((1, 1600), 8000, "int16"), "s16", "mono")
            frame.sample_rate, frame.pts = 16_000, first
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    sound = read_sound(path)
    assert len(sound) == 48_000
    assert (sound[:16_000] > 0.2).all()
    assert not sound[16_000:32_000].any()
    assert (sound[32_000:] > 0.2).all()
    np.testing.assert_array_equal(read_sound(path, start=1.5, end=2.5), sound[24_000:40_000])


def test_long_sound_is_streamed_in_bounded_memory(tmp_path):
    path = make_clip(tmp_path / "long.wav", Sound(tone(120), codec="pcm_s16le"))
    tracemalloc.start()
    seconds = sum(len(block) for block in stream_sound(path, block=1)) / 16_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seconds == 120
    assert peak < 1_500_000  # the whole is 7.7 million bytes


def test_two_equal_channels_are_as_loud_as_one(tmp_path):
    path = make_clip(tmp_path / "s.wav", Sound(np.stack([2 * tone(1)] * 2), codec="pcm_s16le"))
    np.testing.assert_allclose(read_sound(path), 2 * tone(1), atol=1e-3)


def test_a_silent_file_has_no_sound(tmp_path):
    path = make_clip(tmp_path / "p.mp4", Picture(numbered_frames(10)))
    assert not probe(path).has_sound
    assert read_sound(path).shape == (0,)
    assert list(stream_sound(path)) == []


def test_cover_art_is_no_picture(tmp_path):
    cover = Picture(numbered_frames(1, 96, 96), codec="mjpeg", cover=True)
    path = make_clip(tmp_path / "song.mp3", Sound(tone(1), codec="libmp3lame"), cover)
    assert not probe(path).has_picture
    assert list(read_frames(path, rate=5)) == []
    assert probe(path).duration == pytest.approx(1, abs=0.06)


def test_the_largest_of_several_pictures_is_read(tmp_path):
    path = make_clip(tmp_path / "two.mkv", Picture(numbered_frames(5)), Picture(numbered_frames(5, 96, 128)))
    assert probe(path)[4:6] == (128, 96)
    assert next(read_frames(path, rate=5)).image.shape == (96, 128, 3)


@pytest.mark.parametrize("end", ["mp4", "mkv", "avi"])
@pytest.mark.parametrize("rate", [1.0, 5.0, 12.5, 25.0, 30.0])
def test_each_moment_shows_the_newest_frame(tmp_path, end, rate):
    path = make_clip(tmp_path / f"n.{end}", Picture(numbered_frames(25, step=10), codec="mpeg4"))
    frames = list(read_frames(path, rate=rate))
    assert [frame.time for frame in frames] == pytest.approx([k / rate for k in range(math.ceil(rate))])
    assert [number_of(f.image, step=10) for f in frames] == [int(f.time * 25 + 1e-6) for f in frames]


@pytest.mark.parametrize("end", ["mp4", "mkv"])
def test_a_variable_frame_rate_is_followed(tmp_path, end):
    times = [0.0, 0.1, 0.5, 0.52, 1.4]
    path = make_clip(tmp_path / f"v.{end}", Picture(numbered_frames(5, step=40), times=times))
    for start in (0.0, 0.3):
        for frame in read_frames(path, rate=10, start=start, end=1.4):
            newest = sum(time <= frame.time + 1e-6 for time in times) - 1
            assert number_of(frame.image, step=40) == newest
    assert len(list(read_frames(path, rate=10, end=1.4))) == 14


def test_the_first_frame_stands_in_for_a_picture_that_begins_late(tmp_path):
    late = Picture(numbered_frames(5, step=40), times=[0.4 + k / 25 for k in range(5)])
    path = make_clip(tmp_path / "late.mkv", late, Sound(tone(1)))
    frames = list(read_frames(path, rate=25))
    assert len(frames) == 15
    assert [number_of(f.image, step=40) for f in frames] == [0] * 11 + [1, 2, 3, 4]


def test_one_frame_is_a_video(tmp_path):
    path = make_clip(tmp_path / "one.mp4", Picture(numbered_frames(1) + 90))
    assert [number_of(frame.image, step=90) for frame in read_frames(path, rate=25)] == [1]
    assert probe(path).duration == pytest.approx(0.04, abs=0.001)


@pytest.mark.parametrize(("rotation", "corner"), [(0, (0, 0)), (90, (1, 0)), (180, (1, 1)), (-90, (0, 1))])
def test_a_turned_picture_is_upright(tmp_path, rotation, corner):
    path = make_clip(tmp_path / "r.mp4", Picture(corner_frames(3), rotation=rotation))
    image = next(read_frames(path, rate=25)).image
    info = probe(path)
    assert info.rotation == rotation % 360
    assert image.shape == (info.height, info.width, 3) == ((64, 48, 3) if rotation % 180 else (48, 64, 3))
    down, across = (slice(None, 16) if side == 0 else slice(-16, None) for side in corner)
    assert image[down, across].mean() > 200
    assert image.mean() == pytest.approx(64, abs=12)


def test_4k_is_made_smaller_in_bounded_memory(tmp_path):
    path = make_clip(tmp_path / "4k.mp4", Picture(numbered_frames(8, 2160, 3840, step=25), codec="mpeg4"))
    tracemalloc.start()
    count = 0
    for frame in read_frames(path, rate=25):
        assert frame.image.shape == (360, 640, 3)
        assert number_of(frame.image, step=25) == count
        count += 1
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 8
    assert peak < 3_500_000  # eight images are 5.5 million bytes
    assert next(read_frames(path, rate=1, longest_side=None)).image.shape == (2160, 3840, 3)


def test_raw_streams_without_time_stamps_are_measured(tmp_path):
    picture = make_clip(tmp_path / "p.h264", Picture(numbered_frames(25)))
    assert probe(picture).duration == pytest.approx(1)
    assert [number_of(f.image) for f in read_frames(picture, rate=5)] == [0, 5, 10, 15, 20]
    sound = make_clip(tmp_path / "s.aac", Sound(tone(1)))
    assert probe(sound).duration == pytest.approx(len(read_sound(sound)) / 16_000, abs=0.01)


@pytest.mark.parametrize("end", ["mkv", "ts"])
def test_half_a_file_is_as_long_as_what_is_there(tmp_path, end):
    path = truncate(talking_clip(tmp_path / f"t.{end}", seconds=6), 0.5)
    info = probe(path)
    assert 1.5 < info.duration < 4.5
    assert len(list(read_frames(path, rate=25))) / 25 == pytest.approx(info.duration, abs=0.3)


NAMES = ["a b%03d.mp4", "http:x?y=1#z.mp4", "视频 '\";$.mp4", "-i.mp4", "two\nlines.mp4", os.fsdecode(b"\xff\xfe.mp4")]


@pytest.mark.parametrize("name", NAMES)
def test_odd_file_names_work(tmp_path, name):
    talking_clip(tmp_path / "plain.mp4", 0.4).rename(tmp_path / name)
    assert probe(tmp_path / name).has_picture


BAD = {
    "missing.mp4": lambda path: path,
    "folder.mp4": lambda path: path.mkdir() or path,
    "empty.mp4": lambda path: path.touch() or path,
    "words.mp4": not_a_video,
    "words.txt": not_a_video,
    "two\nlines.mp4": not_a_video,
    "list.m3u8": lambda path: path.write_text("#EXTM3U\n#EXTINF:1,\nplain.ts\n") and path,
    "list.mp4": lambda path: path.write_text("ffconcat version 1.0\nfile plain.mp4\n") and path,
    "subtitles.srt": lambda path: path.write_text("1\n00:00:00,000 --> 00:00:01,000\nWords\n\n") and path,
    "cut.mp4": lambda path: truncate(talking_clip(path), 0.5),
    "cut.mkv": lambda path: truncate(talking_clip(path), 0.05),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_read_is_one_line(tmp_path, name):
    talking_clip(tmp_path / "plain.mp4", 0.4)
    talking_clip(tmp_path / "plain.ts", 0.4)
    path = BAD[name](tmp_path / name)
    for read in (probe, read_sound, lambda p: list(stream_sound(p)), lambda p: list(read_frames(p, rate=5))):
        if name == "cut.mkv" and read is not probe:
            continue
        with pytest.raises(MediaError) as failure:
            read(path)
        assert "\n" not in str(failure.value)
        assert name.split("\n")[0] in str(failure.value)


@pytest.mark.parametrize("wrong", [{"rate": 0}, {"rate": -1}, {"start": -1.0}, {"start": 2.0, "end": 1.0}])
def test_moments_without_sense_are_refused(tmp_path, wrong):
    path = talking_clip(tmp_path / "a.mp4", 0.4)
    with pytest.raises(MediaError):
        read_sound(path, **wrong)
    with pytest.raises(MediaError):
        list(read_frames(path, **({"rate": 5} | wrong)))


@pytest.mark.skipif(not REAL_CLIPS.is_dir(), reason="the real clips are not part of the repository")
@pytest.mark.parametrize("name", ["talking_1.mp4", "talking_2.mp4", "zh_read.wav"])
def test_real_clips_are_read(name):
    info = probe(REAL_CLIPS / name)
    sound = read_sound(REAL_CLIPS / name)
    assert len(sound) / 16_000 == pytest.approx(info.duration, abs=0.1)
    assert np.abs(sound).max() > 0.05
    frames = sum(1 for _ in read_frames(REAL_CLIPS / name, rate=5))
    assert frames == (pytest.approx(info.duration * 5, abs=1.5) if info.has_picture else 0)


def test_a_late_part_of_a_long_file_is_found_without_reading_all_before_it(tmp_path, monkeypatch):
    noise = np.random.default_rng(0).normal(0, 0.1, 16000 * 150).astype("float32")
    path = make_clip(tmp_path / "long.mkv", Sound(noise))
    whole, read = read_sound(path), []
    packets = streams.packets
    monkeypatch.setattr(streams, "packets", lambda *given: (read.append(1) or each for each in packets(*given)))
    part = read_sound(path, start=120.0, end=121.0)
    places = range(120 * 16000 - 16, 120 * 16000 + 17)  # the stamps are of milliseconds
    assert max(np.corrcoef(part, whole[place : place + len(part)])[0, 1] for place in places) > 0.99
    assert len(read) < 300  # of some 2,300
