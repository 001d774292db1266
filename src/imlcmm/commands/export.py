"""The command that writes a model for other programs."""

from collections.abc import Sequence
from pathlib import Path

from imlcmm.commands.show import show
from imlcmm.errors import ModelError


def export(model: Path, out: Path, *, int8: bool = False, own_models: Sequence[str] = ()) -> None:
    """Write a trained model as an ONNX file, which `imlcmm predict --model` reads without PyTorch.

    Args:
        model: Run, checkpoint, installed model, or OWNER/NAME on the hub.
        out: File to write, ending in .onnx.
        int8: Whether weights of matrix products become whole numbers of 8 bits: a smaller file, other digits.
        own_models: Modules whose models the checkpoint may name.
    """
    from imlcmm.files import check_folder
    from imlcmm.prediction.networks.onnx_file import SUFFIX

    if out.suffix != SUFFIX:
        raise ModelError(f"{out} must end in {SUFFIX}")
    check_folder(out.parent)
    from imlcmm.prediction.networks.checkpoint import CheckpointNetwork
    from imlcmm.prediction.networks.onnx_export import export_onnx, largest_difference
    from imlcmm.prediction.predictor import find_checkpoint

    network = CheckpointNetwork.load(find_checkpoint(model), own_models)
    exported = export_onnx(network, out, int8=int8)
    show(
        f"{out} written: {type(network.model).__name__}, {out.stat().st_size / 1e6:.1f} MB; its sentiment for made-up "
        f"clips differs from PyTorch's by {largest_difference(network, exported):.1e} at most"
    )
