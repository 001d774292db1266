"""What holds for every registered model."""

import copy
from dataclasses import replace

import pytest
import torch

from imlcmm.errors import ModelError
from imlcmm.models import find_model, list_models
from imlcmm.models.inference import keep_modalities
from imlcmm.modules.gated_memory import GatedMemory
from imlcmm.types import ABSENT, MODALITIES, Batch, DataSpec


@pytest.fixture(params=list_models().values(), ids=list_models())
def model(request, spec):
    torch.manual_seed(0)
    return request.param(spec)


def rows(batch: Batch, keep) -> Batch:
    def pick(value):
        if value is None:
            return None
        return {k: v[keep] for k, v in value.items()} if isinstance(value, dict) else value[keep]

    return Batch(*map(pick, batch))


def epoch(model, batch, optimizer, number):
    model.train().on_epoch_start(number)
    for each in model.passes:
        model.begin_pass(each.name)
        optimizer.zero_grad()
        sum(model.loss(model(batch), batch).values()).backward()
        optimizer.step()


def test_predicts_one_finite_number_a_clip(model, make_batch):
    prediction = model.eval()(make_batch())
    for values in (prediction.sentiment, *prediction.unimodal.values()):
        assert values.shape == (8,)
        assert values.isfinite().all()


def test_order_of_the_batch_does_not_matter(model, make_batch):
    batch = make_batch()
    order = torch.randperm(8, generator=torch.Generator().manual_seed(1))
    expected = model.eval()(batch).sentiment[order]
    torch.testing.assert_close(model(rows(batch, order)).sentiment, expected)


def test_padding_does_not_matter(model, make_batch):
    expected = model.eval()(make_batch()).sentiment
    torch.testing.assert_close(model(make_batch(padding=3)).sentiment, expected)


def test_a_clip_does_not_depend_on_its_neighbours(model, make_batch):
    batch = make_batch()
    expected = model.eval()(batch).sentiment[2:3]
    torch.testing.assert_close(model(rows(batch, [2])).sentiment, expected)


@pytest.mark.parametrize("absent", MODALITIES)
def test_works_without_a_modality(model, make_batch, absent):
    batch = make_batch()
    batch.masks[absent][:3] = False
    prediction = model.train()(batch)
    assert prediction.sentiment.isfinite().all()
    loss = sum(model.loss(prediction, batch).values())
    loss.backward()
    assert loss.isfinite()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())
    for m, values in model.eval()(batch).unimodal.items():
        assert values.isnan().tolist() == [m == absent] * 3 + [False] * 5


def without(spec: DataSpec, batch: Batch, absent: str) -> tuple[DataSpec, Batch]:
    """Give a data set that lacks a modality, as a store does."""
    lacking = replace(
        spec,
        widths={**spec.widths, absent: 1},
        steps={**spec.steps, absent: 0},
        features={**spec.features, absent: ABSENT},
    )
    empty = torch.zeros(len(batch.label), 1, 1)
    masks = {**batch.masks, absent: empty[..., 0].bool()}
    return lacking, batch._replace(**{absent: empty}, masks=masks)


@pytest.mark.parametrize("absent", MODALITIES)
@pytest.mark.parametrize("name", list_models())
def test_trains_on_data_that_lacks_a_modality_or_names_it(name, absent, spec, make_batch):
    torch.manual_seed(0)
    spec, batch = without(spec, make_batch(), absent)
    if absent in find_model(name).needs:
        with pytest.raises(ModelError, match=f"{name} needs {absent}, which the data set lacks"):
            find_model(name)(spec)
        return
    model = find_model(name)(spec)
    before = model.eval()(batch).sentiment
    optimizer = torch.optim.Adam(model.parameter_groups(), lr=1e-3)
    for number in range(3):
        epoch(model, batch, optimizer, number)
    after = model.eval()(batch)
    assert before.std() > 0
    assert after.sentiment.isfinite().all()
    assert (after.sentiment != before).all()
    assert all(values.isnan().all() == (m == absent) for m, values in after.unimodal.items())


@pytest.mark.parametrize("absent", MODALITIES)
def test_a_model_predicts_data_that_lacks_what_it_was_trained_with(model, absent, spec, make_batch):
    lacking, batch = without(spec, make_batch(), absent)
    model.check_fits(lacking)
    masked = make_batch()
    masked.masks[absent][:] = False
    torch.testing.assert_close(model.eval()(batch).sentiment, model(masked).sentiment)


def test_data_with_more_than_the_model_was_trained_with_is_refused(spec, make_batch):
    lacking, _ = without(spec, make_batch(), "vision")
    with pytest.raises(ModelError, match="trained without vision, which the data has"):
        find_model("LF_DNN")(lacking).check_fits(spec)


def test_what_cannot_be_read_is_named_before_anything_is_built(spec, make_batch):
    tokens_alone = replace(spec, widths={**spec.widths, "text": 0})
    with pytest.raises(ModelError, match=r"tokens but no text features; .* with --model\.text_encoder"):
        find_model("TFN")(tokens_alone)
    lacking, _ = without(spec, make_batch(), "text")
    with pytest.raises(ModelError, match=r"no text for --model\.text_encoder to read"):
        find_model("Self_MM")(lacking, text_encoder="nowhere")


def test_features_of_an_absent_modality_are_not_read(model, make_batch):
    batch = make_batch()
    batch.masks["audio"][:] = False
    expected = model.eval()(batch).sentiment
    torch.testing.assert_close(model(batch._replace(audio=torch.full_like(batch.audio, 7.0))).sentiment, expected)


def test_each_parameter_is_in_one_group(model):
    grouped = [id(p) for group in model.parameter_groups() for p in group["params"]]
    assert sorted(grouped) == sorted(map(id, model.parameters()))
    assert all(group["name"] for group in model.parameter_groups())


def test_trains_each_parameter(model, make_batch):
    before = {n: p.clone() for n, p in model.named_parameters()}
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for number in range(4):
        epoch(model, make_batch(number), optimizer, number)
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    assert not [n for n, p in trained.items() if torch.equal(before[n], p)]


def test_overfits_eight_clips(model, make_batch):
    batch = make_batch()
    for layer in model.modules():
        if isinstance(layer, torch.nn.Dropout):
            layer.p = 0.0
        if isinstance(layer, GatedMemory):
            layer.dropout = (0.0, 0.0)
    steps, warmup = 200, 10
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    # Rise and fall as in training: at a constant rate the error after the last step is a matter of luck.
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda i: min(1, (i + 1) / warmup) * (1 - i / steps))
    for number in range(steps):
        epoch(model, batch, optimizer, number)
        schedule.step()
    # Not in evaluation mode, where normalisation by running statistics differs by an eighth on eight clips.
    error = (model(batch).sentiment - batch.label).abs().mean()
    assert error < 0.05 * (batch.label - batch.label.median()).abs().mean()


def test_unlabelled_clips_alone_give_a_finite_loss(model, make_batch):
    batch = make_batch()
    blank = torch.full_like(batch.label, torch.nan)
    batch = batch._replace(label=blank, unimodal_labels=dict.fromkeys(MODALITIES, blank))
    loss = sum(model.loss(model.train()(batch), batch).values())
    assert loss.isfinite()
    loss.backward()


def test_trains_in_bfloat16_near_what_float32_gives(model, make_batch):
    batch, other = make_batch(), copy.deepcopy(model).train()
    torch.manual_seed(0)
    plain = sum(other.loss(other(batch), batch).values())
    torch.manual_seed(0)
    model.train()
    with torch.autocast("cpu", torch.bfloat16):
        loss = sum(model.loss(model(batch), batch).values())
    loss.backward()
    assert loss.item() == pytest.approx(plain.item(), rel=0.1, abs=0.05)
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    assert gradients
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_a_modality_left_out_is_one_that_is_masked(model, make_batch):
    batch = make_batch()
    for m in MODALITIES:
        others = [other for other in MODALITIES if other != m]
        masked = batch._replace(masks={**batch.masks, m: torch.zeros_like(batch.masks[m])})
        with torch.no_grad():
            torch.testing.assert_close(
                model.eval()(keep_modalities(batch, others)).sentiment, model(masked).sentiment, rtol=1e-5, atol=1e-5
            )


def test_saved_model_predicts_the_same(model, make_batch, tmp_path):
    model.eval().save_pretrained(tmp_path)
    loaded = type(model).from_pretrained(tmp_path).eval()
    assert loaded.spec == model.spec
    torch.testing.assert_close(loaded(make_batch()).sentiment, model(make_batch()).sentiment, rtol=0, atol=0)


def test_refuses_other_features(model, spec):
    model.check_fits(spec)
    other = DataSpec({**spec.widths, "audio": 9}, spec.steps)
    with pytest.raises(ModelError, match=r"audio features .* width 5.* width 9"):
        model.check_fits(other)


def test_unknown_model_is_named():
    with pytest.raises(ModelError, match=r"there is no model 'TNF'; choose one of LF_DNN, .*IMLCMM"):
        find_model("TNF")
    assert find_model("imlcmm.models.iml_cmm.IMLCMM") is list_models()["IMLCMM"]


@pytest.mark.parametrize("name", list_models())
def test_labels_of_ones_own_range_are_learned_as_if_they_were_centred(name, spec, make_batch):
    centred = replace(
        spec,
        kind="own",
        low=-2.0,
        high=2.0,
        class_centres=(-2.0, -1.0, 0.0, 1.0, 2.0),
        class_edges=(-1.5, -0.5, 0.5, 1.5),
    )
    shifted = replace(
        centred,
        low=1.0,
        high=5.0,
        neutral=3.0,
        class_centres=(1.0, 2.0, 3.0, 4.0, 5.0),
        class_edges=(1.5, 2.5, 3.5, 4.5),
    )
    batch = make_batch()
    moved = batch._replace(label=batch.label + 3, unimodal_labels={m: y + 3 for m, y in batch.unimodal_labels.items()})
    found = []
    for its_spec, its_batch in ((centred, batch), (shifted, moved)):
        torch.manual_seed(0)
        model = list_models()[name](its_spec)
        torch.manual_seed(1)
        losses = model.train().loss(model(its_batch), its_batch)
        found.append((model.eval()(its_batch), losses))
    (plain, losses), (other, its_losses) = found
    torch.testing.assert_close(other.sentiment, plain.sentiment + 3)
    for m, values in plain.unimodal.items():
        torch.testing.assert_close(other.unimodal[m], values + 3)
    for term, value in losses.items():
        torch.testing.assert_close(its_losses[term], value, rtol=1e-4, atol=1e-5)
