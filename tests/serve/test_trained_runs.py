"""Data sets and runs: what can be started, and what is refused before it costs anything."""

import shutil

import pytest

from imlcmm.serve.state.tables import DONE, Job


@pytest.fixture
def data(app, client, simulated_folder):
    shutil.copytree(simulated_folder, app.state.bench.workspace.datasets / "mine")
    return "mine"


def finished(app, name, data="mine"):
    with app.state.bench.sessions.begin() as session:
        payload = {"data": data, "model": "LF_DNN", "seeds": 1, "epochs": 1}
        session.add(Job(kind="train", subject=name, state=DONE, payload=payload))


def test_stores_in_the_workspace_are_found(client, app, data):
    (app.state.bench.workspace.datasets / "no store").mkdir()
    (found,) = client.get("/api/v1/datasets").json()
    assert (found["name"], found["kind"], found["simulated"]) == ("mine", "simsv2", True)
    assert found["clips"] == {"train": 65, "valid": 24, "test": 40, "unlabelled": 30}


def test_all_sixteen_models_are_offered_with_their_ideas(client):
    models = client.get("/api/v1/models").json()
    assert len(models) == 16
    assert all(each["idea"] for each in models)


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"name": "../x"}, 422, "name"),
        ({"name": "x/y"}, 422, "name"),
        ({"name": ""}, 422, "name"),
        ({"data": "../mine"}, 422, "data"),
        ({"data": "other"}, 404, "there is no data set other"),
        ({"model": "Nonsense"}, 422, "there is no model Nonsense"),
        ({"model": "os.system"}, 422, "model"),
        ({"seeds": 0}, 422, "seeds"),
        ({"epochs": 0}, 422, "epochs"),
    ],
)
def test_runs_that_make_no_sense_are_refused(client, data, change, status, words):
    run = {"name": "first", "data": "mine", "model": "LF_DNN", "seeds": 1, "epochs": 1, **change}
    answer = client.post("/api/v1/runs", json=run)
    assert answer.status_code == status
    assert words in answer.json()["error"]


def test_names_are_given_once(client, app, data):
    finished(app, "first")
    run = {"name": "first", "data": "mine", "model": "LF_DNN"}
    assert client.post("/api/v1/runs", json=run).status_code == 409
    assert client.post("/api/v1/datasets", json={"name": "mine", "source": "simulated"}).status_code == 409


def test_a_data_set_needs_labels(client):
    answer = client.post("/api/v1/datasets", json={"name": "own", "source": "labels"})
    assert answer.status_code == 409
    assert "label 10 or more first" in answer.json()["error"]


def test_only_runs_of_one_data_set_are_compared(client, app):
    finished(app, "a", "one")
    finished(app, "b", "two")
    answer = client.post("/api/v1/runs/compare", json={"runs": ["a", "b"]})
    assert answer.status_code == 409
    assert "different data sets" in answer.json()["error"]
    assert client.post("/api/v1/runs/compare", json={"runs": ["a", "nothing"]}).status_code == 404
    assert client.post("/api/v1/runs/compare", json={"runs": []}).status_code == 422


def test_curves_are_read_from_what_training_wrote(client, app):
    finished(app, "first")
    folder = app.state.bench.workspace.runs / "first" / "seed-1"
    folder.mkdir(parents=True)
    (folder / "history.csv").write_text("epoch,train_loss,valid_mae\n0,1.5,\n1,1.25,0.5\n")
    curves = client.get("/api/v1/runs/first/curves").json()["seeds"]
    assert curves == {"seed-1": {"epoch": [0, 1], "train_loss": [1.5, 1.25], "valid_mae": [None, 0.5]}}


def test_a_run_that_scores_the_library_stays(client, app):
    finished(app, "first")
    assert client.delete("/api/v1/runs/first").status_code == 204
    assert client.delete("/api/v1/runs/first").status_code == 404
    assert client.post("/api/v1/runs/first/resume").status_code == 404
    assert client.put("/api/v1/model", json={"run": "nothing"}).status_code == 404
