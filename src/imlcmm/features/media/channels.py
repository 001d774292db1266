"""Which channel of a sound is heard: their mix, or the strongest one where the mix loses what they hold."""

import logging
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from imlcmm.features.media.limits import MediaLimits
from imlcmm.features.media.streams import frames_from, quoted, sound_stream, told_in_one_line

if TYPE_CHECKING:
    from av import AudioFrame
else:
    # What checks types at run time finds this name, though PyAV is imported only where it is used.
    AudioFrame = Any

logger = logging.getLogger(__name__)

# Channels that have nothing in common keep half of their energy in stereo, and a fifth in the larger layouts.
_LOST = 0.1
_QUIET = 1e-4
_HEARD, _LOOKED = 10.0, 300.0


def channel_to_keep(path: Path, limits: MediaLimits) -> int | None:
    """Find the channel that stands for all of a file, whichever part of it is read; None where they are mixed.

    The first ten seconds that are not silent decide, looked for within the first five minutes. Channels cancel where
    one is the other turned upside down, as faulty cables and pseudo-stereo make them. Layouts that have no mix, such as
    those of microphone arrays, are represented by their strongest channel, too.

    Raises:
        MediaError: If the file cannot be read.
    """
    state = path.stat() if path.is_file() else None
    return _decided(path, state and (state.st_size, state.st_mtime_ns), limits)


@lru_cache(maxsize=256)
def _decided(path: Path, state: tuple[int, int] | None, limits: MediaLimits) -> int | None:
    energies: Float[np.ndarray, " channels"] = np.zeros(0)
    mixed = heard = 0.0
    with told_in_one_line(path):
        for time, after, frame in frames_from(path, sound_stream, 0.0, limits=limits):
            if frame.layout.nb_channels == 1 or heard > _HEARD or time > _LOOKED:
                break
            sound = channels_of(frame)
            if len(energies) != len(sound):
                energies, mixed, heard = np.zeros(len(sound)), 0.0, 0.0
            if np.abs(sound).max(initial=0.0) > _QUIET:
                energies += np.square(sound, dtype=np.float64).sum(axis=1)
                mixed += _mixed_energy(frame)
                heard += after - time
    if not energies.any() or mixed >= _LOST * energies.mean():
        return None
    strongest = int(energies.argmax())
    logger.warning(
        "%s: the %d channels of its sound cancel when they are mixed; channel %d, the strongest, is taken alone",
        quoted(path), len(energies), strongest + 1,
    )  # fmt: skip
    return strongest


def channels_of(frame: "AudioFrame") -> Float[np.ndarray, "channels samples"]:
    """Give the channels of a decoded frame in [-1, 1]."""
    import av

    # Packed: of planar frames with eight channels or more PyAV reads beyond the end.
    resampler = av.AudioResampler("flt", frame.layout, frame.sample_rate)
    packed = np.concatenate([piece.to_ndarray()[0] for piece in resampler.resample(frame)])
    return packed.reshape(-1, frame.layout.nb_channels).T


def mono_resampler(rate: int) -> Any:
    """Make what mixes frames to one channel.

    Without a bound the sum of two equal channels would be 1.4 times as loud, and be clipped.
    """
    import av

    return av.AudioResampler("flt", "mono", rate, options={"rematrix_maxval": "1.0"})


def _mixed_energy(frame: "AudioFrame") -> float:
    """Give the energy of the mix; none where the layout has no mix."""
    import av

    try:
        pieces = mono_resampler(frame.sample_rate).resample(frame)
    except av.FFmpegError:
        return 0.0
    return float(sum(np.square(piece.to_ndarray(), dtype=np.float64).sum() for piece in pieces))
