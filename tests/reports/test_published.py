"""The published numbers are those of the paper, and are never shown as ours."""

import math

import pytest

from imlcmm.models import list_models
from imlcmm.reports.experiments.settings import ABLATIONS, TASKS
from imlcmm.reports.tables.published import published, published_beside


def test_table2_names_every_model_of_the_registry():
    table = published("table2").table
    assert set(table.index) == set(list_models())
    assert table.loc["IMLCMM"].tolist() == [83.85, 83.95, 76.89, 76.10, 56.29, 0.269]
    assert math.isnan(table.loc["ALMT", "R2"])


def test_the_rows_of_tables_4_and_5_are_those_of_the_settings():
    assert set(published("table4").table.index) <= {setting.name for setting in ABLATIONS}
    assert list(published("table5").table.index) == [setting.name for setting in TASKS]
    full, tasks = published("table4").table, published("table5").table
    assert full.loc["full"].tolist() == tasks.loc["MTAV"].tolist()
    assert full.loc["no UFA"].tolist() == tasks.loc["M"].tolist()


def test_the_classes_of_a_split_add_up():
    table = published("table1").table
    for split in ("train", "valid", "test"):
        assert table.loc[split, "NEG":"POS"].sum() == table.loc[split, "clips"]


@pytest.mark.parametrize("name", ["table1", "table2", "table3", "table4", "table5", "figure6", "later"])
def test_a_table_says_that_it_is_not_ours_and_what_is_wrong_with_it(name):
    text = published(name).markdown
    assert "Not ours" in text
    assert "nan" not in text
    assert all(note in text for note in published(name).notes)


def test_the_weak_accuracy_of_table_2_is_known_to_be_wrong():
    assert any("76.89" in note and "75.57" in note for note in published("table2").notes)


def test_published_numbers_stand_beside_their_own_kind_alone():
    assert published("table1").markdown in published_beside("simsv2", "table1", "later")
    for kind in ("mosi", "sims", "own"):
        assert published_beside(kind, "table1") == (
            "The published numbers are of CH-SIMS v2, so they do not stand beside these."
        )
