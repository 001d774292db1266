"""The simulator keeps its promises: table 1's classes, the wanted correlations, an oracle that is right and best."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from imlcmm.datasets.loading import load_dataset
from imlcmm.datasets.simulation import simulate as simulator
from imlcmm.datasets.simulation.evidence import CUE, Camera
from imlcmm.datasets.simulation.label_model import (
    CLASS_COUNTS,
    CLASS_LEVELS,
    CORRELATIONS,
    LEVELS,
    SUBSETS,
    UNIMODAL_MOMENTS,
    label_model,
    level_counts,
)
from imlcmm.datasets.simulation.simulate import Size, oracle_predictions, simulate, simulated_clips
from imlcmm.datasets.stores.store import read_manifest
from imlcmm.errors import DataError
from imlcmm.types import MODALITIES, TARGETS

DEMO = simulator.SIZES["demo"].evidence
SMALL = {"train": 60, "valid": 12, "test": 20, "unlabelled": 15}


@pytest.fixture(scope="module")
def sample():
    """Simulate 1500 train and 2500 test clips; labels, oracle, and two summaries of the features of each."""
    size, seed = Size({"train": 1500, "valid": 1, "test": 2500, "unlabelled": 0}, DEMO), 5
    cameras = {m: Camera(DEMO[m], [seed, 1, k]) for k, m in enumerate(MODALITIES)}
    inverse = {m: np.linalg.pinv(camera.map) for m, camera in cameras.items()}
    rows: dict[str, dict[str, list]] = {s: {"labels": [], "oracle": [], "mean": [], "cue": []} for s in size.clips}
    for split, clip, oracle in simulated_clips(size, seed):
        cue = []
        for m in MODALITIES:
            latent = (clip.sequences[m] - cameras[m].offset) @ inverse[m]
            seen = latent[:, 0] > CUE / 2
            seen[: DEMO[m].opening] = False
            cue.append(latent[seen, 1].mean() if seen.any() else 0.0)
        rows[split]["labels"].append([clip.labels[target] for target in TARGETS])
        rows[split]["oracle"].append(oracle)
        rows[split]["mean"].append(np.concatenate([clip.sequences[m].mean(0) for m in MODALITIES]))
        rows[split]["cue"].append(cue)
    return {split: {key: np.array(value) for key, value in columns.items()} for split, columns in rows.items()}


def _linear_error(train, test, key):
    """Mean absolute error on test of least squares with a bias, fitted on train."""

    def design(split):
        return np.c_[(split[key] - train[key].mean(0)) / train[key].std(0), np.ones(len(split[key]))]

    weights = np.linalg.lstsq(design(train), train["labels"][:, 0], rcond=None)[0]
    return np.abs(np.clip(design(test) @ weights, -1, 1) - test["labels"][:, 0]).mean()


def test_the_table_has_the_wanted_marginals_and_correlations():
    joint = label_model().joint
    assert joint.min() > 0
    assert joint.sum() == pytest.approx(1)
    marginals = [joint.sum(axis=tuple(k for k in range(4) if k != target)) for target in range(4)]
    moments = [(p @ LEVELS, np.sqrt(p @ LEVELS**2 - (p @ LEVELS) ** 2)) for p in marginals]
    np.testing.assert_allclose(marginals[0] * 2722, level_counts("train", 2722), atol=1e-5)
    np.testing.assert_allclose(moments[1:], UNIMODAL_MOMENTS, atol=1e-8)
    for (i, j), wanted in CORRELATIONS.items():
        pair = joint.sum(axis=tuple(k for k in range(4) if k not in (i, j)))
        covariance = LEVELS @ pair @ LEVELS - moments[i][0] * moments[j][0]
        assert covariance / (moments[i][1] * moments[j][1]) == pytest.approx(wanted, abs=1e-8)


@pytest.mark.parametrize("split", ["train", "valid", "test"])
def test_the_class_counts_of_the_paper_come_out_exactly(split):
    total = sum(CLASS_COUNTS[split])
    counts = level_counts(split, total)
    assert tuple(int(counts[list(levels)].sum()) for levels in CLASS_LEVELS) == CLASS_COUNTS[split]
    assert all(level_counts(split, clips).sum() == clips for clips in (1, 2, 7, 500))


def test_the_labels_of_a_split_follow_the_counts_and_the_correlations(sample):
    labels = sample["train"]["labels"]
    found = np.array([np.isclose(labels[:, 0], level).sum() for level in LEVELS])
    np.testing.assert_array_equal(found, level_counts("train", 1500))
    random = np.random.default_rng(0)
    multimodal = np.repeat(np.arange(11), level_counts("train", 20000))
    many = LEVELS[np.c_[multimodal, label_model().draw(multimodal, random)]]
    for (i, j), wanted in CORRELATIONS.items():
        assert np.corrcoef(many.T)[i, j] == pytest.approx(wanted, abs=0.03)
        assert np.corrcoef(labels.T)[i, j] == pytest.approx(wanted, abs=0.05)


def test_the_posterior_is_what_summing_the_whole_table_gives():
    random = np.random.default_rng(1)
    prior, likelihoods = random.dirichlet(np.ones(11)), random.random((3, 11))
    table = label_model().posterior(prior, likelihoods)
    t, a, v = likelihoods
    full = np.einsum("m,mtav,t,a,v->m", prior, label_model().conditional, t, a, v)
    only_audio = np.einsum("m,mtav,a->m", prior, label_model().conditional, a)
    np.testing.assert_allclose(table[SUBSETS.index("TAV")], full / full.sum(), rtol=1e-10)
    np.testing.assert_allclose(table[SUBSETS.index("A")], only_audio / only_audio.sum(), rtol=1e-10)


def test_the_oracle_is_calibrated_and_its_predictions_are_each_best_at_their_own_measure(sample):
    truth, posterior = sample["test"]["labels"][:, 0], sample["test"]["oracle"]
    np.testing.assert_allclose(posterior.sum(-1), 1)
    for subset in SUBSETS:
        best = oracle_predictions(posterior, subset)
        assert np.polyfit(best["mean"], truth, 1)[0] == pytest.approx(1, abs=0.07)
        absolute = {name: np.abs(value - truth).mean() for name, value in best.items()}
        squared = {name: ((value - truth) ** 2).mean() for name, value in best.items()}
        hits = {name: np.isclose(value, truth).mean() for name, value in best.items()}
        assert min(absolute, key=absolute.__getitem__) == "median"
        assert min(squared, key=squared.__getitem__) == "mean"
        assert max(hits, key=hits.__getitem__) == "mode"
    chance = posterior[:, -1].mean(0)
    np.testing.assert_allclose(chance, level_counts("test", 2500) / 2500, atol=0.02)


def test_each_modality_alone_reaches_the_correlation_of_real_ones_and_more_of_them_reach_more(sample):
    truth, posterior = sample["test"]["labels"][:, 0], sample["test"]["oracle"]
    reached = {s: np.corrcoef(oracle_predictions(posterior, s)["mean"], truth)[0, 1] for s in SUBSETS}
    assert 0.60 < reached["T"] < 0.70
    assert 0.60 < reached["A"] < 0.70
    assert 0.55 < reached["V"] < 0.65
    assert max(reached[s] for s in "TAV") < min(reached[s] for s in ("TA", "TV", "AV"))
    assert max(reached[s] for s in ("TA", "TV", "AV")) < reached["TAV"] < 0.9


def test_time_matters_and_the_oracle_is_within_reach(sample):
    train, test = sample["train"], sample["test"]
    truth = test["labels"][:, 0]
    constant = np.abs(truth - np.median(train["labels"][:, 0])).mean()
    oracle = np.abs(truth - oracle_predictions(test["oracle"])["median"]).mean()
    averaged, cued = ((constant - _linear_error(train, test, key)) / (constant - oracle) for key in ("mean", "cue"))
    assert 0.3 < averaged < 0.6
    assert 0.9 < cued < 1.0


def _digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path):
    for name, seed in (("one", 3), ("again", 3), ("other", 4)):
        simulate(tmp_path / name, seed=seed, **SMALL)
    assert _digests(tmp_path / "one") == _digests(tmp_path / "again")
    other = _digests(tmp_path / "other")
    assert all(other[name] != digest for name, digest in _digests(tmp_path / "one").items())


def test_the_store_says_that_it_is_simulated_and_holds_what_was_asked_for(tmp_path):
    data = load_dataset(simulate(tmp_path / "store", **SMALL))
    manifest = read_manifest(tmp_path / "store")
    assert data.simulated
    assert data.spec.simulated
    assert "never compare with published numbers" in json.dumps(manifest["notes"])
    assert {split: len(part) for split, part in data.splits.items()} == SMALL
    assert data.spec.widths == {m: DEMO[m].width for m in MODALITIES}
    assert all(data.spec.steps[m] <= DEMO[m].steps for m in MODALITIES)
    assert data.test.oracle is not None
    assert data.test.oracle.shape == (20, 7, 11)
    assert data.unlabelled.oracle is None
    assert bool(data.unlabelled.labels.isnan().all())
    batch = data.train.batch([0, 1, 2])
    assert batch.tokens is not None
    for row in range(3):
        tokens = batch.tokens[row, :, batch.masks["text"][row]].tolist()
        assert (tokens[0][0], tokens[0][-1]) == (101, 102)
        assert set(tokens[1]) == {1}
        assert set(tokens[2]) == {0}


def test_a_tenth_of_the_videos_are_in_test_alone_and_no_identifier_comes_twice():
    counts = {"train": 2722, "valid": 647, "test": 1034, "unlabelled": 100}
    names = simulator._identifiers(counts, np.random.default_rng(0))
    everything = [name for split in names.values() for name in split]
    assert len(set(everything)) == len(everything) == sum(counts.values())
    videos = {split: {name.split("$_$")[0] for name in values} for split, values in names.items()}
    assert len(videos["train"] | videos["valid"] | videos["test"]) == 145
    assert len(videos["test"] - videos["train"] - videos["valid"]) == 14
    assert videos["unlabelled"].isdisjoint(videos["train"] | videos["valid"] | videos["test"])
    assert everything[0] == "video_0001$_$0001"


def test_clips_come_one_at_a_time():
    size = Size({"train": 10**5, "valid": 1, "test": 1, "unlabelled": 0}, DEMO)
    split, clip, _ = next(simulated_clips(size, 0))
    assert split == "train"
    assert clip.sequences["audio"].dtype == np.float32


def test_the_paper_size_has_the_paper_frames():
    paper = simulator.SIZES["paper"]
    _, clip, _ = next(simulated_clips(Size({"train": 1, "valid": 0, "test": 0, "unlabelled": 0}, paper.evidence), 0))
    assert dict(paper.clips) == {"train": 2722, "valid": 647, "test": 1034, "unlabelled": 10161}
    assert [clip.sequences[m].shape[1] for m in MODALITIES] == [768, 25, 177]
    assert [paper.evidence[m].steps for m in MODALITIES] == [50, 925, 232]


def test_the_pickle_holds_the_same_labels_and_features(tmp_path):
    store = load_dataset(simulate(tmp_path / "store", seed=1, train=20, valid=5, test=8))
    path = simulate(tmp_path / "simulated.pkl", seed=1, train=20, valid=5, test=8, as_pickle=True)
    assert path.is_file()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["simulated.pkl", "store"]
    pickled = load_dataset(path, kind="simsv2")
    assert pickled.test.ids == store.test.ids
    assert bool((pickled.train.labels == store.train.labels).all())
    ours, theirs = store.test.batch(list(range(8))), pickled.test.batch(list(range(8)))
    assert bool((ours.audio == theirs.audio).all())
    assert bool((ours.masks["vision"] == theirs.masks["vision"]).all())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"size": "huge"}, "huge"),
        ({"train": 0}, "0 train"),
        ({"unlabelled": -1}, "-1 unlabelled"),
        ({"seed": -2}, "-2"),
    ],
)
def test_senseless_numbers_are_refused_and_leave_nothing(tmp_path, wrong, message):
    check = DataError if "size" not in wrong else Exception  # the checked annotation may refuse the size first
    with pytest.raises(check, match=message):
        simulate(tmp_path / "store", **wrong)
    assert not list(tmp_path.iterdir())


def test_the_oracle_refuses_unknown_modalities_and_wrong_shapes():
    with pytest.raises(DataError, match="'X'"):
        oracle_predictions(np.ones((2, 7, 11)), "X")
    with pytest.raises(DataError, match="2, 11"):
        oracle_predictions(np.ones((2, 11)))
