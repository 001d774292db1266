"""Labels: what comes next, how far raters agree, and that `extract` reads what is written."""

import numpy as np
import pytest

from imlcmm.datasets.labels.label_export import LabelledRow, label_csv
from imlcmm.datasets.labels.label_table import read_rows
from imlcmm.serve.jobs.labelled import splits_of


def put(client, utterance, rater, **labels):
    return client.put(f"/api/v1/utterances/{utterance}/labels", json={"rater": rater, "labels": labels})


def following(client, rater="Ann", **wanted):
    return client.get("/api/v1/labels/next", params={"rater": rater, **wanted}).json()


@pytest.fixture
def three(client, add):
    number = add(utterances=[(0, 1, "a", 0.1, 0.9, ""), (1, 2, "b", 0.1, 0.5, ""), (2, 3, "c", 0.1, 0.7, "")])
    return [each["id"] for each in client.get(f"/api/v1/recordings/{number}").json()["utterance_list"]]


def test_what_the_model_is_least_sure_of_comes_first(client, three):
    assert following(client)["utterance"]["id"] == three[1]
    assert following(client, order="time")["utterance"]["id"] == three[0]
    put(client, three[1], "Ann", multimodal=0.4)
    told = following(client)
    assert (told["utterance"]["id"], told["done"], told["left"]) == (three[2], 1, 2)
    assert following(client, "Ben")["utterance"]["id"] == three[1], "each rater has an order of their own"
    assert following(client, skip=[three[2]])["utterance"]["id"] == three[0]


def test_what_was_skipped_comes_again_at_the_end(client, three):
    put(client, three[0], "Ann", multimodal=0.0)
    put(client, three[2], "Ann", multimodal=0.0)
    assert following(client, skip=[three[1]])["utterance"]["id"] == three[1]
    put(client, three[1], "Ann", multimodal=0.0)
    assert following(client)["utterance"] is None


def test_an_utterance_is_done_when_all_targets_are(client, three):
    put(client, three[1], "Ann", text=0.4)
    both = {"targets": ["text", "multimodal"]}
    assert following(client, **both)["labels"] == {"text": 0.4}
    put(client, three[1], "Ann", multimodal=0.4)
    assert following(client, **both)["utterance"]["id"] == three[2]


def test_a_label_can_be_changed_and_taken_back(client, three):
    assert put(client, three[0], "Ann", multimodal=0.4, text=-0.2).json() == {"multimodal": 0.4, "text": -0.2}
    assert put(client, three[0], "Ann", multimodal=-0.8, text=None).json() == {"multimodal": -0.8}
    assert client.get(f"/api/v1/utterances/{three[0]}/labels").json() == {"Ann": {"multimodal": -0.8}}


@pytest.mark.parametrize(
    "body",
    [
        {"rater": "", "labels": {"multimodal": 0}},
        {"rater": "A", "labels": {"mood": 0}},
        {"rater": "A", "labels": {"multimodal": 2}},
        {"rater": "A" * 300, "labels": {}},
        {"labels": {}},
    ],
)
def test_labels_that_make_no_sense_are_refused(client, three, body):
    assert client.put(f"/api/v1/utterances/{three[0]}/labels", json=body).status_code == 422


def test_agreement_is_krippendorffs_alpha(client, three):
    pairs = [(-0.8, -0.4), (0.0, 0.0), (0.8, 0.4)]
    for utterance, (first, second) in zip(three, pairs, strict=True):
        put(client, utterance, "Ann", multimodal=first)
        put(client, utterance, "Ben", multimodal=second)
    put(client, three[0], "Cem", text=0.4)
    summary = client.get("/api/v1/labels/summary").json()
    told = {one["target"]: one for one in summary["agreement"]}
    # alpha = 1 - D_o / D_e with squared distances: within units, and between all values (Krippendorff 2011).
    values = np.array(pairs)
    observed = np.mean((values[:, 0] - values[:, 1]) ** 2)
    every = values.ravel()
    expected = np.sum((every[:, None] - every[None]) ** 2) / (len(every) * (len(every) - 1))
    assert told["multimodal"]["alpha"] == pytest.approx(1 - observed / expected)
    assert (told["multimodal"]["shared"], told["multimodal"]["raters"]) == (3, 2)
    assert told["text"] == {"target": "text", "labelled": 1, "raters": 1, "shared": 0, "alpha": None}
    assert summary["raters"] == {"Ann": 3, "Ben": 3, "Cem": 1}


def test_agreement_says_nothing_where_all_say_the_same(client, three):
    for rater in ("Ann", "Ben"):
        put(client, three[0], rater, multimodal=0.0)
    told = client.get("/api/v1/labels/summary").json()["agreement"][0]
    assert (told["shared"], told["alpha"]) == (1, None)


def test_the_label_file_is_read_by_extract(client, add, tmp_path):
    texts = ["plain", '=danger, "quoted"', "逗号，也行", ""]
    number = add("my talk.mp4", [(i, i + 1, text, 0.1, 0.9, "") for i, text in enumerate(texts)])
    ids = [each["id"] for each in client.get(f"/api/v1/recordings/{number}").json()["utterance_list"]]
    for utterance in ids:
        put(client, utterance, "Ann", multimodal=0.4, text=-0.2)
        put(client, utterance, "Ben", multimodal=0.8)
    file = tmp_path / "label.csv"
    file.write_bytes(client.get("/api/v1/labels.csv").content)
    rows = read_rows(file)
    assert [row.cells["text"] for row in rows] == texts
    assert [row.cells["clip_id"] for row in rows] == ["0001", "0002", "0003", "0004"]
    assert {row.cells["video_id"] for row in rows} == {"my_talk"}
    assert {(row.cells["label"], row.cells["label_T"], row.cells["label_A"]) for row in rows} == {("0.6", "-0.2", "")}
    assert all(row.split for row in rows)


def test_no_cell_of_a_label_file_begins_a_formula():
    text = label_csv([LabelledRow("v", "1", "=1+1", {"multimodal": -0.5}, "train")])
    assert text.splitlines()[1] == "v,1, =1+1,-0.5,,,,Negative,train"


def test_without_labels_there_is_no_file(client):
    assert client.get("/api/v1/labels.csv").status_code == 409


def test_many_recordings_are_split_whole():
    owners = [recording for recording in range(20) for _ in range(5)]
    splits = splits_of(owners)
    of = {owner: {s for o, s in zip(owners, splits, strict=True) if o == owner} for owner in owners}
    assert all(len(found) == 1 for found in of.values())
    assert splits.count("train") == 70
    assert splits.count("valid") == splits.count("test") == 15


def test_few_recordings_are_split_in_time():
    splits = splits_of([1] * 20)
    assert splits == ["train"] * 14 + ["valid"] * 3 + ["test"] * 3
