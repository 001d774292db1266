"""Alignment of audio and vision to the text."""

import numpy as np
import pytest
import torch

from imlcmm.modules.alignment import align


def test_windows_lie_side_by_side():
    frames = torch.arange(12.0).view(1, 12, 1)
    mask, text = torch.ones(1, 12, dtype=torch.bool), torch.ones(1, 4, dtype=torch.bool)
    assert align(frames, mask, text)[0].flatten().tolist() == [1.0, 4.0, 7.0, 10.0]


def test_each_clip_has_windows_of_its_own_length():
    frames = torch.arange(6.0).view(1, 6, 1).expand(2, -1, -1)
    mask = torch.tensor([[1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1]], dtype=torch.bool)
    text = torch.tensor([[1, 1, 0], [1, 1, 1]], dtype=torch.bool)
    aligned = align(frames, mask, text)[0].squeeze(-1)
    assert aligned[0, :2].tolist() == [0.5, 2.5]
    assert aligned[1].tolist() == [0.5, 2.5, 4.5]


def test_fewer_frames_than_words_are_shared():
    frames = torch.tensor([[[1.0], [3.0]]])
    mask, text = torch.ones(1, 2, dtype=torch.bool), torch.ones(1, 4, dtype=torch.bool)
    assert align(frames, mask, text)[0].flatten().tolist() == [1.0, 1.0, 3.0, 3.0]


def test_an_absent_modality_gives_zeros():
    mask, text = torch.zeros(1, 5, dtype=torch.bool), torch.ones(1, 3, dtype=torch.bool)
    assert align(torch.randn(1, 5, 2), mask, text)[0].abs().sum() == 0


@pytest.mark.parametrize(("frames", "words"), [(10, 4), (12, 4), (3, 5), (7, 7), (9, 2)])
def test_whole_windows_repeat_the_last_frame(frames, words):
    """The reference: a window is of ceil(frames / words) frames, and what is missing at the end is the last one."""
    sequence = torch.randn(1, frames + 3, 2, dtype=torch.float64)
    mask = (torch.arange(frames + 3) < frames)[None]
    text = (torch.arange(words + 1) < words)[None]
    size = -(-frames // words)
    real = sequence[0, :frames].numpy()
    padded = np.concatenate([real, np.repeat(real[-1:], size * words, 0)])
    expected = padded[: size * words].reshape(words, size, 2).mean(1)
    found, any_real = align(sequence, mask, text, whole=True)
    np.testing.assert_allclose(found[0, :words], expected, atol=1e-15)
    assert any_real[0, :words].all()


def test_whole_windows_of_an_absent_modality_are_zeros():
    mask, text = torch.zeros(1, 5, dtype=torch.bool), torch.ones(1, 3, dtype=torch.bool)
    assert align(torch.randn(1, 5, 2), mask, text, whole=True)[0].abs().sum() == 0
