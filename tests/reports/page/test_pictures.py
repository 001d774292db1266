"""The pictures of pages hold what they are given, and stand in a page without touching one another."""

import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from imlcmm.reports.page.charts import confidence_against_right, error_curves, loss_curves, loss_terms, term_curves
from imlcmm.reports.page.svg import COLOURS, INK, house_style, inline


def history(epochs, **columns):
    return pd.DataFrame({"epoch": range(epochs), **columns})


def drawn(figure):
    """Give the points of each line by its colour and marker."""
    (axes,) = figure.axes
    return [(line.get_color(), line.get_marker(), line.get_xydata().tolist()) for line in axes.lines]


def test_each_seed_has_its_curves_and_a_dot_at_the_selected_epoch():
    seeds = [
        history(3, train_loss=[3.0, 2.0, 1.0], valid_loss=[3.0, 1.0, 2.0]),
        history(2, train_loss=[4.0, 3.0], valid_loss=[4.0, 2.0]),
    ]
    lines = drawn(loss_curves(seeds, selected=[1, 1]))
    assert [points for colour, marker, points in lines if colour == COLOURS["multimodal"] and marker == "None"] == [
        [[1, 3], [2, 1], [3, 2]],
        [[1, 4], [2, 2]],
    ]
    dots = [points for colour, marker, points in lines if colour == INK and marker == "o"]
    assert [[2, 1]] in dots
    assert [[2, 2]] in dots


def test_a_single_epoch_is_a_point_and_a_missing_column_is_no_curve():
    figure = error_curves([history(1, valid_mae=[0.5])], selected=[0])
    assert ("o", [[1, 0.5]]) in [(marker, points) for _, marker, points in drawn(figure)]
    assert drawn(error_curves([history(2, train_loss=[1.0, 2.0])], selected=[1])) == []


def test_the_parts_of_the_loss_are_heads_and_others():
    plain = history(1, train_loss=[1.0], train_multimodal=[1.0])
    assert loss_terms([plain]) == []
    mixed = plain.assign(train_text=0.1, train_mixup_audio=0.2, valid_loss=3.0)
    assert loss_terms([mixed]) == [["multimodal", "text"], ["mixup_audio"]]
    labels = [text.get_text() for text in term_curves([mixed], ["multimodal", "text"]).legends[0].get_texts()]
    assert labels == ["multimodal", "text"]


def test_nothing_to_judge_leaves_the_promise_alone():
    ((_, _, points),) = drawn(confidence_against_right([]))
    assert points == [[0.5, 0.5], [1, 1]]


@pytest.fixture
def figure():
    with house_style():
        figure = Figure(figsize=(2, 1))
        axes = figure.subplots()
        axes.plot(np.arange(20), np.arange(20) / 3, "o", color=COLOURS["text"])
        axes.set_title("clip $_$ <b>1</b> & 2")
        return figure


def test_a_picture_in_a_page_has_the_page_s_colours_and_no_markup_of_its_words(figure):
    svg = inline(figure, 'one "<clip>"')
    assert 'aria-label="one &#34;&lt;clip&gt;&#34;"' in svg
    assert "var(--text)" in svg
    assert COLOURS["text"] not in svg
    assert "clip $_$ &lt;b&gt;1&lt;/b&gt; &amp; 2" in svg
    assert "font-family" not in svg
    assert "<style" not in svg
    assert not re.search(r"\d\.\d{3}", " ".join(re.findall(r' (?:d|x|y)="([^"]*)"', svg)))


def test_pictures_of_a_page_share_no_ids_and_the_same_picture_is_the_same_text(figure):
    first, again, other = inline(figure, "first"), inline(figure, "first"), inline(figure, "other")
    assert first == again
    ids = [set(re.findall(r' id="([^"]+)"', svg)) for svg in (first, other)]
    assert all(ids)
    assert not ids[0] & ids[1]
    for svg, known in zip((first, other), ids, strict=True):
        assert set(re.findall(r'href="#([^"]+)"', svg)) <= known
