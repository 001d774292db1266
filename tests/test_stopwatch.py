"""Stages are counted once, in order, and only for whoever asks."""

import time

import pytest

from imlcmm.stopwatch import Stopwatch, running, timed


@timed("inner")
def inner():
    time.sleep(0.05)
    return "done"


@timed("outer")
def outer():
    time.sleep(0.02)
    inner()
    time.sleep(0.02)
    return inner()


def test_a_stage_within_another_counts_once():
    watch = Stopwatch()
    began = time.perf_counter()
    with running(watch):
        assert outer() == "done"
    whole = time.perf_counter() - began
    assert list(watch.seconds) == ["outer", "inner"]
    assert watch.seconds["inner"] >= 0.1
    assert watch.seconds["outer"] >= 0.04
    assert sum(watch.seconds.values()) == pytest.approx(whole, abs=0.02)


def test_a_stage_that_fails_is_counted():
    @timed("failing")
    def fail():
        raise KeyError

    watch = Stopwatch()
    with running(watch):
        with pytest.raises(KeyError):
            fail()
        inner()
    assert list(watch.seconds) == ["failing", "inner"]


def test_nobody_asked():
    watch = Stopwatch()
    with running(watch):
        pass
    assert inner() == "done"
    assert watch.seconds == {}
    assert inner.__name__ == "inner"
