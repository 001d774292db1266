"""An ONNX file as a network, computed by ONNX Runtime; PyTorch is never imported."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import numpy as np

from imlcmm.calibration import Calibration, StoredCalibration
from imlcmm.errors import MissingPackageError, ModelError
from imlcmm.prediction.networks.network import ClipArrays, Scores
from imlcmm.types import MODALITIES, DataSpec
from imlcmm.untrusted import check_type

SUFFIX, DESCRIPTION = ".onnx", "imlcmm"
TOKENS, SENTIMENT = "tokens", "sentiment"
_LARGEST = 2 << 30


class Description(TypedDict):
    """What the file says of its model, as JSON among its properties.

    Attributes:
        model: Name of the model.
        imlcmm: Version that wrote it.
        spec: Shape of the data that it was trained on.
        means: Mean of each feature in training.
        calibration: How far it can be trusted.
        copy_of: Digest of the checkpoint in whose folder the file lies.
    """

    model: str
    imlcmm: str
    spec: DataSpec
    means: dict[str, list[float]]
    calibration: NotRequired[StoredCalibration]
    copy_of: NotRequired[str]


def mask_name(modality: str) -> str:
    """Name the input that tells a modality's real frames."""
    return f"{modality}_mask"


def output_name(kind: str, modality: str) -> str:
    """Name an output of a modality: its sentiment (unimodal) or its weights (attention)."""
    return f"{kind}_{modality}"


class OnnxNetwork:
    """Score clips with an exported model, on one thread, so that the number of processors changes no digit.

    Attributes:
        spec: Shape of the data that the model was trained on.
        means: Mean of each feature in training.
        calibration: How far it can be trusted.
        copy_of: Digest of the checkpoint that it was written beside, if it was.
    """

    def __init__(self, file: Path) -> None:
        """Load a file, check what it says of itself, and try it on a clip of nothing.

        Args:
            file: What `imlcmm export` wrote. It is loaded from memory, so that it can lead to no other file.

        Raises:
            MissingPackageError: If ONNX Runtime is not installed.
            ModelError: If it is no such file, or damaged.
        """
        try:
            import onnxruntime
        except ImportError as error:
            raise MissingPackageError("ONNX files need the extra 'onnx': pip install 'imlcmm[onnx]'") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        try:
            if not file.is_file() or file.stat().st_size > _LARGEST:
                raise ValueError("no regular file, or larger than 2 GiB")
            content = file.read_bytes()
            self._session = _tried(onnxruntime.InferenceSession, content, options, ["CPUExecutionProvider"])
            described = _description(self._session.get_modelmeta().custom_metadata_map)
            self.spec = DataSpec(**described["spec"])  # type: ignore[arg-type]
            self.means: Mapping[str, np.ndarray] = {m: np.array(v, np.float32) for m, v in described["means"].items()}
            stored = described.get("calibration")
            self.calibration = None if stored is None else Calibration.of(stored)
            self.copy_of = described.get("copy_of")
            self._try()
        except OSError as error:
            raise ModelError(f"{file} cannot be read ({error.strerror})") from error
        except (ValueError, TypeError, LookupError) as error:
            raise ModelError(f"{file} is no model that imlcmm has exported ({error}); export it again") from error

    def __call__(self, clips: ClipArrays) -> Scores:
        """Score some clips.

        Raises:
            ModelError: If the file's network cannot.
        """
        try:
            return self._scores(clips)
        except ValueError as error:
            raise ModelError(f"the ONNX file cannot score a clip ({error}); export it again") from error

    def _scores(self, clips: ClipArrays) -> Scores:
        given = {**clips.sequences, **{mask_name(m): mask for m, mask in clips.masks.items()}, TOKENS: clips.tokens}
        read = {each.name: given[each.name] for each in self._session.get_inputs()}
        names = [each.name for each in self._session.get_outputs()]
        found = dict(zip(names, _tried(self._session.run, None, read), strict=True))

        def of_modalities(kind: str) -> dict[str, np.ndarray]:
            return {m: found[name] for m in MODALITIES if (name := output_name(kind, m)) in found}

        return Scores(found[SENTIMENT], of_modalities("unimodal"), of_modalities("attention"))

    def _try(self) -> None:
        """Score a clip without anything, and look at the shapes that come back."""
        scores = self._scores(
            ClipArrays(
                {m: np.zeros((1, 1, self.spec.widths[m]), np.float32) for m in MODALITIES},
                {m: np.zeros((1, 1), bool) for m in MODALITIES},
                np.zeros((1, 3, 1), np.int64),
            )
        )
        shapes = {values.shape for values in (scores.sentiment, *scores.unimodal.values())}
        if shapes != {(1,)} or any(weights.shape != (1, 1) for weights in scores.attention.values()):
            raise ValueError(f"it answers one clip by numbers of the shape {sorted(shapes)}")


def _tried(do: Any, *arguments: Any) -> Any:
    """Call ONNX Runtime, whose errors have no class in common.

    Raises:
        ValueError: If it refuses.
    """
    try:
        return do(*arguments)
    except Exception as error:
        raise ValueError(" ".join(str(error).split())[:160]) from error


def _description(properties: Mapping[str, str]) -> Description:
    """Read what the file says of its model.

    Raises:
        ValueError: If it says nothing, or something else.
    """
    if DESCRIPTION not in properties:
        raise ValueError("it does not describe itself")
    described: Description = json.loads(properties[DESCRIPTION])
    check_type(described, Description)
    widths = DataSpec(**described["spec"]).widths  # type: ignore[arg-type]
    for m, means in described["means"].items():
        if len(means) != widths.get(m):
            raise ValueError(f"it has {len(means)} means of {m}, not {widths.get(m)}")
    return described
