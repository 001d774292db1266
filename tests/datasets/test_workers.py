"""Jobs that fail, crash, hang or eat memory cost themselves alone."""

import os
import time

import pytest

from imlcmm.datasets.workers import Limits, _Worker, run_limited
from imlcmm.errors import DataError, ImlcmmError

LIMITS = Limits(seconds=3.0, gigabytes=1.0)


def prepare(done):
    def do(job):
        if job == "mistake":
            raise DataError("this clip is damaged")
        if job == "bug":
            raise KeyError("x")
        if job == "crash":
            os.abort()
        if job == "hang":
            time.sleep(60)
        if job == "fat":
            block = bytearray(3 * 2**30)
            block[::4096] = b"x" * len(block[::4096])
            time.sleep(300)
        (done / job).touch()

    return do


def refuse():
    raise DataError("the model file is missing")


def test_each_job_has_its_outcome_and_the_others_go_on(tmp_path):
    jobs = ["a", "crash", "b", "hang", "mistake", "bug", "c"]
    outcomes = {o.job: o.failure for o in run_limited(jobs, prepare, (tmp_path,), workers=2, limits=LIMITS)}
    assert list(sorted(outcomes)) == sorted(jobs)
    assert {job for job, failure in outcomes.items() if failure is None} == {"a", "b", "c"}
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b", "c"}
    assert outcomes["mistake"] == "this clip is damaged"
    assert "KeyError" in outcomes["bug"]
    assert "-6" in outcomes["crash"]
    assert "more than 3 s" in outcomes["hang"]


def test_memory_has_a_limit_of_its_own(tmp_path):
    patient = Limits(seconds=120.0, gigabytes=1.0)
    (outcome,) = run_limited(["fat"], prepare, (tmp_path,), workers=1, limits=patient)
    assert "more than 1 GiB" in outcome.failure


def test_a_worker_that_dies_between_jobs_does_not_end_the_last_one_again(tmp_path):
    worker = _Worker(prepare, (tmp_path,))
    while not worker.idle:
        assert worker.outcome(LIMITS) is None
    worker.begin("a")
    while (outcome := worker.outcome(LIMITS)) is None:
        time.sleep(0.01)
    assert outcome == ("a", None)
    worker.process.kill()
    worker.process.join()
    assert worker.outcome(LIMITS) is None
    assert not worker.alive
    worker.stop()


def test_a_worker_that_cannot_start_is_told(tmp_path):
    with pytest.raises(ImlcmmError, match="model file is missing"):
        list(run_limited(["a"], refuse, workers=1, limits=LIMITS))


def test_no_jobs_need_no_workers():
    assert list(run_limited([], refuse, workers=2, limits=LIMITS)) == []
