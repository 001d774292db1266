"""What can be measured of how something is said: cues with units, which are no sentiment."""

import numpy as np

from imlcmm.features.audio.pitch import pitch_track
from imlcmm.features.clip_extractor import ExtractedClip
from imlcmm.features.media.cut import join_sound
from imlcmm.features.media.recording import Recording
from imlcmm.features.media.sound import SOUND_RATE
from imlcmm.stopwatch import timed

_FACE = {
    "smile": ("mouthSmileLeft", "mouthSmileRight"),
    "frown": ("browDownLeft", "browDownRight"),
    "brow raise": ("browInnerUp", "browOuterUpLeft", "browOuterUpRight"),
    "mouth open": ("jawOpen",),
    "gaze aside": ("eyeLookInLeft", "eyeLookOutLeft", "eyeLookInRight", "eyeLookOutRight"),
}
_HEAD = {"head nod": "pose_Rx", "head turn": "pose_Ry", "head tilt": "pose_Rz"}
_VOICE = (65.0, 500.0)
_FRAME = 1024
_FAINT = 25.0
"""Decibels under the loudest frame below which a frame tells nothing of the pitch."""


@timed("voice")
def measure_cues(recording: Recording, start: float, end: float, clip: ExtractedClip) -> dict[str, float]:
    """Measure an utterance.

    Args:
        recording: The recording.
        start: Second at which the utterance begins.
        end: Second at which it ends.
        clip: What was extracted of it.

    Returns:
        The cues that can be measured: no pitch without speech, no smile where no face was looked for.
    """
    cues = _face(clip)
    sound = recording.sound(start, end) if recording.info.has_sound else np.zeros(0, np.float32)
    if len(sound) < _FRAME or float(np.abs(sound).max()) == 0:
        return cues
    speech, spoken = clip.speech, sum(last - first for first, last in clip.speech)
    cues["pauses"] = 100 * (1 - min(1.0, spoken * SOUND_RATE / len(sound)))
    voiced = join_sound(sound, speech) if speech else sound
    cues["loudness"] = float(20 * np.log10(np.sqrt(np.mean(voiced**2)) + 1e-6))
    if speech:
        if clip.words:
            cues["speech rate"] = len(clip.words) / spoken
        if len(voiced) >= 2 * _FRAME:
            cues["pitch"] = _pitch(voiced)
    return {name: round(value, 2) for name, value in cues.items()}


def _pitch(sound: np.ndarray) -> float:
    """Give the median fundamental frequency of the louder half of the frames."""
    pitch, level = pitch_track(sound, SOUND_RATE, lowest=_VOICE[0], highest=_VOICE[1], frame=_FRAME)
    loud = level >= max(float(np.median(level)), float(level.max()) - _FAINT)
    return float(np.median(pitch[loud]))


def _face(clip: ExtractedClip) -> dict[str, float]:
    """Average blendshapes and angles over the rows in which a face is seen; the eyes look to one side at a time."""
    from imlcmm.features.vision.faces import FACE_COLUMNS

    seen = clip.features.get("vision")
    if seen is None or seen.values.shape[1] != len(FACE_COLUMNS):
        return {}
    columns = {name: [FACE_COLUMNS.index(shape) for shape in shapes] for name, shapes in _FACE.items()}
    rows = seen.values[np.isfinite(seen.values).all(1)]
    if not len(rows):
        return {}
    means = {name: 100 * float(rows[:, places].mean()) for name, places in columns.items()}
    means["gaze aside"] *= 2
    means |= {name: float(np.degrees(rows[:, FACE_COLUMNS.index(angle)].mean())) for name, angle in _HEAD.items()}
    return {name: round(value, 2) for name, value in means.items() if np.isfinite(value)}
