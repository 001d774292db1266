"""The face of the person who speaks, 25 rows a second: landmarks, expressions and head pose."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from imlcmm.errors import MediaError
from imlcmm.features.feature_set import Features, FeatureSet
from imlcmm.features.media.pictures import Frame
from imlcmm.features.vision.face_detection import FaceDetector
from imlcmm.features.vision.face_mesh import BLENDSHAPES, Face, FaceMesh, FaceTracker
from imlcmm.features.vision.face_models import PACKAGE, SHA256, load_networks
from imlcmm.features.vision.head_pose import head_pose
from imlcmm.stopwatch import timed

# The landmark that stands for each of the usual 68 points (Sagonas et al. 2013): jaw, brows, nose, eyes, lips.
_STANDING = """
    127 234 132 58 172 136 149 148 152 377 378 365 397 288 361 454 356
    70 63 105 66 107 336 296 334 293 300
    168 197 5 4 98 97 2 326 327
    33 160 158 133 153 144 362 385 387 263 373 380
    61 40 37 0 267 270 291 321 405 17 181 91 78 81 13 311 308 402 14 178
"""
POINTS_68: Int[np.ndarray, "68"] = np.array(_STANDING.split(), np.int64)
LANDMARK_COLUMNS = tuple(f"{axis}_{i}" for axis in "xy" for i in range(68))
POSE_COLUMNS = ("pose_Tx", "pose_Ty", "pose_Tz", "pose_Rx", "pose_Ry", "pose_Rz")
FACE_COLUMNS = (*LANDMARK_COLUMNS, *BLENDSHAPES, *POSE_COLUMNS)
_UNITS = ("eye distance",) * 136 + ("1",) * 52 + ("mm",) * 3 + ("rad",) * 3
_LEFT_EYE, _RIGHT_EYE = POINTS_68[36:42], POINTS_68[42:48]
_LIPS = (13, 14)
# Below this spread, in eye distances, a mouth is still: it is about what a listener's lips show.
_MOVING = 0.02
_FEWEST_ROWS = 5
# Another track is of the speaker only if its mouth moves at least this much as that of the best one.
_LIKE_THE_BEST = 0.5
# Seconds: what looks like a face for a shorter time is none.
_FLICKER = 0.1


@dataclass
class FaceTrack:
    """What is kept of a face while it is followed.

    Attributes:
        steps: Numbers of the rows in which it is seen.
        rows: (194,) features of each.
        openings: Distance of the lips in each, in eye distances.
        sizes: Area of the face in each, in pixels.
    """

    steps: list[int] = field(default_factory=list)
    rows: list[Float[np.ndarray, " columns"]] = field(default_factory=list)
    openings: list[float] = field(default_factory=list)
    sizes: list[float] = field(default_factory=list)

    @property
    def prominence(self) -> float:
        """Area summed over the rows: a face is prominent if it is large and stays."""
        return float(np.sum(self.sizes))

    def mouth(self, speaking: Bool[np.ndarray, " steps"]) -> tuple[float, float]:
        """Give the spread of the mouth's opening during speech, and the share of the speech in which it is seen."""
        heard = np.array(self.openings)[speaking[self.steps]]
        if len(heard) < _FEWEST_ROWS:
            return 0.0, 0.0
        spread = float(heard.std())
        return (spread if spread >= _MOVING else 0.0), len(heard) / int(speaking.sum())


def choose_tracks(tracks: Sequence[FaceTrack], speaking: Bool[np.ndarray, " steps"]) -> list[FaceTrack]:
    """Choose the face that speaks: whose mouth moves most during speech, or the largest steady one if none does.

    A face gets a new track when the shot changes or it was away for long: tracks that come before or after the chosen
    one are chosen too, unless their mouth is stiller during speech, as then somebody listens.

    Args:
        tracks: All faces of a clip.
        speaking: (steps,) whether speech is heard during each row.

    Returns:
        Tracks that never share a row, the most convincing first.
    """
    mouths = [track.mouth(speaking) for track in tracks]
    scores = [spread * share for spread, share in mouths]
    order = sorted(range(len(tracks)), key=lambda i: (-scores[i], -tracks[i].prominence))
    needed = mouths[order[0]][0] * _LIKE_THE_BEST if order else 0.0
    chosen: list[FaceTrack] = []
    taken: set[int] = set()
    for i in order:
        spread, share = mouths[i]
        listens = share > 0 and spread < needed
        if not listens and taken.isdisjoint(tracks[i].steps):
            chosen.append(tracks[i])
            taken.update(tracks[i].steps)
    return chosen


class FaceExtractor:
    """Compute the face features of a clip.

    The 68 landmarks are centred between the eyes and divided by the distance of the eyes in space, so that neither
    the place nor the size of the face changes them, nor does turning the head blow them up. The pose keeps its units.

    Attributes:
        features: The description of the columns.
    """

    features: FeatureSet

    def __init__(self, *, rate: float | int = 25.0) -> None:
        """Load the networks.

        Args:
            rate: Rows a second; the frames that are given must come at this rate.

        Raises:
            MediaError: The rate makes no sense.
            MissingPackageError: OpenCV or the model file is missing.
        """
        if not 0 < rate < 1000:
            raise MediaError(f"rate is {rate} rows a second: give a number above 0, such as 25")
        networks = load_networks()
        self._rate = float(rate)
        self._detector = FaceDetector(networks.detector)
        self._mesh = FaceMesh(networks)
        self.features = FeatureSet(
            name=f"face-{len(FACE_COLUMNS)}",
            modality="vision",
            columns=FACE_COLUMNS,
            units=_UNITS,
            rate=self._rate,
            version=f"{PACKAGE} face_landmarker.task sha256 {SHA256}",
            options={
                "landmarks": "68 points from 478, centred between the eyes, in distances of the eyes in space",
                "pose": "OpenFace's axes and signs, focal length guessed from the size of the picture",
                "face": "the one whose mouth moves most during speech, else the largest steady one",
            },
        )

    @timed("faces")
    def __call__(self, frames: Iterable[Frame], *, speech: Sequence[tuple[float, float]] | None = None) -> Features:
        """Compute a row for every frame.

        Args:
            frames: Upright RGB pictures in order, `rate` a second; they are not kept.
            speech: Seconds at which each stretch of speech begins and ends, on the clock of the frames.

        Returns:
            (frames, 194) float32; NaN where the face is not seen.
        """
        times: list[float] = []
        tracks: dict[int, FaceTrack] = {}
        tracker = FaceTracker(self._detector, self._mesh)
        shown: UInt8[np.ndarray, "height width 3"] | None = None
        for step, frame in enumerate(frames):
            times.append(float(frame.time))
            # A slow video shows the same picture at several moments.
            if shown is not frame.image:
                shown, faces = frame.image, tracker(np.ascontiguousarray(frame.image))
                measured = {number: self._measure(face, frame.image) for number, face in faces.items()}
            for number, (row, opening, size) in measured.items():
                track = tracks.setdefault(number, FaceTrack())
                track.steps.append(step)
                track.rows.append(row)
                track.openings.append(opening)
                track.sizes.append(size)
        spans = np.array(times, np.float64)[:, None] + np.array([0, 1 / self._rate])
        values = np.full((len(times), self.features.width), np.nan, np.float32)
        fewest = min(_FLICKER * self._rate, len(times))
        lasting = [track for track in tracks.values() if len(track.steps) >= fewest]
        for track in choose_tracks(lasting, _speaking(spans, speech or ())):
            values[track.steps] = track.rows
        return Features(values, spans)

    def _measure(
        self, face: Face, image: UInt8[np.ndarray, "height width 3"]
    ) -> tuple[Float[np.ndarray, " columns"], float, float]:
        """Give the features, the opening of the mouth in eye distances and the area in pixels."""
        height, width = image.shape[:2]
        places = np.column_stack([face.points, face.depth])
        left, right = places[_LEFT_EYE].mean(axis=0), places[_RIGHT_EYE].mean(axis=0)
        apart = max(float(np.linalg.norm(right - left)), 1e-6)
        centred = (places[POINTS_68, :2] - (left + right)[:2] / 2) / apart
        pose = head_pose(face, width, height)
        row = np.concatenate([centred.T.ravel(), self._mesh.blendshapes(face), pose.translation, pose.rotation])
        if not np.isfinite(row).all():
            row = np.full_like(row, np.nan)
        upper, lower = places[list(_LIPS)]
        opening = float(np.linalg.norm(lower - upper)) / apart
        return row.astype(np.float32), opening, float(np.prod(face.box[2:] - face.box[:2]))


def _speaking(spans: Float[np.ndarray, "steps 2"], speech: Sequence[tuple[float, float]]) -> Bool[np.ndarray, " steps"]:
    """Tell during which rows speech is heard at their middle."""
    middles = spans.mean(axis=1)
    speaking = np.zeros(len(spans), bool)
    for begin, end in speech:
        speaking |= (middles >= begin) & (middles < end)
    return speaking
