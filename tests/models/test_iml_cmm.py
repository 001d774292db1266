"""What holds for IML-CMM in particular: its switches, its losses and its mixup."""

import numpy as np
import pytest
import torch

from imlcmm.models import IMLCMM
from imlcmm.models.objectives import Regression, concordance
from imlcmm.modules.kan import KAN
from imlcmm.modules.mixup import Mixup
from imlcmm.types import MODALITIES, Batch, DataSpec

SPEC = DataSpec({"text": 12, "audio": 5, "vision": 7}, {"text": 4, "audio": 6, "vision": 3}, train_size=24)


@pytest.fixture
def batch() -> Batch:
    generator = torch.Generator().manual_seed(0)
    label = torch.rand(8, generator=generator) * 2 - 1
    return Batch(
        **{m: torch.randn(8, SPEC.steps[m], SPEC.widths[m], generator=generator) for m in MODALITIES},
        masks={m: torch.ones(8, SPEC.steps[m], dtype=torch.bool) for m in MODALITIES},
        label=label,
        unimodal_labels={m: label.roll(i + 1) for i, m in enumerate(MODALITIES)},
        row=torch.arange(8),
    )


def terms(batch: Batch, **options):
    torch.manual_seed(0)
    model = IMLCMM(SPEC, **options).train()
    return model, model.loss(model(batch), batch)


def test_the_joint_loss_has_the_paper_s_terms(batch):
    _, loss = terms(batch)
    assert set(loss) == {"multimodal", *MODALITIES, "mixup_audio", "mixup_vision"}


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"mixup_audio_weight": 0.0}, {"multimodal", *MODALITIES, "mixup_vision"}),
        ({"mixup_vision_weight": 0.0}, {"multimodal", *MODALITIES, "mixup_audio"}),
        ({"unimodal_heads": False}, {"multimodal"}),
        ({"text_weight": 0.0, "audio_weight": 0.0}, {"multimodal", "vision", "mixup_vision"}),
        ({"l1_weight": 1e-3}, {"multimodal", *MODALITIES, "mixup_audio", "mixup_vision", "regularizer"}),
        ({"mixup_fused_weight": 0.5, "unimodal_heads": False}, {"multimodal", "mixup_fused"}),
        ({"concordance_weight": 0.5, "unimodal_heads": False}, {"multimodal", "concordance"}),
    ],
)
def test_each_switch_removes_its_term_alone(batch, options, names):
    model, loss = terms(batch, **options)
    assert set(loss) == names
    assert set(model.eval()(batch).unimodal) == names & set(MODALITIES)


@pytest.mark.parametrize(
    "options",
    [
        {"connector": "mlp"},
        {"hyper_modality": False},
        {"hyper_modality": False, "unimodal_heads": False},
        {"pool": "tokens"},
        {"objective": "classification"},
        {"fusion_reads_text": False},
        {"head_reads_pooled": True},
        {"head_reads_pooled": True, "unimodal_heads": False},
        {"mixup_fused_weight": 0.5, "concordance_weight": 0.5, "huber": 0.5},
        {"activation": "gelu", "fusion_depth": 1, "tokens": 2, "heads": 2, "width": 16},
    ],
)
def test_each_variant_trains_all_its_parameters(batch, options):
    model, _ = terms(batch, **options)
    sum(model.loss(model(batch), batch).values()).backward()
    assert not [n for n, p in model.named_parameters() if p.grad is None]
    assert model.eval()(batch).sentiment.isfinite().all()


def test_the_mlp_variant_is_as_large_as_the_kan(batch):
    sizes = [sum(p.numel() for p in terms(batch, connector=c)[0].parameters()) for c in ("kan", "mlp")]
    assert abs(sizes[0] - sizes[1]) / sizes[0] < 0.01
    assert not any(isinstance(m, KAN) for m in terms(batch, connector="mlp")[0].modules())


def test_weights_scale_the_terms(batch):
    _, one = terms(batch, audio_weight=0.4)
    _, two = terms(batch, audio_weight=0.8)
    torch.testing.assert_close(two["audio"], 2 * one["audio"])
    torch.testing.assert_close(two["text"], one["text"])


def test_regression_terms_are_weighted_mean_absolute_errors(batch):
    torch.manual_seed(0)
    model = IMLCMM(SPEC, dropout=0.0).eval()
    prediction = model(batch)
    loss = model.loss(prediction, batch)
    torch.testing.assert_close(loss["multimodal"], (prediction.sentiment - batch.label).abs().mean())
    error = (prediction.unimodal["audio"] - batch.unimodal_labels["audio"]).abs().mean()
    torch.testing.assert_close(loss["audio"], 0.8 * error)


def test_a_huber_error_is_squared_near_the_label_and_absolute_far_from_it():
    raw, target = torch.tensor([[0.1], [0.5], [2.0]]), torch.zeros(3, 1)
    found = Regression(SPEC, huber=0.5).error(raw, target)
    torch.testing.assert_close(found, torch.tensor([0.1**2 / 2 / 0.5, 0.25, 2.0 - 0.25]))
    absolute = Regression(SPEC).error(raw, target)
    torch.testing.assert_close(absolute, torch.tensor([0.1, 0.5, 2.0]))


def test_concordance_is_lin_s():
    generator = np.random.default_rng(0)
    p, y = generator.normal(size=(2, 40))
    expected = 2 * np.cov(p, y, bias=True)[0, 1] / (p.var() + y.var() + (p.mean() - y.mean()) ** 2)
    assert concordance(torch.tensor(p), torch.tensor(y)).item() == pytest.approx(expected, abs=1e-12)
    assert concordance(torch.tensor(y), torch.tensor(y)).item() == pytest.approx(1)
    assert concordance(torch.ones(3), torch.ones(3)).isfinite()


def test_mixed_inputs_of_the_head_are_held_against_mixed_labels(batch):
    model, _ = terms(batch, mixup_fused_weight=0.5, unimodal_heads=False, dropout=0.0)
    torch.manual_seed(3)
    prediction = model(batch)
    found = model.fused_consistency(prediction, batch)
    torch.manual_seed(3)
    mixup = Mixup.of_all(8, 1.0, batch.label.device)
    says = model.multimodal_head(mixup.mix(prediction.features["fused"])).squeeze(-1)
    torch.testing.assert_close(found, (says - mixup.mix(batch.label)).abs().mean())


def test_extractors_may_learn_at_a_rate_of_their_own(batch):
    groups = {g["name"]: g for g in terms(batch, extractor_lr=1e-4)[0].parameter_groups()}
    assert groups["extractors"]["lr"] == 1e-4
    assert "lr" not in groups["rest"]
    assert [g["name"] for g in terms(batch)[0].parameter_groups()] == ["rest"]


def test_mixup_targets_interpolate_the_labels(batch, monkeypatch):
    """With the predictions forced to zero the consistency is the mean of |λ y_i + (1 - λ) y_j|."""
    torch.manual_seed(0)
    model = IMLCMM(SPEC).train()
    monkeypatch.setattr(model.heads["audio"], "forward", lambda pooled: pooled.sum(-1, keepdim=True) * 0)
    torch.manual_seed(5)
    found = model.mixup_consistency("audio", model(batch), batch)
    torch.manual_seed(5)
    model(batch)
    mixup = Mixup.draw(batch.masks["audio"].any(1), 1.0)
    label = batch.unimodal_labels["audio"]
    expected = mixup.share * label[mixup.rows] + (1 - mixup.share) * label[mixup.partner]
    torch.testing.assert_close(found, expected.abs().mean())


def test_a_part_of_the_batch_is_mixed_with_the_same_expectation(batch, monkeypatch):
    torch.manual_seed(0)
    model = IMLCMM(SPEC, mixup_part=0.25).train()
    sizes = []
    monkeypatch.setattr(
        model.heads["audio"], "forward", lambda pooled: sizes.append(len(pooled)) or pooled.sum(-1, keepdim=True) * 0
    )
    prediction = model(batch)
    sizes.clear()
    found = [model.mixup_consistency("audio", prediction, batch) for _ in range(600)]
    model.mixup_part = 1.0
    whole = [model.mixup_consistency("audio", prediction, batch) for _ in range(600)]
    assert set(sizes[:600]) == {2}
    error = torch.stack(found).std() / 600**0.5
    assert abs(torch.stack(found).mean() - torch.stack(whole).mean()) < 4 * error


def test_clips_without_the_modality_are_neither_mixed_nor_counted():
    present = torch.tensor([True, False, True, True, False, True])
    for _ in range(50):
        mixup = Mixup.draw(present, 1.0)
        assert present[mixup.rows[:4]].all()
        assert present[mixup.partner[:4]].all()
        assert sorted(mixup.rows.tolist()) == sorted(mixup.partner.tolist()) == list(range(6))
    few = Mixup.draw(present, 1.0, part=0.5)
    assert present[few.rows].all()
    assert present[few.partner].all()


def test_unlabelled_clips_are_mixed_with_detached_predictions(batch):
    blank = torch.full_like(batch.label, torch.nan)
    batch = batch._replace(label=blank, unimodal_labels=dict.fromkeys(MODALITIES, blank))
    model, loss = terms(batch)
    assert loss["mixup_audio"] > 0
    assert loss["multimodal"] == 0
    loss["mixup_audio"].backward()
    assert model.extractors["audio"].tokens.grad is not None
    assert model.extractors["text"].tokens.grad is None


def test_unlabelled_clips_do_not_change_the_supervised_terms(batch):
    half = batch.label.clone()
    half[4:] = torch.nan
    semi = batch._replace(label=half, unimodal_labels=dict.fromkeys(MODALITIES, half))
    model = IMLCMM(SPEC, dropout=0.0).eval()
    prediction = model(semi)
    expected = (prediction.sentiment[:4] - batch.label[:4]).abs().mean()
    torch.testing.assert_close(model.loss(prediction, semi)["multimodal"], expected)


def test_classification_scores_lie_between_the_class_centres(batch):
    model, loss = terms(batch, objective="classification")
    prediction = model.eval()(batch)
    assert prediction.logits["multimodal"].shape == (8, 5)
    assert prediction.sentiment.abs().max() <= 0.9
    assert all(term.isfinite() for term in loss.values())


def test_classes_are_right_closed():
    objective = IMLCMM(SPEC, objective="classification").objective
    label = torch.tensor([-0.7, -0.6, -0.1, 0.0, 0.1, 0.2, 0.7, 0.8])
    assert objective.target(label).argmax(-1).tolist() == [0, 1, 1, 2, 2, 3, 3, 4]


def test_text_reaches_the_fusion_by_value_only_if_it_is_read(batch):
    """With constant values from audio and vision, only a fusion that reads text can tell two texts apart."""
    other = batch._replace(text=batch.text.flip(0))
    for reads, differs in ((True, True), (False, False)):
        torch.manual_seed(0)
        model = IMLCMM(SPEC, fusion_reads_text=reads).eval()
        absent = {m: torch.zeros_like(batch.masks[m]) for m in ("audio", "vision")}
        masks = {**batch.masks, **absent}
        a, b = (model(x._replace(masks=masks)).sentiment for x in (batch, other))
        assert (not torch.allclose(a, b, atol=1e-6)) == differs


def test_share_outside_the_grid_is_measured(batch):
    wide = IMLCMM(SPEC, grid_low=-9.0, grid_high=9.0).diagnostics(batch)
    narrow = IMLCMM(SPEC, grid_low=-1.0, grid_high=1.0).diagnostics(batch)
    assert wide["outside_grid_audio"] == 0
    assert 0.2 < narrow["outside_grid_audio"] < 0.5


@pytest.fixture
def bert_folder(tmp_path):
    transformers = pytest.importorskip("transformers", reason="the extra 'bert' is not installed")
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=50, hidden_size=12, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    transformers.BertModel(config).save_pretrained(tmp_path / "bert")
    return str(tmp_path / "bert")


@pytest.mark.parametrize("fine_tune", [False, True])
def test_a_bert_reads_the_tokens(batch, bert_folder, fine_tune, tmp_path):
    tokens = torch.randint(1, 50, (8, 3, 4), generator=torch.Generator().manual_seed(0))
    tokens[:, 1], tokens[:, 2] = 1, 0
    batch = batch._replace(tokens=tokens)
    model = IMLCMM(SPEC, text_encoder=bert_folder, fine_tune_text=fine_tune).train()
    sum(model.loss(model(batch), batch).values()).backward()
    trained = [p.grad is not None for p in model.inputs.text_encoder.bert.embeddings.parameters()]
    assert all(trained) == fine_tune
    assert model.parameter_groups()[0]["lr"] == 1e-5
    model.eval().save_pretrained(tmp_path / "saved")
    loaded = IMLCMM.from_pretrained(tmp_path / "saved").eval()
    torch.testing.assert_close(loaded(batch).sentiment, model(batch).sentiment)
