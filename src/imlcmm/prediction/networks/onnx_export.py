"""Writing a checkpoint as an ONNX file that describes itself."""

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from imlcmm.errors import MissingPackageError, ModelError
from imlcmm.files import replacing
from imlcmm.models.base import SentimentModel
from imlcmm.prediction.networks.checkpoint import CheckpointNetwork
from imlcmm.prediction.networks.network import ClipArrays, Network
from imlcmm.prediction.networks.onnx_copy import COPY, checkpoint_digest
from imlcmm.prediction.networks.onnx_file import (
    DESCRIPTION,
    SENTIMENT,
    TOKENS,
    Description,
    OnnxNetwork,
    mask_name,
    output_name,
)
from imlcmm.types import MODALITIES, Batch, Prediction

_OPSET = 20
_EXAMPLE = 5
"""Clips of the batch that the model is traced with, and steps of each: any number but 0 and 1, which PyTorch fixes."""


class _Graph(nn.Module):
    """A model as a function of named tensors."""

    def __init__(self, model: SentimentModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, sequences: dict[str, Tensor], masks: dict[str, Tensor], tokens: Tensor) -> dict[str, Tensor]:
        unknown = sequences["text"].new_full((tokens.shape[0],), torch.nan)
        rows = tokens.new_full((tokens.shape[0],), -1)
        labels = dict.fromkeys(MODALITIES, unknown)
        prediction = self.model(
            Batch(**sequences, masks=masks, label=unknown, unimodal_labels=labels, row=rows, tokens=tokens)
        )
        return _outputs(prediction)


def _outputs(prediction: Prediction) -> dict[str, Tensor]:
    """Name what the file answers."""
    heads = {output_name("unimodal", m): values for m, values in prediction.unimodal.items()}
    weights = {output_name("attention", m): w for m, w in prediction.attention.items() if m in MODALITIES}
    return {SENTIMENT: prediction.sentiment, **heads, **weights}


def export_onnx(network: CheckpointNetwork, out: Path, *, int8: bool = False, copy_of: str = "") -> OnnxNetwork:
    """Write a model as an ONNX file for any number of clips and steps, with masks, calibration and description inside.

    Args:
        network: The checkpoint.
        out: File to write.
        int8: Whether weights of matrix products become 8-bit whole numbers: about a quarter of the size.
        copy_of: Digest of the checkpoint in whose folder the file lies.

    Returns:
        The file, loaded.

    Raises:
        MissingPackageError: If onnx or onnxscript is not installed.
        ModelError: If the model cannot be exported.
    """
    if not all(map(find_spec, ("onnx", "onnxscript", "onnxruntime"))):
        raise MissingPackageError("exporting needs the extra 'onnx': pip install 'imlcmm[onnx]'")
    with TemporaryDirectory() as folder, replacing(out) as beside:
        plain = Path(folder) / "model.onnx"
        _trace(network.model).save(plain)
        if int8:
            plain = _quantised(plain)
        _describe(plain, beside, network, copy_of)
    return OnnxNetwork(out)


def write_copy(checkpoint: Path) -> OnnxNetwork:
    """Write the copy of a checkpoint that `load_copy` finds in its folder.

    Raises:
        MissingPackageError: If onnx or onnxscript is not installed.
        ModelError: If it is no checkpoint, or cannot be exported.
    """
    return export_onnx(CheckpointNetwork.load(checkpoint), checkpoint / COPY, copy_of=checkpoint_digest(checkpoint))


def largest_difference(network: Network, other: Network, clips: int = 8) -> float:
    """Compare the sentiment that two networks give for made-up clips, padded and without one or the other modality."""
    draw, spec = np.random.default_rng(0), network.spec
    sequences, masks = {}, {}
    for m in MODALITIES:
        lengths = draw.integers(0 if m in spec.present else 1, max(spec.steps[m], 1) + 1, clips)
        masks[m] = np.arange(lengths.max(initial=1)) < lengths[:, None]
        values = draw.normal(size=(*masks[m].shape, spec.widths[m]))
        sequences[m] = (values * masks[m][..., None]).astype(np.float32)
    tokens = np.stack([np.ones_like(masks["text"]), masks["text"], np.zeros_like(masks["text"])], 1).astype(np.int64)
    arrays = ClipArrays(sequences, masks, tokens)
    return float(np.abs(network(arrays).sentiment - other(arrays).sentiment).max())


def _trace(model: SentimentModel) -> Any:
    """Export the graph of a model whose batch and steps are free."""
    graph = _Graph(model).eval()
    steps = {m: _EXAMPLE + 1 + i for i, m in enumerate(MODALITIES)}
    widths = model.spec.widths
    sequences = {m: torch.zeros(_EXAMPLE, steps[m], widths[m]) for m in MODALITIES}
    masks = {m: torch.ones(_EXAMPLE, steps[m], dtype=torch.bool) for m in MODALITIES}
    tokens = torch.ones(_EXAMPLE, 3, steps["text"], dtype=torch.long)
    clips, length = torch.export.Dim("clips"), {m: torch.export.Dim(f"{m}_steps") for m in MODALITIES}
    free = {m: {0: clips, 1: length[m]} for m in MODALITIES}
    with torch.no_grad():
        outputs = list(graph(sequences, masks, tokens))
    try:
        with _quiet():
            return torch.onnx.export(
                graph, (sequences, masks, tokens), dynamo=True, verbose=False, opset_version=_OPSET,
                dynamic_shapes=(free, free, {0: clips, 2: length["text"]}), output_names=outputs,
                input_names=[*MODALITIES, *map(mask_name, MODALITIES), TOKENS],
            )  # fmt: skip
    except (torch.onnx.OnnxExporterError, RuntimeError) as error:
        name = type(model).__name__
        raise ModelError(f"{name} cannot be exported ({_reason(error)}); use its checkpoint") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the exporter says of its own insides from people."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logging.disable(disabled)


def _reason(error: BaseException) -> str:
    return " ".join(str(error.__cause__ or error).split())[:160]


def _quantised(plain: Path) -> Path:
    """Make the weights of matrix products whole numbers of 8 bits, a scale for each column."""
    import onnx
    from onnxruntime.quantization import QuantType, quant_pre_process, quantize_dynamic

    content = onnx.load(plain)
    del content.graph.value_info[:]  # older exporters note shapes that folding makes wrong
    bare, folded, out = (plain.with_name(f"{name}.onnx") for name in ("bare", "folded", "int8"))
    onnx.save(content, bare)
    quant_pre_process(bare, folded, skip_symbolic_shape=True)  # or weights that are put together stay as they are
    quantize_dynamic(folded, out, weight_type=QuantType.QInt8, per_channel=True)
    return out


def _describe(plain: Path, out: Path, network: CheckpointNetwork, copy_of: str) -> None:
    """Write what the model is among the properties of its file."""
    import onnx

    described: Description = {
        "model": type(network.model).__name__,
        "imlcmm": version("imlcmm"),
        "spec": asdict(network.spec),  # type: ignore[typeddict-item]
        "means": {m: means.tolist() for m, means in network.means.items()},
    }
    if network.calibration is not None:
        described["calibration"] = asdict(network.calibration)  # type: ignore[typeddict-item]
    if copy_of:
        described["copy_of"] = copy_of
    content = onnx.load(plain)
    onnx.helper.set_model_props(content, {DESCRIPTION: json.dumps(described, sort_keys=True)})
    onnx.save(content, out)
