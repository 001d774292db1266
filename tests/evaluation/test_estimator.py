"""Training in the manner of scikit-learn."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.metrics import r2_score

import imlcmm
from imlcmm.errors import ModelError, TrainingError

QUICK = {"epochs": 2, "patience": None, "seed": 7}


def test_it_fits_predicts_and_scores(simulated, tmp_path):
    regressor = imlcmm.SentimentRegressor("LF_DNN", options={"fusion_hidden": 8}, optimization=QUICK)
    assert regressor.fit(simulated) is regressor
    predicted = regressor.predict(simulated)
    assert predicted.shape == (40,)
    labels = simulated.test.labels[:, 0].numpy()
    assert regressor.score(simulated.path) == pytest.approx(r2_score(labels, predicted), abs=1e-5)
    np.testing.assert_allclose(regressor.predict(simulated.test.subset([3, 1])), predicted[[3, 1]], atol=1e-6)
    again = clone(regressor).set_params(folder=tmp_path / "run")
    with pytest.raises(TrainingError, match="call fit before"):
        again.predict(simulated)
    np.testing.assert_array_equal(again.fit(simulated.path).predict(simulated), predicted)
    best = imlcmm.load_run(tmp_path / "run").best
    assert all(torch.equal(a, b) for a, b in zip(best.parameters(), again.model_.parameters(), strict=True))


def test_wrong_settings_are_named(simulated):
    regressor = imlcmm.SentimentRegressor()
    assert regressor.get_params() == {
        "model": "IMLCMM", "options": None, "optimization": None, "folder": None, "progress": False
    }  # fmt: skip
    with pytest.raises(TrainingError, match="no setting 'depth'"):
        regressor.set_params(depth=3)
    with pytest.raises(ModelError, match="no option 'depth'"):
        regressor.set_params(options={"depth": 3}).fit(simulated)
