"""Feature standardisation."""

import torch

from imlcmm.modules.standardize import Standardize


def test_real_frames_are_scaled_and_the_rest_is_zero():
    layer = Standardize(2)
    layer.set_statistics(torch.tensor([1.0, -2.0]), torch.tensor([2.0, 4.0]))
    mask = torch.tensor([[True, False]])
    found = layer(torch.tensor([[[5.0, 2.0], [9.0, 9.0]]]), mask)
    assert found.tolist() == [[[2.0, 1.0], [0.0, 0.0]]]


def test_a_feature_that_never_varied_in_train_says_nothing_elsewhere():
    layer = Standardize(1)
    layer.set_statistics(torch.tensor([3.0]), torch.tensor([torch.inf]))
    assert layer(torch.tensor([[[3.0], [4e4]]]), torch.ones(1, 2, dtype=torch.bool)).tolist() == [[[0.0], [0.0]]]
