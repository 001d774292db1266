"""Small trained runs that reports are tried on."""

from functools import partial

import pytest
import torch

from imlcmm.evaluation.statistics import bootstrap
from imlcmm.models import IMLCMM, LF_DNN
from imlcmm.training.fit import TrainerOptions, train_seeds
from imlcmm.training.module import Optimization
from imlcmm.training.recipe import build_model

QUIET = TrainerOptions(accelerator="cpu", progress=False)
TINY = {"width": 16, "tokens": 3, "heads": 2, "feedforward": 16, "fusion_depth": 1}


@pytest.fixture(scope="session")
def imlcmm_run(simulated, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "IMLCMM"
    how = Optimization(epochs=2, lr=3e-3)
    return train_seeds(
        lambda: IMLCMM(simulated.spec, **TINY), simulated, how, seeds=(1, 2), folder=folder, trainer=QUIET
    )


@pytest.fixture(scope="session")
def lf_dnn_run(simulated, tmp_path_factory):
    folder, how = tmp_path_factory.mktemp("runs") / "LF_DNN", Optimization(epochs=1, optimizer="adam")
    options = {"encoders": {"text_hidden": 8}, "fusion_hidden": 16}
    return train_seeds(
        lambda: build_model(LF_DNN, simulated.spec, options), simulated, how, seeds=(5,), folder=folder, trainer=QUIET
    )


@pytest.fixture(scope="module")
def few_resamples():
    """Type checks make a thousand resamples take a minute."""
    with pytest.MonkeyPatch.context() as patch:
        for module in ("evaluation.evaluate", "reports.tables.reliability"):
            patch.setattr(f"imlcmm.{module}.bootstrap", partial(bootstrap, resamples=30))
        yield


@pytest.fixture
def tiny_model(simulated):
    torch.manual_seed(0)
    model = IMLCMM(simulated.spec, **TINY)
    model.prepare(simulated.train)
    return model.eval()
