"""Audio features: a row for every 10 ms, whatever the length; a row's values do not depend on its neighbours."""

import sys

import numpy as np
import pytest

from clips import tone
from imlcmm.errors import MissingPackageError
from imlcmm.features.audio.mfcc import MfccExtractor


@pytest.fixture(scope="module")
def mfcc() -> MfccExtractor:
    return MfccExtractor()


@pytest.fixture(scope="module")
def egemaps():
    pytest.importorskip("opensmile")
    from imlcmm.features.audio.egemaps import EgemapsExtractor

    return EgemapsExtractor()


def test_the_description_matches_the_values(mfcc):
    values, _ = mfcc(tone(0.5))
    assert values.shape == (50, mfcc.features.width)
    assert mfcc.features.name == "mfcc-25"
    assert mfcc.features.rate == 100.0
    assert len(mfcc.features.units) == len(mfcc.features.columns) == 25
    assert mfcc.features.version.startswith("librosa ")


@pytest.mark.parametrize("samples", [0, 1, 100, 159, 160, 161, 399, 400, 401, 16_000, 16_001])
def test_every_10_ms_begun_has_a_row(mfcc, samples):
    values, times = mfcc(tone(2)[:samples])
    assert values.shape == (-(-samples // 160), 25)
    assert values.dtype == np.float32
    assert np.isfinite(values).all()
    np.testing.assert_allclose(times, np.stack([np.arange(len(values)), np.arange(len(values)) + 1], 1) / 100)


def test_digital_silence_is_finite_and_the_same_everywhere(mfcc):
    values, _ = mfcc(np.zeros(8000, np.float32))
    assert np.isfinite(values).all()
    np.testing.assert_array_equal(values, np.broadcast_to(values[0], values.shape))


def test_a_row_does_not_depend_on_far_neighbours(mfcc):
    sound = 0.001 * tone(1, frequency=300)
    loud = sound.copy()
    loud[12_000:] += 0.9 * tone(0.25)
    np.testing.assert_allclose(mfcc(sound).values[:70], mfcc(loud).values[:70], atol=1e-4)


def test_a_click_is_seen_in_its_own_row(mfcc):
    sound = np.zeros(16_000, np.float32)
    sound[8080] = 0.9
    assert mfcc(sound).values[:, 0].argmax() == 50


def test_low_and_high_tones_differ_in_the_second_coefficient(mfcc):
    low, high = (mfcc(tone(0.5, frequency=f)).values[10:40, 1].mean() for f in (200.0, 5000.0))
    assert low > high + 20


def test_a_missing_opensmile_names_the_command_and_the_licence(monkeypatch):
    from imlcmm.features.audio.egemaps import EgemapsExtractor

    monkeypatch.setitem(sys.modules, "opensmile", None)
    with pytest.raises(MissingPackageError, match=r"pip install .*non-commercial"):
        EgemapsExtractor()


@pytest.mark.parametrize("samples", [0, 1, 160, 161, 959, 960, 1121, 16_000])
def test_egemaps_has_a_row_for_every_10_ms_begun(egemaps, samples):
    values, times = egemaps(tone(1, frequency=200.0)[:samples])
    assert values.shape == (-(-samples // 160), egemaps.features.width) == (len(times), 25)
    assert np.isfinite(values).all()


def test_egemaps_hears_the_pitch(egemaps):
    pitch = egemaps.features.columns.index("F0semitoneFrom27.5Hz_sma3nz")
    voice = sum(tone(1, frequency=220.0 * k) / k for k in range(1, 9)).astype("float32") / 2
    heard = egemaps(voice).values[20:80, pitch]
    np.testing.assert_allclose(heard, 36, atol=0.5)
    assert egemaps.features.units[pitch] == "semitone"


def test_egemaps_of_silence_is_finite(egemaps):
    assert np.isfinite(egemaps(np.zeros(16_000, np.float32)).values).all()
