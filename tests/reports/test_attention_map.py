"""The composed attention from text to audio and vision."""

import numpy as np
import torch

from imlcmm.models import IMLCMM
from imlcmm.modules.attention_weights import attention_weights, recorded_inputs
from imlcmm.reports.explanations.attention_map import attention_maps
from imlcmm.types import MODALITIES


def test_a_map_shares_one_out_over_text_and_time(tiny_model, simulated):
    batch = simulated.test.batch([3])
    maps = attention_maps(tiny_model, batch)
    assert list(maps) == ["audio", "vision"]
    for m, share in maps.items():
        assert share.shape == (batch.text.shape[1], batch.sequence(m).shape[1])
        assert (share >= 0).all()
        np.testing.assert_allclose(share.sum(), 1, rtol=1e-5)


def test_with_one_token_it_is_the_product_of_what_the_tokens_read(simulated):
    torch.manual_seed(0)
    model = IMLCMM(simulated.spec, width=16, tokens=1, heads=2).eval()
    batch = simulated.test.batch([0])
    readers = {m: model.extractors[m].layer.attention for m in MODALITIES}
    with recorded_inputs(readers.values()) as seen:
        model(batch)
    read = {m: attention_weights(r, *seen[r])[0, :, 0, 1:].mean(0) for m, r in readers.items()}
    text, audio = (read[m] / read[m].sum() for m in ("text", "audio"))
    expected = torch.outer(text, audio).numpy()
    np.testing.assert_allclose(attention_maps(model, batch)["audio"], expected, rtol=1e-4)


def test_frames_that_are_masked_get_nothing(tiny_model, simulated):
    batch = simulated.test.batch([3])
    mask = batch.masks["audio"].clone()
    mask[0, 4:] = False
    share = attention_maps(tiny_model, batch._replace(masks={**batch.masks, "audio": mask}))["audio"]
    assert not share[:, 4:].any()
    np.testing.assert_allclose(share.sum(), 1, rtol=1e-5)


def test_what_is_absent_has_no_map(tiny_model, simulated):
    batch = simulated.test.batch([3])
    gone = torch.zeros_like(batch.masks["vision"])
    assert list(attention_maps(tiny_model, batch._replace(masks={**batch.masks, "vision": gone}))) == ["audio"]
    mute = torch.zeros_like(batch.masks["text"])
    assert attention_maps(tiny_model, batch._replace(masks={**batch.masks, "text": mute})) == {}
    assert attention_maps(IMLCMM(simulated.spec, width=16, hyper_modality=False).eval(), batch) == {}


def test_the_model_gives_the_same_before_and_after(tiny_model, simulated):
    batch = simulated.test.batch([1, 2])
    before = tiny_model(batch).sentiment
    attention_maps(tiny_model, simulated.test.batch([1]))
    assert torch.equal(tiny_model(batch).sentiment, before)
