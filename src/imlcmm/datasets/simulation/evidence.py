"""What the simulator films: moments that show a modality's own sentiment, a decoy, clutter, and the feature columns."""

from dataclasses import dataclass

import numpy as np

from imlcmm.datasets.simulation.label_model import LEVELS

# Latent units, in which all that tells nothing has deviation 1. So strong a cue is mistaken in about one frame of 700
# by a threshold halfway, and seldom by one that is better placed.
CUE = 6.0
# Latent units of one label unit.
GAIN = 2.0
MOMENTS = 3
LATENT = 16
# Deviation of the value from frame to frame within a moment, in latent units.
FLICKER = 0.1
# The shortest clip as a share of the longest: the moments must fit behind the opening.
SHORTEST = 0.45


@dataclass(frozen=True)
class Evidence:
    """How one modality shows its own label.

    Attributes:
        steps: Frames of the longest clip; the opening is a quarter of this.
        width: Features a frame.
        frames: Frames of one informative moment.
        noise: Deviation, in label units, of the mean of the three moments' values around the label.
        clutter: Deviation, in label units, of the meaningless values in frames without a cue.
    """

    steps: int
    width: int
    frames: int
    noise: float
    clutter: float

    @property
    def opening(self) -> int:
        """Give the number of first frames that hold no informative moment, only a decoy."""
        return self.steps // 4

    @property
    def variance(self) -> float:
        """Give the variance of the oracle's statistic around the label, the flicker within moments included."""
        return self.noise**2 + (FLICKER / GAIN) ** 2 / (MOMENTS * self.frames)

    def likelihood(self, statistic: float) -> np.ndarray:
        """Give the density (11,) of the mean informative value under each level of the modality's label."""
        distance = (statistic - LEVELS) ** 2 / (2 * self.variance)
        return np.asarray(np.exp(distance.min() - distance))


class Camera:
    """Turn latent frames into the features of one modality, the same way for every clip of a seed."""

    def __init__(self, evidence: Evidence, seed: list[int]) -> None:
        """Draw the rotation, scales and offsets of the feature columns."""
        random = np.random.default_rng(seed)
        rotation, _ = np.linalg.qr(random.standard_normal((evidence.width, LATENT)))
        scale = random.lognormal(0.0, 1.0, evidence.width)
        self.evidence = evidence
        self.map = (rotation.T * scale).astype(np.float32)
        self.offset = (3.0 * scale * random.standard_normal(evidence.width)).astype(np.float32)

    def film(self, label: float, random: np.random.Generator) -> tuple[np.ndarray, float]:
        """Make the (steps, width) features of one clip, and the mean informative value that the oracle sees."""
        scene = self.evidence
        shortest = round(SHORTEST * scene.steps)
        length = shortest + int((scene.steps - shortest + 1) * random.beta(1.5, 2.0))
        latent = random.standard_normal((length, LATENT), dtype=np.float32)
        latent[:, 1] *= GAIN * scene.clutter
        values = label + scene.noise * np.sqrt(MOMENTS) * random.standard_normal(MOMENTS)
        decoy = random.choice(LEVELS) + scene.noise * np.sqrt(MOMENTS) * random.standard_normal()
        flicker = FLICKER * random.standard_normal((MOMENTS + 1, scene.frames))
        moments = np.asarray(GAIN * np.append(values, decoy)[:, None] + flicker)
        # Starts drawn without repetition and then spread by the moments' length cannot overlap.
        free = length - scene.opening - MOMENTS * (scene.frames - 1)
        starts = np.sort(random.choice(free, MOMENTS, replace=False)) + scene.opening
        starts = np.append(starts + np.arange(MOMENTS) * (scene.frames - 1), random.integers(_decoy_places(scene)))
        frames = starts[:, None] + np.arange(scene.frames)
        latent[frames, 0] += CUE
        latent[frames, 1] = moments
        return latent @ self.map + self.offset, float(moments[:MOMENTS].mean() / GAIN)


def _decoy_places(scene: Evidence) -> int:
    """Count the places at which a decoy moment fits into the opening."""
    return scene.opening - scene.frames + 1
