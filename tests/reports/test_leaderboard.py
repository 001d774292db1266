"""The leaderboard: resumable, honest about what is best, not stopped by one failure."""

from dataclasses import replace

import numpy as np
import pytest

from imlcmm.errors import ImlcmmError, TrainingError
from imlcmm.evaluation.evaluate import Evaluation
from imlcmm.reports.experiments.leaderboard import Entry, Leaderboard, leaderboard
from imlcmm.training.run import load_run

OPTIONS = ["--optimization.epochs=1"]


@pytest.fixture(scope="module")
def board(simulated, tmp_path_factory):
    folder = tmp_path_factory.mktemp("board")
    # The second one cannot be built with this option, which the first one has.
    options = [*OPTIONS, "--model.fusion_hidden=4"]
    return leaderboard(simulated, ["LF_DNN", "LMF"], folder=folder, seeds=2, jobs=2, options=options), folder


def test_one_failure_does_not_stop_the_rest(board):
    found, _ = board
    assert [entry.evaluation.name for entry in found.entries] == ["LF_DNN"]
    assert "fusion_hidden" in found.failures["LMF"]
    assert "LMF is missing" in found.markdown


def test_what_is_finished_is_not_trained_again(board, simulated):
    _, folder = board
    before = (folder / "LF_DNN" / "seed-1111" / "last.ckpt").stat().st_mtime_ns
    options = [*OPTIONS, "--model.fusion_hidden=4"]
    again = leaderboard(simulated, ["LF_DNN"], folder=folder, seeds=2, options=options)
    assert (folder / "LF_DNN" / "seed-1111" / "last.ckpt").stat().st_mtime_ns == before
    assert again.entries[0].minutes > 0
    assert again.entries[0].clips_per_second > 1


def test_the_results_are_written_for_every_reader(board):
    found, folder = board
    found.write(folder)
    assert "Simulated data" in (folder / "leaderboard.md").read_text()
    assert r"\toprule" in (folder / "leaderboard.tex").read_text()
    assert "low" in (folder / "leaderboard.csv").read_text()
    assert (folder / "leaderboard.png").stat().st_size > 5_000
    assert (folder / "leaderboard-ranks.png").stat().st_size > 5_000
    assert (folder / "leaderboard-ranks.csv").read_text().startswith("first,second")
    assert "on resamples of source videos and seeds" in found.caption


def test_outputs_may_be_scored_as_predict_says_them(board, simulated):
    found, folder = board
    options = [*OPTIONS, "--model.fusion_hidden=4"]
    placed = leaderboard(simulated, ["LF_DNN"], folder=folder, seeds=2, options=options, calibrated=True)
    assert "as in `predict`. Rank" in placed.caption
    assert "as in `predict`" not in found.caption
    assert placed.entries[0].evaluation.calibrated


@pytest.mark.slow
def test_a_recipe_beyond_the_paper_is_a_row_of_its_own(simulated, tmp_path):
    small = [*OPTIONS, "--model.width=16", "--model.heads=2", "--model.feedforward=16"]
    found = leaderboard(simulated, ["IMLCMM", "IMLCMM+"], folder=tmp_path, seeds=1, options=small)
    assert sorted(entry.evaluation.name for entry in found.entries) == ["IMLCMM", "IMLCMM+"]
    plain, beyond = (load_run(tmp_path / name).description["model"]["options"] for name in ("IMLCMM", "IMLCMM+"))
    assert (plain["head_reads_pooled"], beyond["head_reads_pooled"]) == (False, True)


def entry(name, error, draws):
    scores = [{"MAE": error}]
    evaluation = Evaluation(name, "simsv2", False, {"multimodal": np.zeros((1, 3))}, np.zeros((3, 4)), ["a", "b", "c"],
                            ["a", "b", "c"], {"multimodal": scores}, {"multimodal": {"MAE": draws}}, {})  # fmt: skip
    return Entry(evaluation, 1, False, True, 1.0, 1.0)


def test_the_best_is_bold_only_if_the_test_supports_it(simulated):
    noise = np.random.default_rng(0).normal(size=1000)
    sure = Leaderboard([entry("a", 0.3, 0.3 + 0.01 * noise), entry("b", 0.5, 0.5 + 0.01 * noise)], {}, simulated)
    assert sure.supported_best("MAE").name == "a"
    assert sure.table()["MAE"].tolist() == ["**0.300 ± 0.000**", "0.500 ± 0.000"]
    unsure = Leaderboard([entry("a", 0.3, 0.3 + noise), entry("b", 0.31, 0.31 - noise)], {}, simulated)
    assert unsure.supported_best("MAE") is None
    assert "**" not in "".join(unsure.table()["MAE"])


def of_errors(name, errors):
    one = entry(name, float(errors.mean()), np.zeros(10))
    clips = [f"clip {i}" for i in range(errors.shape[1])]
    seeds = [{"MAE": float(each.mean())} for each in errors]
    changed = replace(
        one.evaluation, predictions={"multimodal": errors}, labels=np.zeros((len(clips), 4)), ids=clips, videos=clips,
        scores={"multimodal": seeds},
    )  # fmt: skip
    return replace(one, evaluation=changed)


def test_models_stand_in_the_order_of_their_ranks(simulated, tmp_path):
    draw = np.random.default_rng(0)
    errors = {"worse": 0.6, "one": 0.3, "twin": 0.3}
    entries = [of_errors(name, mean + draw.uniform(-0.1, 0.1, (3, 80))) for name, mean in errors.items()]
    found = Leaderboard(entries, {}, simulated)
    table = found.table()
    assert table["model"].iloc[-1] == "worse"
    assert table["rank"].iloc[-1] == "3.0"
    assert found.ranking.groups == [[0, 1]]
    assert "No two of these can be told apart" in found.markdown
    assert "- one, twin" in found.markdown or "- twin, one" in found.markdown
    found.write(tmp_path)
    assert (tmp_path / "leaderboard-ranks.csv").read_text().count("\n") == 4


def test_without_any_result_it_says_why(simulated, tmp_path):
    with pytest.raises(TrainingError, match="nothing came to an end"):
        leaderboard(simulated, ["LMF"], folder=tmp_path, seeds=1, options=["--model.nothing=1"])
    with pytest.raises(TrainingError, match="0 seeds"):
        leaderboard(simulated, ["LMF"], folder=tmp_path, seeds=0)


def test_the_caption_says_how_epochs_were_chosen(simulated):
    chosen = entry("a", 0.3, np.zeros(1000))
    last = replace(chosen, selects=False)
    assert Leaderboard([chosen], {}, simulated).selection == "selection on validation"
    assert Leaderboard([last, last], {}, simulated).selection == "the last epoch of each"
    assert "but the last epoch of" in Leaderboard([chosen, last], {}, simulated).selection


@pytest.mark.slow
def test_a_cluster_trains_the_same(simulated, tmp_path, monkeypatch):
    pytest.importorskip("ray", reason="needs the extra 'ray'")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    options = ["--optimization.epochs=2"]
    places = {None: tmp_path / "here", "local": tmp_path / "spread"}
    for address, folder in places.items():
        found = leaderboard(
            simulated, ["LF_DNN", "nothing", "LMF"], folder=folder, seeds=2, options=options, ray=address
        )
        assert list(found.failures) == ["nothing"]
    here, spread = (
        {f.relative_to(folder): f.read_bytes() for f in folder.glob("*/seed-*/metrics.json")}
        for folder in places.values()
    )
    assert len(here) == 4
    assert here == spread


def test_an_address_without_a_cluster_is_one_line(simulated, tmp_path):
    pytest.importorskip("ray", reason="needs the extra 'ray'")
    with pytest.raises(ImlcmmError, match=r"the Ray cluster at 127\.0\.0\.1:1 cannot be reached: .*refused"):
        leaderboard(simulated, ["LMF"], folder=tmp_path, seeds=1, ray="127.0.0.1:1")
