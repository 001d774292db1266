"""Faces in a picture, by BlazeFace's short-range network (Bazarevsky et al. 2019).

It sees the whole picture in 128 by 128 pixels: a face narrower than about a tenth of the longer side may be missed.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8

from imlcmm.features.vision.face_models import Network

_SIDE = 128
# Cells of each grid, and how many anchors lie on the middle of a cell.
_GRIDS = ((16, 2), (8, 6))


class Detection(NamedTuple):
    """A face found in a picture.

    Attributes:
        box: Left, top, right and bottom in pixels; may reach beyond the picture.
        keypoints: (6, 2) pixels (x, y): the eyes, nose tip, mouth and ears, the left one in the picture first.
        score: Certainty in [0, 1].
    """

    box: Float[np.ndarray, "4"]
    keypoints: Float[np.ndarray, "6 2"]
    score: float


class FaceDetector:
    """Find faces in one picture after another."""

    def __init__(self, network: Network, *, threshold: float = 0.5, overlap: float = 0.5) -> None:
        """Hold the network.

        Args:
            network: The detector of `FaceNetworks`.
            threshold: Score from which on there is a face.
            overlap: Intersection over union from which on two boxes mean the same face.
        """
        self._network = network
        self._threshold = threshold
        self._overlap = overlap
        self._anchors = _anchors()

    def __call__(self, image: UInt8[np.ndarray, "height width 3"]) -> list[Detection]:
        """Find the faces of an upright RGB picture, the most certain first."""
        height, width = image.shape[:2]
        outputs = self._network(_letterbox(image))
        scores = _sigmoid(outputs["classificators"].ravel().astype(np.float64))
        sure = scores >= self._threshold
        places = outputs["regressors"].reshape(-1, 8, 2)[sure].astype(np.float64) / _SIDE
        # The second pair is width and height, all others are offsets from the anchor.
        points = places + self._anchors[sure, None]
        centre, half = points[:, 0], places[:, 1] / 2
        corners = np.stack([centre - half, centre + half], axis=1)
        longest = max(height, width)
        margin = (longest - np.array([width, height])) / 2
        found = np.concatenate([corners, points[:, 2:]], axis=1) * longest - margin
        return _merged(found, scores[sure], self._overlap)


def intersection_over_union(box: Float[np.ndarray, "4"], others: Float[np.ndarray, "n 4"]) -> Float[np.ndarray, " n"]:
    """Compare a box (left, top, right, bottom) with others: shared area over covered area, 0 where they are apart."""
    shared = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    common = np.prod(np.maximum(shared, 0), axis=1)
    covered = np.prod(box[2:] - box[:2]) + np.prod(others[:, 2:] - others[:, :2], axis=1) - common
    return np.asarray(common / np.maximum(covered, 1e-9))


def _anchors() -> Float[np.ndarray, "896 2"]:
    """Give the middle (x, y) of each anchor, as a share of the input's side: row by row, those of a cell together."""
    grids = []
    for cells, repeats in _GRIDS:
        middles = (np.arange(cells) + 0.5) / cells
        y, x = np.meshgrid(middles, middles, indexing="ij")
        grids.append(np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), repeats, axis=0))
    return np.concatenate(grids)


def _letterbox(image: UInt8[np.ndarray, "height width 3"]) -> Float[np.ndarray, "1 3 128 128"]:
    """Fit the picture into the middle of a black square, and bring it to [-1, 1]."""
    import cv2

    height, width = image.shape[:2]
    scale = _SIDE / max(height, width)
    shift = (_SIDE - scale * np.array([width, height])) / 2
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    small = cv2.warpAffine(image, matrix, (_SIDE, _SIDE), flags=cv2.INTER_LINEAR)
    return np.ascontiguousarray((small.astype(np.float32) / 127.5 - 1).transpose(2, 0, 1)[None])


def _sigmoid(logits: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -100, 100))))


def _merged(found: Float[np.ndarray, "n 8 2"], scores: Float[np.ndarray, " n"], overlap: float) -> list[Detection]:
    """Give one face for each group of boxes that overlap the best of them: their mean, weighted by score."""
    order = np.argsort(-scores, kind="stable")
    found, scores = found[order], scores[order]
    faces: list[Detection] = []
    while len(found):
        boxes = found[:, :2].reshape(-1, 4)
        same = intersection_over_union(boxes[0], boxes) > overlap
        # A box without area does not even overlap itself.
        same[0] = True
        mean = np.average(found[same], axis=0, weights=scores[same])
        faces.append(Detection(mean[:2].ravel(), mean[2:], float(scores[0])))
        found, scores = found[~same], scores[~same]
    return faces
