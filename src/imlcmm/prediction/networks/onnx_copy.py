"""The copy of a checkpoint as an ONNX file in its folder, which spares a first answer PyTorch: seconds and 300 MB."""

import hashlib
import logging
from importlib.util import find_spec
from pathlib import Path

from imlcmm.calibration import read_calibration
from imlcmm.errors import ModelError
from imlcmm.files import file_digest
from imlcmm.prediction.networks.onnx_file import OnnxNetwork

COPY = "model.onnx"
_COPIED = ("config.json", "model.safetensors")

logger = logging.getLogger(__name__)


def checkpoint_digest(checkpoint: Path) -> str:
    """Give a digest of the model in a checkpoint folder: of its options and weights.

    Raises:
        OSError: If a file is missing.
    """
    return hashlib.sha256("".join(file_digest(checkpoint / name) for name in _COPIED).encode()).hexdigest()


def load_copy(checkpoint: Path) -> OnnxNetwork | None:
    """Load a checkpoint's copy; its calibration is the checkpoint's.

    Args:
        checkpoint: The folder.

    Returns:
        None where there is no copy, where it is one of other weights, or where ONNX Runtime is not installed.

    Raises:
        ModelError: If the calibration is damaged.
    """
    file = checkpoint / COPY
    if not file.is_file() or find_spec("onnxruntime") is None:
        return None
    try:
        network = OnnxNetwork(file)
        if network.copy_of != checkpoint_digest(checkpoint):
            logger.debug("%s is a copy of other weights: PyTorch computes instead", file)
            return None
    except (OSError, ModelError) as error:
        logger.debug("%s cannot be used (%s): PyTorch computes instead", file, error)
        return None
    network.calibration = read_calibration(checkpoint)
    return network
