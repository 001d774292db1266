"""The memory of MFN against a plain loop over its equations."""

import torch

from imlcmm.modules.gated_memory import GatedMemory


def test_the_memory_follows_its_equations():
    torch.manual_seed(0)
    memory = GatedMemory(3, 4, (5, 6), (0.0, 0.0)).double()
    entering, proposed = torch.randn(7, 2, 3).double(), torch.randn(7, 2, 4).double()
    expected = torch.zeros(2, 4).double()
    for t, found in enumerate(memory(entering, proposed)):
        both = torch.cat([entering[t], expected], -1)
        keep, admit = (g(e(both).relu()).sigmoid() for e, g in zip(memory.enter, memory.gate, strict=True))
        expected = keep * expected + admit * proposed[t]
        torch.testing.assert_close(found, expected)


def test_dropout_falls_on_each_gate_by_its_own_rate():
    torch.manual_seed(0)
    memory = GatedMemory(3, 4, (50, 50), (0.0, 0.5)).train()
    kept = memory._kept(torch.zeros(20, 8, 100))
    assert (kept[..., :50] == 1).all()
    assert set(kept[..., 50:].unique().tolist()) == {0.0, 2.0}
    assert memory.eval()._kept(torch.zeros(2, 1, 100)) is None
