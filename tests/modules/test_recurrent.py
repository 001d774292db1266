"""LSTMs against PyTorch's."""

import pytest
import torch
from torch import nn

from imlcmm.modules.lstm import run_lstm
from imlcmm.modules.recurrent import LastState, ParallelLSTMs


@pytest.fixture
def lstm():
    torch.manual_seed(0)
    return nn.LSTM(3, 4, batch_first=True).double()


def test_the_states_are_those_of_pytorch(lstm):
    sequence = torch.randn(6, 7, 3).double()
    hidden, cells = run_lstm(lstm, sequence)
    expected, (last, cell) = lstm(sequence)
    torch.testing.assert_close(hidden.transpose(0, 1), expected)
    torch.testing.assert_close(hidden[-1], last[0])
    torch.testing.assert_close(cells[-1], cell[0])


def test_gradients_of_hidden_and_cell_states(lstm):
    sequence = torch.randn(2, 5, 3).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x, *weights: run_lstm(lstm, x), (sequence, *lstm.parameters()))


def test_a_single_step(lstm):
    hidden, _ = run_lstm(lstm, torch.ones(2, 1, 3).double())
    torch.autograd.grad(hidden.sum(), lstm.parameters(), allow_unused=True)
    torch.testing.assert_close(hidden[0], lstm(torch.ones(2, 1, 3).double())[0][:, 0])


def test_training_and_prediction_read_the_same_state():
    torch.manual_seed(0)
    reader = LastState(3, 4).double()
    sequence, mask = torch.randn(3, 6, 3).double(), torch.arange(6) < torch.tensor([[6], [2], [0]])
    torch.testing.assert_close(reader.train()(sequence, mask), reader.eval()(sequence, mask))


def test_lstms_side_by_side_equal_single_ones():
    torch.manual_seed(0)
    parallel = ParallelLSTMs([3, 5], [4, 2])
    sequences = [torch.randn(6, 7, width) for width in (3, 5)]
    hidden, cells = parallel(sequences)
    singles = [lstm(x) for lstm, x in zip(parallel.lstms, sequences, strict=True)]
    torch.testing.assert_close(hidden.transpose(0, 1), torch.cat([states for states, _ in singles], -1))
    torch.testing.assert_close(cells[-1], torch.cat([cell[0] for _, (_, cell) in singles], -1))
