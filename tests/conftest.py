"""A small simulated data set that several stages are tried on."""

from pathlib import Path

import pytest

from imlcmm.datasets.loading import load_dataset
from imlcmm.datasets.simulation.simulate import simulate
from imlcmm.datasets.stores.sentiment_data import SentimentData


@pytest.fixture(scope="session")
def simulated_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate(tmp_path_factory.mktemp("data") / "store", train=65, valid=24, test=40, unlabelled=30, seed=3)


@pytest.fixture(scope="session")
def simulated(simulated_folder: Path) -> SentimentData:
    return load_dataset(simulated_folder)
