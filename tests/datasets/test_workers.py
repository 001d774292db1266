"""Jobs that fail, crash, hang or eat memory cost themselves alone."""

import time

import pytest

from imlcmm.errors import ImlcmmError
from imlcmm.jobs.workers import LimitedProcess, Limits, run_limited
from jobs import LIMITS, prepare, refuse


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


def test_time_counts_anew_when_a_job_tells_that_it_has_come_further(tmp_path):
    told = []
    (outcome,) = run_limited(["slow"], prepare, (tmp_path,), workers=1, limits=LIMITS, told=lambda *at: told.append(at))
    assert outcome.failure is None
    assert told == [("slow", float(step)) for step in range(8)]


def test_memory_has_a_limit_of_its_own(tmp_path):
    patient = Limits(seconds=120.0, gigabytes=1.0)
    (outcome,) = run_limited(["fat"], prepare, (tmp_path,), workers=1, limits=patient)
    assert "more than 1 GiB" in outcome.failure


def test_a_process_that_dies_between_jobs_is_replaced(tmp_path):
    worker = LimitedProcess(prepare, (tmp_path,), LIMITS)
    assert worker.do("a") is None
    worker.kill()
    assert worker.do("b") is None
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b"}
    worker.kill()


def test_leaving_early_ends_the_processes(tmp_path):
    outcomes = run_limited(["a", "hang", "hang"], prepare, (tmp_path,), workers=2, limits=Limits(600.0, 1.0))
    assert next(outcomes).job == "a"
    began = time.monotonic()
    outcomes.close()
    assert time.monotonic() - began < 30


def test_a_worker_that_cannot_start_is_told(tmp_path):
    with pytest.raises(ImlcmmError, match="model file is missing"):
        list(run_limited(["a"], refuse, workers=1, limits=LIMITS))


def test_no_jobs_need_no_workers():
    assert list(run_limited([], refuse, workers=2, limits=LIMITS)) == []
