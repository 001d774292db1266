"""Jobs on a Ray cluster end as they do on one machine."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

import jobs
from imlcmm.errors import ImlcmmError
from imlcmm.jobs.cluster import run_on_cluster
from jobs import LIMITS, prepare, refuse

pytest.importorskip("ray", reason="needs the extra 'ray'")


@pytest.fixture(scope="module")
def cluster():
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(jobs.__file__).parent))  # the machines must find the jobs
        nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        nodes.add_node(num_cpus=1)
    yield nodes
    nodes.shutdown()


def test_each_job_has_its_outcome_on_either_machine(cluster, tmp_path):
    names = ["a", "crash", "b", "hang", "mistake", "bug", "c"]
    run = run_on_cluster(names, prepare, (tmp_path,), address=cluster.address, workers=2, limits=LIMITS)
    outcomes = {outcome.job: outcome.failure for outcome in run}
    assert sorted(outcomes) == sorted(names)
    assert {job for job, failure in outcomes.items() if failure is None} == {"a", "b", "c"}
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b", "c"}
    assert outcomes["mistake"] == "this clip is damaged"
    assert "-6" in outcomes["crash"]
    assert "more than 3 s" in outcomes["hang"]


def test_what_cannot_start_is_told_in_one_line(cluster):
    with pytest.raises(ImlcmmError, match=r"^the model file is missing$"):
        list(run_on_cluster(["a"], refuse, address=cluster.address, workers=1, limits=LIMITS))


def test_a_cluster_that_is_not_there_is_told_in_one_line():
    with pytest.raises(ImlcmmError, match="cannot be reached"):
        list(run_on_cluster(["a"], refuse, address="127.0.0.1:1", workers=1, limits=LIMITS))


def test_a_cluster_without_the_package_is_told(tmp_path):
    module = ModuleType("only_here")
    exec("def prepare():\n    return print", module.__dict__)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "only_here", module)
        module.prepare.__module__ = "only_here"
        with pytest.raises(ImlcmmError, match="is imlcmm on all machines"):
            list(run_on_cluster(["a"], module.prepare, address="local", workers=1, limits=LIMITS))
