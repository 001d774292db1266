"""Jobs that fail, crash, hang or eat memory cost themselves alone."""

import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
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


def test_a_process_that_was_ended_is_not_started_again(tmp_path):
    """A thread may have taken a job just before, which would keep everybody waiting."""
    ended = [LimitedProcess(prepare, (tmp_path,), LIMITS) for _ in range(2)]
    assert ended[0].do("a") is None
    for worker in ended:
        worker.end()
        with pytest.raises(ImlcmmError, match="was ended"):
            worker.do("b")
    assert {path.name for path in tmp_path.iterdir()} == {"a"}
    assert multiprocessing.active_children() == []


def test_a_worker_that_cannot_start_is_told(tmp_path):
    with pytest.raises(ImlcmmError, match="model file is missing"):
        list(run_limited(["a"], refuse, workers=1, limits=LIMITS))


def test_without_workers_jobs_are_done_here(tmp_path):
    told = []
    jobs = ["a", "mistake", "bug", "b"]
    outcomes = list(run_limited(jobs, prepare, (tmp_path,), workers=0, limits=LIMITS, told=lambda *at: told.append(at)))
    assert [outcome.job for outcome in outcomes] == jobs
    assert [outcome.failure for outcome in outcomes] == [None, "this clip is damaged", "KeyError: 'x'", None]
    assert multiprocessing.active_children() == []


def test_a_worker_ends_with_the_process_that_started_it(tmp_path):
    code = (
        "from jobs import prepare\nfrom imlcmm.jobs.workers import LimitedProcess, Limits\nimport threading, time\n"
        f"worker = LimitedProcess(prepare, (__import__('pathlib').Path({str(tmp_path)!r}),), Limits(600.0, 1.0))\n"
        "if __name__ == '__main__':\n"
        "    threading.Thread(target=worker.do, args=('hang',), daemon=True).start()\n"
        "    while worker.process is None or worker.process.pid is None: time.sleep(.05)\n"
        "    time.sleep(1.5)\n    print(worker.process.pid, flush=True)\n    time.sleep(600)\n"
    )
    (tmp_path / "starter.py").write_text(code)
    path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    words = [sys.executable, str(tmp_path / "starter.py")]
    starter = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path})
    worker = psutil.Process(int(starter.stdout.readline()))
    starter.kill()
    starter.wait()
    assert worker.wait(10) is None


def test_no_jobs_need_no_workers():
    assert list(run_limited([], refuse, workers=2, limits=LIMITS)) == []


def test_a_worker_leaves_nothing_to_complain_of(tmp_path):
    """A bar of tqdm in a worker that is killed at the end would leave a semaphore, and a warning on the screen."""
    code = (
        "from jobs import LIMITS, with_bar; from imlcmm.jobs.workers import run_limited\n"
        "if __name__ == '__main__': print(list(run_limited(['a'], with_bar, workers=1, limits=LIMITS)))"
    )
    (tmp_path / "script.py").write_text(code)
    paths = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
    done = subprocess.run(
        [sys.executable, tmp_path / "script.py"],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    )
    assert "failure=None" in done.stdout
    assert done.stderr == ""
