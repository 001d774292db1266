"""The recurrences of MFN against plain loops over the cells that they stand for."""

import torch

from imlcmm.modules.multi_view import GatedMemory, ParallelLSTMs


def test_lstms_side_by_side_equal_single_cells():
    torch.manual_seed(0)
    lstms = ParallelLSTMs([3, 5], [4, 2]).double()
    sequences = [torch.randn(6, 7, width).double() for width in (3, 5)]
    hidden, cells = lstms(sequences)
    expected_hidden, expected_cells = [], []
    for cell, x in zip(lstms.cells, sequences, strict=True):
        h = c = torch.zeros(6, cell.hidden_size).double()
        steps = []
        for t in range(7):
            h, c = cell(x[:, t], (h, c))
            steps.append((h, c))
        expected_hidden.append(torch.stack([h for h, _ in steps]))
        expected_cells.append(torch.stack([c for _, c in steps]))
    torch.testing.assert_close(hidden, torch.cat(expected_hidden, -1))
    torch.testing.assert_close(cells, torch.cat(expected_cells, -1))


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
