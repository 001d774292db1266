"""Taking modalities away from training clips, so that a model learns to do without one (Neverova et al. 2016)."""

import torch

from imlcmm.types import Batch


def drop_modalities(batch: Batch, chance: float) -> Batch:
    """Hide each modality of each clip with a chance; a clip that would lose all it has loses none.

    A hidden modality is absent: its steps are masked, and so its own label does not count.
    """
    if not chance:
        return batch
    present = torch.stack([mask.any(1) for mask in batch.masks.values()])
    kept = torch.rand(present.shape, device=present.device) >= chance
    kept |= ~(kept & present).any(0)
    return batch._replace(masks={m: mask & kept[i].unsqueeze(1) for i, (m, mask) in enumerate(batch.masks.items())})
