"""Parts of a sound."""

import numpy as np

from imlcmm.features.media.cut import cut_sound, join_sound
from imlcmm.features.media.sound import SOUND_RATE


def test_parts_are_the_nearest_samples_joined_without_gaps():
    sound = np.arange(SOUND_RATE, dtype=np.float32)
    assert cut_sound(sound, 0.1, 0.2).tolist() == list(range(1600, 3200))
    assert cut_sound(sound, 4.6 / SOUND_RATE, 6.4 / SOUND_RATE).tolist() == [5]
    joined = join_sound(sound, [(0.0, 2 / SOUND_RATE), (0.5, 0.5 + 3 / SOUND_RATE), (1.0, 2.0)])
    assert joined.tolist() == [0, 1, 8000, 8001, 8002]


def test_no_parts_are_no_sound():
    assert join_sound(np.ones(10, np.float32), []).shape == (0,)
