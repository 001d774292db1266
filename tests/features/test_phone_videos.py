"""Files as phones, recorders and editors write them: what is in them is read, in full and the right way up."""

import av
import numpy as np
import pytest

from clips import Picture, Sound, make_clip, number_of, numbered_frames, tone
from imlcmm.features.media.pictures import read_frames
from imlcmm.features.media.probe import probe
from imlcmm.features.media.sound import read_sound
from imlcmm.features.subtitles.transcripts import read_transcript

FRAMES = numbered_frames(25, 96, 96)


def rewrite(source, path, options=None, codec=None, pixels=None, default=None):
    """Write a file again: with a muxer's options, another video codec or pixel format, or a track marked as usual."""
    with av.open(str(source)) as given, av.open(str(path), "w", container_options=options or {}) as written:
        streams = {}
        for stream in given.streams:
            if codec and stream.type == "video":
                made = written.add_stream(codec, rate=25)
                made.width, made.height, made.pix_fmt = stream.width, stream.height, pixels
                made.codec_context.max_b_frames = 0
            else:
                made = written.add_stream_from_template(stream)
            if default is not None:
                made.disposition = av.stream.Disposition.default if stream.index == default else 0
            streams[stream.index] = made
        for packet in given.demux():
            made = streams[packet.stream.index]
            if codec and packet.stream.type == "video":
                for frame in packet.decode():
                    written.mux(made.encode(frame.reformat(format=pixels)))
            elif packet.dts is not None:
                packet.stream = made
                written.mux(packet)
        if codec:
            written.mux(next(s for s in streams.values() if s.type == "video").encode(None))
    return path


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "clip.mkv"
    return make_clip(path, Picture(FRAMES, codec="ffv1"), Sound(tone(1), codec="flac"))


def check(path, seconds=1.0):
    """Check what a file of `FRAMES` and a tone holds."""
    info = probe(path)
    assert info.duration == pytest.approx(seconds, abs=0.1)
    assert [number_of(frame.image) for frame in read_frames(path, rate=25)] == list(range(25))
    sound = read_sound(path)
    assert len(sound) == pytest.approx(16_000 * seconds, abs=1600)
    assert np.abs(sound[2000:-2000]).max() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(
    ("codec", "pixels"),
    [("libx265", "yuv420p"), ("libx265", "yuv420p10le"), ("libx264", "yuv420p10le")],
)
def test_hevc_and_ten_bits(clip, tmp_path, codec, pixels):
    check(rewrite(clip, tmp_path / "phone.mkv", codec=codec, pixels=pixels))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("fragments.mp4", {"movflags": "frag_keyframe+empty_moov+default_base_moof"}),
        ("front.mp4", {"movflags": "faststart"}),
        ("live.mkv", {"live": "1"}),
    ],
)
def test_fragments_and_recordings_without_a_duration(clip, tmp_path, name, options):
    source = rewrite(clip, tmp_path / "source.mp4", codec="libx264", pixels="yuv420p")
    check(rewrite(source, tmp_path / name, options))


@pytest.mark.parametrize(("default", "loudness"), [(1, 0.5), (2, 0.125)])
def test_of_several_sound_tracks_the_usual_one_is_heard(tmp_path, default, loudness):
    quiet = Sound(tone(1) / 4, codec="flac")
    source = make_clip(tmp_path / "two.mkv", Picture(FRAMES, codec="ffv1"), Sound(tone(1), codec="flac"), quiet)
    path = rewrite(source, tmp_path / "chosen.mkv", default=default)
    assert np.abs(read_sound(path)).max() == pytest.approx(loudness, abs=0.01)


@pytest.mark.parametrize(
    ("codec", "rate"),
    [("pcm_mulaw", 8_000), ("pcm_alaw", 8_000), ("pcm_s24le", 48_000), ("pcm_u8", 11_025), ("pcm_f64le", 96_000)],
)
def test_sound_as_telephones_and_recorders_store_it(tmp_path, codec, rate):
    path = make_clip(tmp_path / "voice.wav", Sound(tone(1, rate), rate, codec=codec))
    sound = read_sound(path)
    assert len(sound) == pytest.approx(16_000, abs=20)
    middle = slice(2000, -2000)
    assert np.corrcoef(sound[middle], tone(1)[: len(sound)][middle])[0, 1] > 0.999


def test_a_gif_is_a_video_without_sound(tmp_path):
    path = make_clip(tmp_path / "smile.gif", Picture(numbered_frames(10, step=25), rate=10, codec="gif"))
    info = probe(path)
    assert (info.has_picture, info.has_sound) == (True, False)
    assert info.duration == pytest.approx(1, abs=0.15)
    shown = [float(frame.image.mean()) for frame in read_frames(path, rate=10)]
    assert len(shown) >= 9
    assert shown == sorted(shown)


def test_subtitles_that_overlap_and_stand_without_blank_lines(tmp_path):
    (tmp_path / "two.srt").write_text(
        "1\n00:00:01,000 --> 00:00:03,000\nfirst\n2\n00:00:02,000 --> 00:00:04,000\nsecond\n", encoding="utf-8"
    )
    found = read_transcript(tmp_path / "two.srt")
    assert [(one.start, one.end, one.text) for one in found] == [(1, 3, "first"), (2, 4, "second")]
