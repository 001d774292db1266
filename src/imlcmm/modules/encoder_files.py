"""Hugging Face text encoders from a folder or the local cache; nothing that lies beside the weights is ever run."""

from pathlib import Path
from typing import Any

from torch import nn

from imlcmm.errors import MissingPackageError, ModelError
from imlcmm.modules.dry_run import dry_run, stored_shapes
from imlcmm.untrusted import inside, shown

_ATTENTION = (None, "eager", "sdpa")


def load_encoder(source: str, **options: Any) -> nn.Module:
    """Load an encoder's weights, from safetensors alone.

    Args:
        source: Hugging Face id, or folder.
        options: Where to look, as transformers' `from_pretrained` takes it.

    Raises:
        MissingPackageError: If transformers is not installed.
        ModelError: If it cannot be loaded, brings code of its own, or asks for code that would have to be fetched.
    """
    try:
        from transformers import AutoConfig, AutoModel, PretrainedConfig
    except ImportError as error:
        raise MissingPackageError("a text encoder needs the extra 'bert': pip install 'imlcmm[bert]'") from error
    try:
        # Said aloud, since transformers would otherwise ask at the terminal, and run the code upon a yes.
        options = {**options, "trust_remote_code": False}
        _refuse_code(PretrainedConfig.get_config_dict(source, **options)[0])
        config = AutoConfig.from_pretrained(source, **options)
        _check_size(lambda: AutoModel.from_config(config, trust_remote_code=False), Path(source))
        # Other weight files than safetensors are pickles, which can run code.
        loaded: nn.Module = AutoModel.from_pretrained(source, config=config, use_safetensors=True, **options)
    except Exception as error:  # what transformers raises on a file that is wrong has no common base
        reason = (str(error).splitlines() or ["no reason given"])[0]
        raise ModelError(
            f"text encoder '{source}' cannot be loaded ({reason}); give a model id that is reachable, or a folder "
            "with config.json and model.safetensors"
        ) from error
    return loaded


def _refuse_code(written: dict[str, Any]) -> None:
    """Refuse a config.json that, itself or in a part, makes transformers fetch code, even if a release skips it."""
    for name, value in written.items():
        if isinstance(value, dict):
            _refuse_code(value)
        if name in ("attn_implementation", "_attn_implementation") and value not in _ATTENTION:
            raise ValueError(f"its config.json asks for the attention {shown(value)}, whose code would be fetched")
        if name in ("auto_map", "quantization_config") and value:
            raise ValueError(f"its config.json has '{name}', which needs code that is not part of transformers")


def _check_size(build: Any, folder: Path) -> None:
    """Compare the size that a folder's configuration claims with its weights."""
    if not folder.is_dir():
        return
    stored: dict[str, tuple[int, ...]] = {}
    for file in sorted(folder.glob("*.safetensors")):
        stored |= stored_shapes(inside(folder, file.name))
    dry_run(build, stored)
