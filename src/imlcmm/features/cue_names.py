"""The cues that `measure_cues` measures, apart from what measures them, so that naming them loads nothing."""

from collections.abc import Mapping
from types import MappingProxyType

CUES: Mapping[str, str] = MappingProxyType(
    {
        "loudness": "dB",
        "pitch": "Hz",
        "speech rate": "words/s",
        "pauses": "%",
        "smile": "%",
        "frown": "%",
        "brow raise": "%",
        "mouth open": "%",
        "gaze aside": "%",
        "head turn": "°",
        "head nod": "°",
        "head tilt": "°",
    }
)
"""Every cue with its unit; those of the face are the mean of its blendshapes, in percent of the full movement.

The head's angles are those of OpenFace's axes: turn around the neck, nod, tilt to a shoulder; 0 faces the camera.
"""
