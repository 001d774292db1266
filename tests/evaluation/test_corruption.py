"""Damaged clips: as much as was asked for, the same each time, and nothing else changes."""

import torch

from imlcmm.evaluation.corruption import add_noise, corruptions, lose_frames
from imlcmm.types import MODALITIES


def test_noise_has_its_deviation_and_spares_the_padding(simulated):
    batch = simulated.test.batch(range(40))
    scale = torch.full((batch.audio.shape[-1],), 2.0)
    noisy = add_noise(batch, "audio", scale)
    added = noisy.audio - batch.audio
    real = added[batch.masks["audio"]]
    assert abs(real.std() - 2.0) < 0.05
    assert not added[~batch.masks["audio"]].any()
    assert noisy.text is batch.text
    assert torch.equal(noisy.audio, add_noise(batch, "audio", scale).audio)


def test_frames_are_lost_in_their_share_and_one_stays(simulated):
    batch = simulated.test.batch(range(40))
    before, after = batch.masks["vision"], lose_frames(batch, "vision", 0.5).masks["vision"]
    assert not (after & ~before).any()
    assert abs(after.sum() / before.sum() - 0.5) < 0.05
    assert torch.equal(lose_frames(batch, "vision", 1.0).masks["vision"].sum(1), before.any(1).long())


def test_all_damages_change_what_they_name(simulated):
    batch = simulated.test.batch(range(8))
    deviations = {m: torch.full((simulated.spec.widths[m],), 1.0) for m in MODALITIES}
    deviations["text"][0] = torch.inf
    found = corruptions(deviations)
    assert len(found) == 3 * (1 + 3 + 3)
    for damage in found:
        damaged = damage.change(batch)
        named = next(m for m in MODALITIES if m in damage.name)
        for m in MODALITIES:
            same = torch.equal(damaged.sequence(m), batch.sequence(m)) and torch.equal(damaged.masks[m], batch.masks[m])
            assert same == (m != named)
        assert damaged.sequence(named).isfinite().all()
