"""What PyTorch's arithmetic is told holds for as long as it is asked for."""

import torch

from imlcmm.modules.linear_algebra import zero_denormals


def test_numbers_near_zero_are_zero_inside_the_block_alone():
    tiny, before = torch.full((4_000_000,), 1e-40), torch.get_num_threads()
    torch.set_num_threads(2)
    whole = [(tiny * 1).view(torch.int32).any().item()]  # from here on the threads are running
    with zero_denormals():
        whole.append((tiny * 1).view(torch.int32).any().item())
    whole.append((tiny * 1).view(torch.int32).bool().all().item())
    torch.set_num_threads(before)
    assert whole == [True, False, True]
