"""Fusion of vectors against the tensors that it stands for."""

import torch

from imlcmm.modules.fusion import LowRankFusion, TensorFusion, with_one

WIDTHS = {"text": 3, "audio": 2, "vision": 4}


def vectors():
    torch.manual_seed(0)
    return {m: torch.randn(5, w) for m, w in WIDTHS.items()}


def test_low_rank_fusion_weighs_the_outer_product():
    fusion, given = LowRankFusion(WIDTHS, rank=3), vectors()
    whole = torch.einsum("r,rt,ra,rv->tav", fusion.weights[0], *(fusion.factors[m] for m in WIDTHS))
    expected = torch.einsum("tav,bt,ba,bv->b", whole, *(with_one(given[m]) for m in WIDTHS)) + fusion.bias
    torch.testing.assert_close(fusion(given).squeeze(-1), expected)


def test_frozen_weights_are_not_trained():
    trained = {n for n, p in LowRankFusion(WIDTHS, 3, frozen_weights=True).named_parameters() if p.requires_grad}
    assert trained == {f"factors.{m}" for m in WIDTHS}


def test_tensor_fusion_reads_every_product_and_stays_in_range():
    fusion, given = TensorFusion(WIDTHS, 6, 0.0, low=-1.0, high=1.0), vectors()
    assert fusion.product.in_features == 4 * 3 * 5
    large = {m: 100 * x for m, x in given.items()}
    assert fusion(large).abs().max() <= 1
    base = fusion(given)
    for m in WIDTHS:
        assert not torch.allclose(fusion({**given, m: given[m] + 1}), base)
