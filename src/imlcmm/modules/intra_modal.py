"""Feature extraction inside one modality (IML-CMM section 3.2, figure 2)."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from imlcmm.modules.attention import TransformerLayer


class IntraModalExtractor(nn.Module):
    """Map a modality's frames, prepend N learned tokens, and relate all by one Transformer layer."""

    def __init__(self, connector: nn.Module, layer: TransformerLayer, *, width: int, tokens: int, steps: int) -> None:
        """Put the parts together.

        Args:
            connector: Maps features to the model width.
            layer: Self-attention over tokens and frames.
            width: Model width.
            tokens: Learned tokens.
            steps: Frames that have a position of their own; later frames share the last one.
        """
        super().__init__()
        self.connector, self.layer = connector, layer
        # Of the deviation of what surrounds them: with small ones the fused path takes epochs to start learning.
        self.tokens = nn.Parameter(torch.randn(tokens, width))
        self.token_positions = nn.Parameter(torch.randn(tokens, width))
        self.frame_positions = nn.Parameter(torch.randn(max(steps, 1), width))

    def forward(
        self,
        sequence: Float[Tensor, "batch steps features"],
        mask: Bool[Tensor, "batch steps"],
        *,
        read_frames: bool,
    ) -> tuple[Float[Tensor, "batch tokens width"], Float[Tensor, "batch steps width"] | None]:
        """Give the tokens, and the frames where they are read: queries that nobody reads are not computed."""
        last = len(self.frame_positions) - 1
        place = torch.arange(sequence.shape[1], device=sequence.device).clamp(max=last)
        frames = self.connector(sequence) + self.frame_positions[place]
        tokens = (self.tokens + self.token_positions).expand(sequence.shape[0], -1, -1)
        context = torch.cat([tokens, frames], dim=1)
        visible = torch.cat([mask.new_ones(tokens.shape[:2]), mask], dim=1)
        read = self.layer(context if read_frames else tokens, context, visible)
        count = len(self.tokens)
        return read[:, :count], read[:, count:] if read_frames else None
