"""What sets an utterance apart from the clips that the model was measured on."""

import pytest

from imlcmm.calibration import Calibration, Curve
from imlcmm.features.words.utterances import Utterance
from imlcmm.features.words.word import Word
from imlcmm.prediction.doubts import doubts

CURVE = Curve(200, 0.5, 0.1, 2.0, lengths=(6, 20, 60), by_length=(0.0, 0.0, 0.0))
LEARNT = Calibration(("text",), {"text": CURVE}, ("zh", "en"))


def of(text, *, language="", steps=20, chances=(None,), calibration=LEARNT):
    words = [Word("word", float(i), i + 1.0, chance) for i, chance in enumerate(chances)]
    return doubts(Utterance(0.0, 5.0, text, tuple(words), language), words, calibration, CURVE, steps)


def test_a_clip_like_those_of_validation_leaves_no_doubt():
    assert of("I think it went rather well, all things considered.", chances=(0.9, 0.6)) == ()
    assert of("这部电影真的很好看", steps=6) == ()


@pytest.mark.parametrize("language", ["", "de"])
def test_a_language_that_no_clip_was_in_is_named(language):
    assert of("Das war leider gar nicht so gut, wie wir gehofft hatten.", language=language) == (
        "language not learnt (de)",
    )


def test_what_was_heard_counts_more_than_what_it_looks_like():
    assert of("Das war leider gar nicht so gut, wie wir gehofft hatten.", language="en") == ()


def test_nothing_is_said_of_languages_where_those_of_the_clips_are_not_known():
    assert of("Das war leider gar nicht gut, sagte er.", calibration=Calibration(("text",), {"text": CURVE})) == ()


def test_few_words_and_unclear_speech_are_named():
    assert of("good", steps=5, chances=(0.3, 0.4)) == ("few words", "unclear speech")
