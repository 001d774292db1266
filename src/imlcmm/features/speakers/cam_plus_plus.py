"""CAM++, a network that turns speech into a vector of the voice.

Wang et al. 2023, "CAM++: A Fast and Efficient Network for Speaker Verification Using Context-Aware Masking". The names
of the parts are those of the published weights.
"""

from collections import OrderedDict

import torch
from jaxtyping import Float
from torch import Tensor, nn

_CHANNELS, _FRAMES, _GROWTH, _NARROW = 32, 128, 32, 128
# Layers, and the dilation of their convolutions over time.
_BLOCKS = ((12, 1), (24, 2), (16, 2))
_SEGMENT = 100


class CamPlusPlus(nn.Module):
    """Give the voice of a piece of speech: a convolution over the spectrum, then densely joined layers over time."""

    def __init__(self, bins: int, width: int) -> None:
        """Build the network, whose weights are to be loaded.

        Args:
            bins: Mel bands.
            width: Numbers of a voice.
        """
        super().__init__()
        self.head = SpectrumHead()
        parts: list[tuple[str, nn.Module]] = [("tdnn", FirstTimeLayer(_CHANNELS * bins // 8, _FRAMES))]
        channels = _FRAMES
        for number, (layers, dilation) in enumerate(_BLOCKS, start=1):
            parts.append((f"block{number}", DenseBlock(channels, layers, dilation)))
            channels += layers * _GROWTH
            parts.append((f"transit{number}", Transition(channels, channels // 2)))
            channels //= 2
        parts.append(("out_nonlinear", normalised(channels)))
        parts += [("stats", Statistics()), ("dense", Projection(2 * channels, width))]
        self.xvector = nn.Sequential(OrderedDict(parts))

    def forward(self, spectrum: Float[Tensor, "batch frames bins"]) -> Float[Tensor, "batch width"]:
        """Turn log-mel spectra, less their mean over time, into vectors whose cosine tells whether voices are one."""
        voices: Tensor = self.xvector(self.head(spectrum.transpose(1, 2)))
        return voices


class SpectrumHead(nn.Module):
    """Look at the spectrum as at a picture, whose frequencies come out at an eighth (front-end convolution)."""

    def __init__(self) -> None:
        """Build the two convolutions and the residual layers between them."""
        super().__init__()
        self.conv1, self.bn1 = _convolution(1, 3, 1), nn.BatchNorm2d(_CHANNELS)
        self.layer1 = nn.Sequential(Residual(halves=True), Residual(halves=False))
        self.layer2 = nn.Sequential(Residual(halves=True), Residual(halves=False))
        self.conv2, self.bn2 = _convolution(_CHANNELS, 3, 2), nn.BatchNorm2d(_CHANNELS)

    def forward(self, spectrum: Float[Tensor, "batch bins frames"]) -> Float[Tensor, "batch channels frames"]:
        """Give the channels of all remaining frequencies at each frame."""
        seen = torch.relu(self.bn1(self.conv1(spectrum.unsqueeze(1))))
        seen = torch.relu(self.bn2(self.conv2(self.layer2(self.layer1(seen)))))
        return seen.flatten(1, 2)


class Residual(nn.Module):
    """Two convolutions around which the input goes, too; the first may halve the frequencies."""

    def __init__(self, *, halves: bool) -> None:
        """Build the layer."""
        super().__init__()
        stride = 2 if halves else 1
        self.conv1, self.bn1 = _convolution(_CHANNELS, 3, stride), nn.BatchNorm2d(_CHANNELS)
        self.conv2, self.bn2 = _convolution(_CHANNELS, 3, 1), nn.BatchNorm2d(_CHANNELS)
        around = [_convolution(_CHANNELS, 1, stride), nn.BatchNorm2d(_CHANNELS)] if halves else []
        self.shortcut = nn.Sequential(*around)

    def forward(
        self, seen: Float[Tensor, "batch channels bins frames"]
    ) -> Float[Tensor, "batch channels fewer_bins frames"]:
        """Add what the convolutions find to the input."""
        found = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(seen)))))
        return torch.relu(found + self.shortcut(seen))


class FirstTimeLayer(nn.Module):
    """Read five frames at a time, at every other frame."""

    def __init__(self, width: int, out: int) -> None:
        """Build the layer."""
        super().__init__()
        self.linear = nn.Conv1d(width, out, 5, stride=2, padding=2, bias=False)
        self.nonlinear = normalised(out)

    def forward(self, frames: Float[Tensor, "batch channels frames"]) -> Float[Tensor, "batch out half"]:
        """Give half of the frames."""
        read: Tensor = self.nonlinear(self.linear(frames))
        return read


class DenseBlock(nn.Module):
    """Layers each of which reads what all before it have found (D-TDNN)."""

    def __init__(self, width: int, layers: int, dilation: int) -> None:
        """Build the layers."""
        super().__init__()
        for place in range(layers):
            self.add_module(f"tdnnd{place + 1}", DenseLayer(width + place * _GROWTH, dilation))

    def forward(self, frames: Float[Tensor, "batch channels frames"]) -> Float[Tensor, "batch more frames"]:
        """Put the findings of each layer under what was there."""
        for layer in self.children():
            frames = torch.cat([frames, layer(frames)], dim=1)
        return frames


class DenseLayer(nn.Module):
    """Narrow the channels, then look at neighbouring frames through a mask."""

    def __init__(self, width: int, dilation: int) -> None:
        """Build the layer."""
        super().__init__()
        self.nonlinear1 = normalised(width)
        self.linear1 = nn.Conv1d(width, _NARROW, 1, bias=False)
        self.nonlinear2 = normalised(_NARROW)
        self.cam_layer = ContextMask(dilation)

    def forward(self, frames: Float[Tensor, "batch channels frames"]) -> Float[Tensor, "batch growth frames"]:
        """Give the new channels."""
        found: Tensor = self.cam_layer(self.nonlinear2(self.linear1(self.nonlinear1(frames))))
        return found


class ContextMask(nn.Module):
    """Weigh what is found in three frames by how all frames and the 100 around them sound (context-aware masking)."""

    def __init__(self, dilation: int) -> None:
        """Build the convolution and the two layers of the mask."""
        super().__init__()
        self.linear_local = nn.Conv1d(_NARROW, _GROWTH, 3, padding=dilation, dilation=dilation, bias=False)
        self.linear1 = nn.Conv1d(_NARROW, _NARROW // 2, 1)
        self.linear2 = nn.Conv1d(_NARROW // 2, _GROWTH, 1)

    def forward(self, frames: Float[Tensor, "batch narrow frames"]) -> Float[Tensor, "batch growth frames"]:
        """Give the masked findings."""
        context = frames.mean(2, keepdim=True) + _means_of_segments(frames)
        mask = torch.sigmoid(self.linear2(torch.relu(self.linear1(context))))
        masked: Tensor = self.linear_local(frames) * mask
        return masked


class Transition(nn.Module):
    """Narrow the channels between two blocks."""

    def __init__(self, width: int, out: int) -> None:
        """Build the layer."""
        super().__init__()
        self.nonlinear = normalised(width)
        self.linear = nn.Conv1d(width, out, 1, bias=False)

    def forward(self, frames: Float[Tensor, "batch channels frames"]) -> Float[Tensor, "batch fewer frames"]:
        """Mix the channels of each frame."""
        mixed: Tensor = self.linear(self.nonlinear(frames))
        return mixed


class Statistics(nn.Module):
    """Forget time: the mean and the deviation of each channel stay."""

    def forward(self, frames: Float[Tensor, "batch channels frames"]) -> Float[Tensor, "batch twice"]:
        """Give means, then deviations."""
        return torch.cat([frames.mean(2), frames.std(2)], dim=1)


class Projection(nn.Module):
    """Project the statistics onto the vector of the voice."""

    def __init__(self, width: int, out: int) -> None:
        """Build the layer."""
        super().__init__()
        self.linear = nn.Conv1d(width, out, 1, bias=False)
        self.nonlinear = nn.Sequential(OrderedDict(batchnorm=nn.BatchNorm1d(out, affine=False)))

    def forward(self, statistics: Float[Tensor, "batch twice"]) -> Float[Tensor, "batch out"]:
        """Give the vectors."""
        voices: Tensor = self.nonlinear(self.linear(statistics.unsqueeze(2)).squeeze(2))
        return voices


def normalised(width: int) -> nn.Sequential:
    """Make the normalisation and the rectifier that stand before or after most layers."""
    return nn.Sequential(OrderedDict(batchnorm=nn.BatchNorm1d(width), relu=nn.ReLU()))


def _convolution(channels: int, size: int, stride: int) -> nn.Conv2d:
    """Make a convolution over frequency and time that may leave out frequencies."""
    return nn.Conv2d(channels, _CHANNELS, size, stride=(stride, 1), padding=size // 2, bias=False)


def _means_of_segments(frames: Float[Tensor, "batch channels frames"]) -> Float[Tensor, "batch channels frames"]:
    """Give at each frame the mean over its stretch of 100 frames, the last of which may be shorter."""
    means = nn.functional.avg_pool1d(frames, _SEGMENT, stride=_SEGMENT, ceil_mode=True)
    return means.repeat_interleave(_SEGMENT, dim=2)[..., : frames.shape[2]]
