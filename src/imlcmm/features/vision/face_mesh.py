"""478 landmarks and 52 expressions of each face, followed from picture to picture (Kartynnik et al. 2019).

The landmarks need only a rough place, so that those of the last picture say where to look in the next one; detection is
for faces that are new or lost.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, UInt8

from imlcmm.features.vision.face_detection import Detection, FaceDetector, intersection_over_union
from imlcmm.features.vision.face_models import FaceNetworks

LANDMARKS = 478
_ACTIONS = """
    _neutral browDownLeft browDownRight browInnerUp browOuterUpLeft browOuterUpRight cheekPuff cheekSquintLeft
    cheekSquintRight eyeBlinkLeft eyeBlinkRight eyeLookDownLeft eyeLookDownRight eyeLookInLeft eyeLookInRight
    eyeLookOutLeft eyeLookOutRight eyeLookUpLeft eyeLookUpRight eyeSquintLeft eyeSquintRight eyeWideLeft
    eyeWideRight jawForward jawLeft jawOpen jawRight mouthClose mouthDimpleLeft mouthDimpleRight mouthFrownLeft
    mouthFrownRight mouthFunnel mouthLeft mouthLowerDownLeft mouthLowerDownRight mouthPressLeft mouthPressRight
    mouthPucker mouthRight mouthRollLower mouthRollUpper mouthShrugLower mouthShrugUpper mouthSmileLeft
    mouthSmileRight mouthStretchLeft mouthStretchRight mouthUpperUpLeft mouthUpperUpRight noseSneerLeft
    noseSneerRight
"""
BLENDSHAPES = tuple(_ACTIONS.split())
_SIDE = 256
_MARGIN = 1.5
# Outer corners of the eyes, the left one in the picture first.
_EYE_CORNERS = (33, 263)
# The landmarks that the network of expressions reads, in its order.
_READ = """
    0 1 4 5 6 7 8 10 13 14 17 21 33 37 39 40 46 52 53 54 55 58 61 63 65 66 67 70 78 80 81 82 84 87 88 91 93 95 103
    105 107 109 127 132 133 136 144 145 146 148 149 150 152 153 154 155 157 158 159 160 161 162 163 168 172 173 176
    178 181 185 191 195 197 234 246 249 251 263 267 269 270 276 282 283 284 285 288 291 293 295 296 297 300 308 310
    311 312 314 317 318 321 323 324 332 334 336 338 356 361 362 365 373 374 375 377 378 379 380 381 382 384 385 386
    387 388 389 390 397 398 400 402 405 409 415 454 466 468 469 470 471 472 473 474 475 476 477
"""
_EXPRESSIVE: Int[np.ndarray, "146"] = np.array(_READ.split(), np.int64)


class Region(NamedTuple):
    """A square of a picture in which a face stands upright.

    Attributes:
        centre: (2,) pixels (x, y).
        side: Pixels.
        angle: Radians by which the square is turned clockwise.
    """

    centre: Float[np.ndarray, "2"]
    side: float
    angle: float


class Face(NamedTuple):
    """The landmarks of a face.

    Attributes:
        points: (478, 2) pixels (x, y) of the picture.
        depth: (478,) pixels from the middle of the head, smaller nearer to the camera.
        presence: Certainty in [0, 1] that this is a face.
    """

    points: Float[np.ndarray, "478 2"]
    depth: Float[np.ndarray, "478"]
    presence: float

    @property
    def box(self) -> Float[np.ndarray, "4"]:
        """Left, top, right and bottom of the landmarks in pixels."""
        return np.concatenate([self.points.min(axis=0), self.points.max(axis=0)])


def region_of_detection(found: Detection) -> Region:
    """Say where to look for the landmarks of a detected face."""
    return _region(found.box, found.keypoints[0], found.keypoints[1])


def region_of_face(face: Face) -> Region:
    """Say where to look for a face in the picture after the one in which it was seen."""
    return _region(face.box, *face.points[list(_EYE_CORNERS)])


def _region(box: Float[np.ndarray, "4"], left: Float[np.ndarray, "2"], right: Float[np.ndarray, "2"]) -> Region:
    """Set a square around a box and some margin, and turn it until the eyes are level."""
    across, down = right - left
    side = _MARGIN * float(np.max(box[2:] - box[:2]))
    return Region((box[:2] + box[2:]) / 2, side, float(np.arctan2(down, across)))


class FaceMesh:
    """Measure faces whose places are roughly known."""

    def __init__(self, networks: FaceNetworks) -> None:
        """Hold the networks."""
        self._networks = networks

    def __call__(self, image: UInt8[np.ndarray, "height width 3"], region: Region) -> Face:
        """Find the landmarks in a region of an upright RGB picture; without a face there, `presence` is low."""
        import cv2

        cos, sin = np.cos(region.angle), np.sin(region.angle)
        turn = np.array([[cos, -sin], [sin, cos]]) * (region.side / _SIDE)
        matrix = np.column_stack([turn, region.centre - turn @ np.full(2, _SIDE / 2)])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        crop = cv2.warpAffine(image, matrix, (_SIDE, _SIDE), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        outputs = self._networks.mesh(np.ascontiguousarray(crop.transpose(2, 0, 1)[None], np.float32) / np.float32(255))
        places = outputs["Identity"].reshape(LANDMARKS, 3).astype(np.float64)
        logit = float(outputs["Identity_1"].item())
        points = places[:, :2] @ turn.T + matrix[:, 2]
        return Face(points, places[:, 2] * (region.side / _SIDE), float(1 / (1 + np.exp(-np.clip(logit, -50, 50)))))

    def blendshapes(self, face: Face) -> Float[np.ndarray, "52"]:
        """Give how far each of `BLENDSHAPES` is active, in [0, 1]; left and right are the subject's."""
        entered = np.ascontiguousarray(face.points[_EXPRESSIVE][None], np.float32)
        (activations,) = self._networks.blendshapes(entered).values()
        return np.asarray(activations.ravel(), np.float64)


@dataclass(frozen=True)
class TrackingRules:
    """When faces are looked for, and which are the same.

    Attributes:
        faces: At most so many, the largest ones, are followed at a time.
        every: Pictures after which new faces are looked for; none seen or one lost is looked for at once.
        memory: Pictures during which a lost face keeps its number.
        presence: Certainty below which a face is lost.
        overlap: Intersection over union from which on two boxes are of one face.
        cut: Mean change of colour, of 255, from which on a picture is another shot, where everyone is new.
    """

    faces: int = 4
    every: int = 10
    memory: int = 25
    presence: float = 0.5
    overlap: float = 0.3
    cut: float = 30.0


_USUAL = TrackingRules()


class FaceTracker:
    """Follow the faces of one video; pictures are given in order."""

    def __init__(self, detector: FaceDetector, mesh: FaceMesh, rules: TrackingRules = _USUAL) -> None:
        """Begin before the first picture."""
        self._detector, self._mesh, self._rules = detector, mesh, rules
        # Number of each face to its last sight and the number of that picture.
        self._known: dict[int, tuple[Face, int]] = {}
        self._given = 0
        self._step = 0
        self._thumbnail: np.ndarray | None = None

    def __call__(self, image: UInt8[np.ndarray, "height width 3"]) -> dict[int, Face]:
        """Give the faces of the next upright RGB picture by their numbers, which last as long as a face is followed."""
        if self._is_cut(image):
            self._known.clear()
        followed = {number: face for number, (face, step) in self._known.items() if step == self._step}
        self._step += 1
        seen: dict[int, Face] = {}
        for number, face in followed.items():
            self._add(seen, number, self._mesh(image, region_of_face(face)))
        if not seen or len(seen) < len(followed) or self._step % self._rules.every == 1:
            self._look_for_others(image, seen)
        kept = sorted(seen, key=lambda number: -_size(seen[number].box))[: self._rules.faces]
        self._known.update({number: (seen[number], self._step) for number in kept})
        oldest = self._step - self._rules.memory
        self._known = {number: sight for number, sight in self._known.items() if sight[1] >= oldest}
        return {number: seen[number] for number in sorted(kept)}

    def _look_for_others(self, image: UInt8[np.ndarray, "height width 3"], seen: dict[int, Face]) -> None:
        """Detect faces and add those that are not followed yet."""
        found = sorted(self._detector(image), key=lambda each: -_size(each.box))
        followed = list(seen.values())
        others = [each for each in found if not self._same(each.box, followed)]
        for each in others[: self._rules.faces]:
            face = self._mesh(image, region_of_detection(each))
            self._add(seen, self._number(face, seen), face)

    def _add(self, seen: dict[int, Face], number: int, face: Face) -> None:
        """Add a face that is there and is none of those seen."""
        if face.presence >= self._rules.presence and not self._same(face.box, list(seen.values())):
            seen[number] = face

    def _same(self, box: Float[np.ndarray, "4"], faces: list[Face]) -> bool:
        """Tell whether a box is of one of these faces."""
        return bool(faces) and bool((_overlaps(box, faces) >= self._rules.overlap).any())

    def _number(self, face: Face, seen: dict[int, Face]) -> int:
        """Give the number of the face that was lost there, else a new one."""
        lost = [number for number in self._known if number not in seen]
        if lost:
            overlaps = _overlaps(face.box, [self._known[number][0] for number in lost])
            if overlaps.max() >= self._rules.overlap:
                return lost[int(overlaps.argmax())]
        self._given += 1
        return self._given

    def _is_cut(self, image: UInt8[np.ndarray, "height width 3"]) -> bool:
        """Tell whether another shot begins with this picture."""
        import cv2

        before = self._thumbnail
        self._thumbnail = cv2.resize(image, (16, 16), interpolation=cv2.INTER_AREA).astype(np.float32)
        return before is not None and float(np.abs(self._thumbnail - before).mean()) > self._rules.cut


def _size(box: Float[np.ndarray, "4"]) -> float:
    return float(np.prod(box[2:] - box[:2]))


def _overlaps(box: Float[np.ndarray, "4"], faces: list[Face]) -> Float[np.ndarray, " n"]:
    return intersection_over_union(box, np.stack([face.box for face in faces]))
