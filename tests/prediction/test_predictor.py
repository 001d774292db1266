"""What is said of an utterance: clipped to the scale, with an interval, and only what the model can be trusted with."""

from dataclasses import replace

import numpy as np
import pytest

from imlcmm.calibration import Calibration, Curve
from imlcmm.features.clip_extractor import ClipExtractor, ExtractedClip
from imlcmm.features.feature_set import Features, FeatureSet
from imlcmm.features.text.encoder import TextFeatures
from imlcmm.features.words.utterances import Utterance
from imlcmm.features.words.word import Word
from imlcmm.prediction.batching import to_arrays
from imlcmm.prediction.contributions import TRIED
from imlcmm.prediction.moments import moments
from imlcmm.prediction.networks.network import Scores
from imlcmm.prediction.predictor import UNPROVEN, UNTRAINED, Predictor
from imlcmm.types import MODALITIES, DataSpec

SPEC = DataSpec(widths={"text": 2, "audio": 3, "vision": 4}, steps={"text": 4, "audio": 9, "vision": 9})
CURVE = Curve(clips=100, half_width=0.5, intercept=0.0, slope=2.0)


class Says:
    """A network that says what it is told to say."""

    spec, means = SPEC, {m: np.zeros(width, np.float32) for m, width in SPEC.widths.items()}

    def __init__(self, sentiment: float, calibration: Calibration | None = None, **unimodal: float) -> None:
        self.calibration = calibration
        self.read: set[str] = set()
        self.said = Scores(np.array([sentiment]), {m: np.array([value]) for m, value in unimodal.items()})

    def __call__(self, clips):
        self.read = {m for m in MODALITIES if clips.masks[m].any()}
        return self.said


class Extracts(ClipExtractor):
    """An extractor of which only the description is needed."""

    def __init__(self, sets):
        self.sets, self.text = sets, None

    @property
    def feature_sets(self):
        return self.sets


SETS = {m: FeatureSet(m, m, ("x",), ("1",), None, "0") for m in MODALITIES}


def clip(*present):
    steps = {"text": 4, "audio": 9, "vision": 9}
    features = {
        m: Features(np.ones((steps[m], SPEC.widths[m]), np.float32), np.arange(2 * steps[m]).reshape(-1, 2) / 20)
        for m in present
    }
    missing = {m: f"no {m}" for m in MODALITIES if m not in present}
    return ExtractedClip("good day", (Word("good", 0.0, 0.5), Word("day", 0.5, 1.0)), features, None, missing)


def score(model, *present, curves=(), trained=SETS):
    model.calibration = Calibration(MODALITIES, dict.fromkeys(curves, CURVE)) if curves else None
    predictor = Predictor(model, Extracts(trained), "it")
    return predictor.score(Utterance(10.0, 11.0, "good day"), clip(*present))


def test_sentiment_and_interval_stay_on_the_scale():
    said = score(Says(7.0), *MODALITIES, curves=["multimodal text audio vision"])
    assert said.sentiment == 1.0
    assert said.interval == (0.5, 1.0)
    assert said.confidence == pytest.approx(1 / (1 + np.exp(-2.0)))


def test_confidence_is_that_of_the_modalities_that_were_read():
    curves = {"multimodal text": replace(CURVE, half_width=0.1), "multimodal text audio vision": CURVE}
    model = Says(0.2, Calibration(MODALITIES, curves))
    predictor = Predictor(model, Extracts(SETS), "it")
    said = predictor.score(Utterance(0.0, 1.0, ""), clip("text"))
    assert said.interval == pytest.approx((0.1, 0.3))
    assert model.read == {"text"}
    assert predictor.score(Utterance(0.0, 1.0, ""), clip("text", "audio")).interval is None


def test_what_validation_cannot_speak_for_has_doubts_instead_of_an_interval():
    curve = replace(CURVE, lengths=(5, 20, 60), by_length=(0.0, 0.0, 0.0))
    model = Says(0.3, Calibration(MODALITIES, {"multimodal text": curve, "multimodal audio": curve}))
    predictor = Predictor(model, Extracts(SETS), "it")
    said = predictor.score(Utterance(0.0, 1.0, "good day"), clip("text"))
    assert (said.sentiment, said.doubts, said.interval, said.confidence) == (0.3, ("few words",), None, None)
    assert predictor.score(Utterance(0.0, 1.0, ""), clip("audio")).doubts == (), "the doubts are of words"


def test_one_modality_says_as_much_alone_as_its_own_head():
    curve = Curve(100, 0.5, 0.0, 2.0, knots=(-1.5, 0.0, 1.5), values=(-0.6, 0.0, 0.6))
    model = Says(-1.4, Calibration(MODALITIES, {"text": curve, "multimodal text": CURVE}), text=1.0)
    said = Predictor(model, Extracts(SETS), "it").score(Utterance(0.0, 1.0, ""), clip("text"))
    assert said.sentiment == said.unimodal["text"] == pytest.approx(0.4)
    assert said.interval == pytest.approx((-0.1, 0.9))


def test_what_lies_beyond_the_scale_is_put_in_its_place_and_not_at_the_pole():
    curve = Curve(100, 0.5, 0.0, 2.0, knots=(-2.0, 0.0, 2.0), values=(-0.8, 0.0, 0.8))
    model = Says(1.75, Calibration(MODALITIES, {"multimodal text": curve}))
    said = Predictor(model, Extracts(SETS), "it").score(Utterance(0.0, 1.0, ""), clip("text"))
    assert said.sentiment == pytest.approx(0.7)


def test_only_heads_that_validation_could_judge_speak():
    model = Says(0.5, text=0.9, audio=-0.9, vision=0.1)
    said = score(model, "text", "audio", curves=["text", "multimodal text audio"])
    assert said.unimodal == pytest.approx({"text": 0.9})
    assert said.missing == {"vision": "no vision", "audio": UNPROVEN}
    assert said.agreement == ""


@pytest.mark.parametrize(
    ("text", "audio", "agreement"),
    [(0.9, -0.9, "conflict"), (0.9, 0.2, "agreement"), (0.9, -0.05, "agreement"), (0.0, 0.0, "agreement")],
)
def test_modalities_conflict_where_both_sides_are_clear(text, audio, agreement):
    said = score(Says(0.0, text=text, audio=audio), "text", "audio")
    assert said.agreement == agreement


def test_nothing_to_read_is_no_number():
    said = score(Says(0.3))
    assert (said.sentiment, said.interval, said.confidence) == (None, None, None)
    assert said.missing == {m: f"no {m}" for m in MODALITIES}


def test_what_the_model_was_not_trained_on_is_told_so():
    said = score(Says(0.3), "text", trained={"text": SETS["text"]})
    assert said.missing == {"audio": UNTRAINED, "vision": UNTRAINED}
    assert said.words == [Word("good", 10.0, 10.5), Word("day", 10.5, 11.0)]


def test_frames_that_could_not_be_measured_are_masked_and_single_values_filled():
    given = clip(*MODALITIES)
    values = given.features["vision"].values
    values[2] = np.nan
    values[3, 1] = np.nan
    arrays = to_arrays([given, clip("text")], SPEC, ("text", "vision"), {"vision": np.full(4, 7.0)})
    assert arrays.masks["vision"][0].tolist() == [True, True, False, *[True] * 6]
    assert arrays.sequences["vision"][0, 3].tolist() == [1, 7, 1, 1]
    assert np.isfinite(arrays.sequences["vision"]).all()
    assert not arrays.masks["audio"].any()
    assert not arrays.masks["vision"][1].any()
    assert arrays.sequences["text"].shape == (2, 4, 2)


def test_moments_are_what_weighs_more_than_its_share():
    weights = {"audio": np.full((1, 9), 0.1), "text": np.full((1, 4), 0.25)}
    weights["audio"][0, 7] = 0.9
    found = moments(Scores(np.zeros(1), attention=weights), clip("text", "audio"), MODALITIES, 10.0)
    assert {moment.modality for moment in found} == {"audio"}, "words have their contributions"
    assert found[0].start == pytest.approx(10.5)
    assert found[0].weight > 1
    assert moments(Scores(np.zeros(1), attention=weights), clip("text", "audio"), ("text",), 10.0) == ()
    assert moments(Scores(np.zeros(1)), clip("text", "audio"), MODALITIES, 0.0) == ()


class Adds(Says):
    """A network that adds up the first column of the text."""

    def __init__(self):
        super().__init__(0.0)

    def __call__(self, clips):
        return Scores((clips.sequences["text"][..., 0] * clips.masks["text"]).sum(1))


class ReadsAnew(Extracts):
    """An extractor that knows what some texts are worth."""

    def __init__(self, worth):
        super().__init__(SETS)
        self.worth, self.read = worth, []
        self.text = self

    def __call__(self, texts):
        self.read += texts
        return [TextFeatures(np.full((1, 2), self.worth[t] / 4), np.zeros((1, 3), int), ("",), SPAN) for t in texts]


SPAN = np.zeros((1, 2), int)


@pytest.mark.parametrize(
    ("said", "spans", "states", "worth", "named"),
    [
        (
            "not good, really!",
            [(0, 0), (0, 3), (4, 8), (8, 9), (10, 13), (13, 16), (16, 17), (0, 0)],
            [0.0, -0.6, 0.3, 0.9, 0.1, 0.1, 0.9, 0.0],
            {"good, really!": 3.1, "not , really!": 1.6, "not good, !": 1.9},
            [("not", -1.4), ("really", -0.2)],
        ),
        (
            "很不喜欢。",
            [(0, 0), (0, 1), (1, 2), (2, 4), (4, 5), (0, 0)],
            [0, 0.01, -0.5, 0.4, 0.2, 0],
            {"不喜欢。": 0.11, "很喜欢。": 1.11, "很不。": -0.29},
            [("不", -1.0), ("喜欢", 0.4)],
        ),
    ],
)
def test_words_without_which_the_text_says_something_else_are_named_and_punctuation_never(
    said, spans, states, worth, named
):
    values = np.zeros((len(spans), 2), np.float32)
    values[:, 0] = np.array(states) / 4
    times = np.where(np.array(spans)[:, :1] < np.array(spans)[:, 1:], np.array(spans) / 10, np.nan)
    text = TextFeatures(values, np.zeros((len(spans), 3), int), ("",) * len(spans), np.array(spans))
    given = clip("text")._replace(transcript=said, features={"text": Features(values, times)}, text=text)
    found = Predictor(Adds(), ReadsAnew(worth), "it").score(Utterance(10.0, 11.0, said), given).contributions
    assert [(each.word, round(4 * each.change, 2)) for each in found] == named
    begin, end = spans[1] if said.startswith("not") else spans[2]
    assert (found[0].start, found[0].end) == pytest.approx((10 + begin / 10, 10 + end / 10))


def test_of_a_long_text_the_likely_words_are_tried():
    said = " ".join(f"w{i:02}" for i in range(40))
    spans = np.array([(4 * i, 4 * i + 3) for i in range(40)])
    values = np.zeros((40, 2), np.float32)
    values[5:20, 0] = np.arange(15) / 100
    worth = {" ".join(w for w in said.split() if w != f"w{i:02}"): 0.0 for i in range(40)}
    text = TextFeatures(values, np.zeros((40, 3), int), ("",) * 40, spans)
    given = clip("text")._replace(transcript=said, features={"text": Features(values, spans / 10)}, text=text)
    reads = ReadsAnew(worth)
    Predictor(Adds(), reads, "it").score(Utterance(0.0, 1.0, said), given)
    assert len(reads.read) == TRIED
    assert "w19" not in reads.read[0]


def test_one_word_hinges_on_nothing():
    assert Predictor(Says(0.5), Extracts(SETS), "it").score(Utterance(0.0, 1.0, ""), clip("text")).contributions == ()
