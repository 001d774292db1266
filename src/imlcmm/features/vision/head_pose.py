"""Where a head is and how it is turned, from its landmarks and a fixed face of usual size.

Axes and signs are those of OpenFace 2 (Baltrušaitis et al. 2018): x to the right in the picture, y down, z away from
the camera, rotation = Rx · Ry · Rz. So pitch is positive looking down, yaw is positive turning to the picture's left
(the subject's right), roll is positive clockwise in the picture. With axes y up and z to the viewer, which many
programs use, yaw and roll have the other sign.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from imlcmm.features.vision.face_mesh import Face

# Landmark to millimetres (x, y, z): the canonical face of the landmark model, at points that expressions hardly move.
_FACE = {
    10: (0, -83, -45),
    168: (0, -33, -52),
    6: (0, -25, -58),
    4: (0, 5, -76),
    2: (0, 21, -61),
    98: (-14, 17, -52),
    327: (14, 17, -52),
    33: (-45, -27, -32),
    133: (-19, -26, -38),
    362: (19, -26, -38),
    263: (45, -27, -32),
    127: (-77, -24, 20),
    356: (77, -24, 20),
    234: (-77, -7, 24),
    454: (77, -7, 24),
}
_BETWEEN_EYES = 90.0


class HeadPose(NamedTuple):
    """The pose of a head in the camera's axes.

    Attributes:
        translation: (3,) millimetres from the camera to the middle of the head, x right, y down, z away; only as true
            as the guessed focal length.
        rotation: (3,) radians, pitch, yaw and roll; zero facing along the camera's axis.
    """

    translation: Float[np.ndarray, "3"]
    rotation: Float[np.ndarray, "3"]


def focal_length(width: int, height: int) -> float:
    """Guess the focal length in pixels of a picture, as OpenFace does where it is not told."""
    return (500 * width / 640 + 500 * height / 480) / 2


def head_pose(face: Face, width: int, height: int) -> HeadPose:
    """Fit the fixed face to the landmarks.

    Args:
        face: The landmarks in pixels.
        width: Pixels of the picture from left to right.
        height: Pixels of the picture from top to bottom.

    Returns:
        The pose; NaN where the fit fails.
    """
    import cv2

    points = np.ascontiguousarray(face.points[list(_FACE)])
    focal = focal_length(width, height)
    middle = np.array([width, height]) / 2
    camera = np.array([[focal, 0, middle[0]], [0, focal, middle[1]], [0, 0, 1]])
    # The fit begins with a face that looks into the camera at about its distance, not with a mirrored one behind it.
    eyes = face.points[[33, 263]]
    depth = focal * _BETWEEN_EYES / max(float(np.linalg.norm(eyes[1] - eyes[0])), 1.0)
    guess = np.append((eyes.mean(axis=0) - middle) * depth / focal, depth)
    fitted, turn, shift = cv2.solvePnP(
        np.array(list(_FACE.values()), np.float64), points, camera, None, np.zeros(3), guess, True
    )
    if not fitted or not np.isfinite(shift).all() or shift[2].item() <= 0:
        return HeadPose(np.full(3, np.nan), np.full(3, np.nan))
    return HeadPose(np.asarray(shift, np.float64).ravel(), euler_angles(cv2.Rodrigues(turn)[0]))


def euler_angles(rotation: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "3"]:
    """Take a rotation matrix apart into the angles (pitch, yaw, roll) of Rx · Ry · Rz, in radians."""
    yaw = np.arcsin(np.clip(rotation[0, 2], -1, 1))
    pitch = np.arctan2(-rotation[1, 2], rotation[2, 2])
    roll = np.arctan2(-rotation[0, 1], rotation[0, 0])
    return np.array([pitch, yaw, roll])
