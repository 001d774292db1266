"""What is particular to each baseline."""

import pytest
import torch

from imlcmm.commands.model_list import model_list
from imlcmm.errors import ModelError
from imlcmm.models import (
    ALMT,
    AV_MC,
    LMF,
    MFN,
    MISA,
    MMIM,
    MTFN,
    TFN,
    Graph_MFN,
    MulT,
    Self_MM,
    find_model,
    list_models,
)
from imlcmm.models.card import CH_SIMS_V2, idea, model_card
from imlcmm.models.misa import difference, moment_discrepancy
from imlcmm.models.mmim import SignedEntropy
from imlcmm.models.mult import causal
from imlcmm.training.recipe import shipped_recipe
from imlcmm.types import MODALITIES, Batch, DataSpec

SPEC = DataSpec({"text": 12, "audio": 5, "vision": 7}, {"text": 4, "audio": 6, "vision": 3}, train_size=24)
READS_BERT = ("BERT_MAG", "MISA", "MMIM", "Self_MM", "ALMT", "AV_MC", "IMLCMM")


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    label = (torch.rand(8, generator=generator) * 10).round() / 5 - 1
    sequences = {m: torch.randn(8, SPEC.steps[m], SPEC.widths[m], generator=generator) for m in MODALITIES}
    masks = {m: torch.ones(8, SPEC.steps[m], dtype=torch.bool) for m in MODALITIES}
    return Batch(**sequences, masks=masks, label=label, unimodal_labels=dict.fromkeys(MODALITIES, label),
                 row=torch.arange(8))  # fmt: skip


# The reference's counts, and what is not here of it: two constants of a frozen output range (TFN, MTFN, AV_MC), the
# untrained text head (MLMF), a normalisation and a classifier that nothing reads (MISA), see ALMT's docstring.
@pytest.mark.parametrize(
    ("name", "reference", "more"),
    [
        ("LF_DNN", 265_589, 0), ("TFN", 18_109_463, -2), ("LMF", 239_173, 0), ("MFN", 906_481, 0),
        ("Graph_MFN", 925_724, 66_128), ("MISA", 1_774_589, -3_072 - 260), ("MMIM", 304_329, 0),
        ("Self_MM", 245_748, 0), ("ALMT", 3_255_041, -7_552), ("MLF_DNN", 554_420, 0), ("MTFN", 2_584_034, -2),
        ("MLMF", 239_624, -817), ("AV_MC", 66_442, -2),
    ],
)  # fmt: skip
def test_has_as_many_parameters_as_the_reference(name, reference, more):
    model = shipped_recipe("simsv2", find_model(name)).build(CH_SIMS_V2)
    assert sum(p.numel() for p in model.parameters()) == reference + more


def test_almt_as_published_has_all_of_its_parameters():
    assert sum(p.numel() for p in ALMT(CH_SIMS_V2, as_published=True).parameters()) == 3_255_041


def test_semi_supervised_av_mc_lacks_the_networks_that_nothing_reads():
    model = shipped_recipe("simsv2", AV_MC, unlabelled=True).build(CH_SIMS_V2)
    assert sum(p.numel() for p in model.parameters()) == 188_120 - 29_290 - 2


def test_names_may_be_spelt_as_in_print():
    assert find_model("Self-MM") is find_model("selfmm") is Self_MM


def test_frozen_parts_are_untrained():
    assert all(not p.requires_grad for p in Graph_MFN(SPEC, frozen_graph=True).graph.triple_node.parameters())
    assert not LMF(SPEC, frozen_fusion=True).fusion.weights.requires_grad


@pytest.mark.parametrize("model", [TFN, MTFN])
def test_predictions_stay_inside_the_labels_unless_asked(model, batch):
    def most(**options):
        built = model(SPEC, **options).eval()
        torch.nn.init.constant_(built.fusion.head[-1].bias, 9.0)
        return built(batch).sentiment.max().item()

    assert most() == pytest.approx(1, abs=1e-3)
    assert most(mosi_range=True) == pytest.approx(3, abs=1e-2)


def test_mfn_sees_the_order_of_frames_unless_made_constant(batch):
    turned = batch._replace(audio=batch.audio.flip(1))
    for constant in (False, True):
        torch.manual_seed(0)
        model = MFN(SPEC, constant_audio_vision=constant).eval()
        assert torch.allclose(model(batch).sentiment, model(turned).sentiment, atol=1e-6) == constant


def test_misa_reads_beyond_the_length_of_the_text_unless_told(batch):
    changed = batch._replace(audio=batch.audio.clone())
    changed.audio[:, 4:] += 1
    for short in (False, True):
        torch.manual_seed(0)
        model = MISA(SPEC, text_length_only=short).eval()
        assert torch.equal(model(batch).sentiment, model(changed).sentiment) == short


@pytest.mark.parametrize(("limit", "ends"), [(None, (-1.0, 1.0)), (3.0, (-3.0, 3.0))])
def test_self_mm_limits_its_own_labels_where_it_is_told(limit, ends):
    generator = Self_MM(SPEC, label_limit=limit).generator
    assert (generator.low, generator.high) == ends


def test_misa_cuts_each_clip_to_its_own_text(batch):
    model = MISA(SPEC, text_length_only=True).eval()
    masks = {m: mask.clone() for m, mask in batch.masks.items()}
    masks["text"][0, 2:] = False
    short = batch._replace(masks=masks)
    changed = short._replace(audio=batch.audio.clone())
    changed.audio[:, 2:4] += 1
    moved = (model(short).sentiment - model(changed).sentiment).abs()
    assert moved[0] == 0
    assert moved[1:].min() > 0


@pytest.mark.parametrize(("pooling", "reads_all"), [("mean", True), ("cls", False)])
def test_misa_averages_the_states_of_a_bert_unless_told(batch, tiny_bert, pooling, reads_all):
    tokens = torch.randint(1, 50, (8, 3, 4), generator=torch.Generator().manual_seed(0))
    tokens[:, 1], tokens[:, 2] = 1, 0
    model = MISA(SPEC, text_encoder=tiny_bert, text_pooling=pooling).eval()
    states, _ = model.inputs("text", batch._replace(tokens=tokens))
    turned = states.flip(1)
    seen = []
    for given in (states, torch.cat([turned[:, -1:], turned[:, :-1]], dim=1)):
        model.inputs.text_encoder.forward = lambda _, given=given: given
        seen.append(model(batch._replace(tokens=tokens)).features["projected_text"])
    torch.testing.assert_close(*seen)  # either way the first state stays first, and the mean the mean
    model.inputs.text_encoder.forward = lambda _: torch.cat([states[:, :1], states[:, 1:] + 1], dim=1)
    other = model(batch._replace(tokens=tokens)).features["projected_text"]
    assert torch.allclose(other, seen[0], atol=1e-5) is not reads_all


def test_misa_losses_are_zero_for_what_they_ask():
    x = torch.randn(6, 4)
    assert moment_discrepancy(x, x).item() == pytest.approx(0, abs=1e-5)
    assert moment_discrepancy(x, x + 1).item() == pytest.approx(2, rel=1e-4)
    zero = torch.zeros(6, 4)
    assert difference([(x, zero)]).item() == 0
    assert difference([(x, x)]).item() > 0.01


def test_mult_looks_ahead_by_the_difference_of_the_lengths():
    queries = torch.tensor([[True, True, False]])
    keys = torch.tensor([[True, True, True, False]])
    everything = [True, True, True, False]
    assert causal(queries, keys)[0].tolist() == [[True, True, False, False], everything, everything]


def test_mult_reads_clips_shorter_than_its_kernels(batch):
    batch.masks["text"][:, 1:] = False
    assert MulT(SPEC, text_kernel=5).eval()(batch).sentiment.isfinite().all()


def test_mmim_trains_the_bounds_and_the_rest_in_turns(batch):
    model = MMIM(SPEC).train()
    for name, bounds in (("bounds", True), ("task", False)):
        model.zero_grad()
        model.begin_pass(name)
        sum(model.loss(model(batch), batch).values()).backward()
        moved = {n for n, p in model.named_parameters() if p.grad is not None}
        assert moved
        assert {n.startswith("bounds.") for n in moved} == {bounds}


def test_mmims_entropy_starts_in_the_third_batch_of_a_pass():
    entropy = SignedEntropy(12).double()
    y, label = torch.randn(3, 8, 12, dtype=torch.float64), torch.tensor([1.0, -1.0] * 4)
    first, second, third = (entropy(x, label) for x in y)
    expected = torch.zeros((), dtype=torch.float64)
    for sign in (label > 0, label < 0):
        x = entropy.project(torch.cat([y[2][sign], y[1][sign]]))
        centred = x - x.mean(0)
        covariance = centred.T @ centred / len(x) + 1e-4 * torch.eye(12 // 4)
        expected = expected + 0.25 * torch.logdet(covariance)
    assert (first.item(), second.item()) == (0, 0)
    torch.testing.assert_close(third, expected)


def test_mmim_survives_batches_of_one_sign(batch):
    model = MMIM(SPEC).train()
    model.begin_pass("task")
    for label in (torch.ones(8), torch.zeros(8), -torch.ones(8)):
        one = batch._replace(label=label)
        assert all(term.isfinite() for term in model.loss(model(one), one).values())


def test_av_mc_mixes_in_the_first_pass_only(batch):
    model = AV_MC(SPEC, recurrent=True).train()
    names = []
    for each in model.passes:
        model.begin_pass(each.name)
        names.append({n for n in model.loss(model(batch), batch) if n.startswith("mixup")})
    assert [each.reads_unlabelled for each in model.passes] == [True, False]
    assert names == [{"mixup_audio", "mixup_vision"}, set()]


def test_self_mm_generates_labels_from_the_second_epoch_on(batch):
    model = Self_MM(SPEC).train()
    for epoch, moved in ((0, False), (1, True)):
        model.on_epoch_start(epoch)
        model.loss(model(batch), batch)
        labels = model.generator.labels[:, :8]
        assert torch.equal(labels[0], batch.label)
        assert torch.equal(labels[1], batch.label) != moved


@pytest.fixture(scope="module")
def tiny_bert():
    transformers = pytest.importorskip("transformers", reason="the extra 'bert' is not installed")
    return transformers.BertConfig(
        vocab_size=50, hidden_size=12, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    ).to_dict()


@pytest.mark.parametrize("name", READS_BERT)
def test_a_bert_is_fine_tuned_with_its_own_rate(name, batch, tiny_bert):
    tokens = torch.randint(1, 50, (8, 3, 4), generator=torch.Generator().manual_seed(0))
    tokens[:, 1], tokens[:, 2] = 1, 0
    model = find_model(name)(SPEC, text_encoder=tiny_bert, fine_tune_text=True, text_encoder_lr=1e-6).train()
    sum(model.loss(model(batch._replace(tokens=tokens)), batch).values()).backward()
    embeddings = model.inputs.text_encoder.bert.embeddings
    assert embeddings.word_embeddings.weight.grad.abs().sum() > 0
    rates = {g["name"]: g.get("lr") for g in model.parameter_groups()}
    assert rates["text_encoder"] == rates["text_encoder_vectors"] == 1e-6
    with pytest.raises(ModelError, match="no tokens"):
        model(batch)


def test_the_list_and_the_cards_tell_what_a_model_is():
    listed = [" ".join(line.split()) for line in model_list().splitlines()]
    assert listed == [f"{name} {idea(model)}" for name, model in list_models().items()]
    for name, model in list_models().items():
        card = model_card(model, shipped_recipe("simsv2", model).build(CH_SIMS_V2), CH_SIMS_V2)
        for part in (f"# {name}", "Paper: ", "Learns from: multimodal labels", "trained"):
            assert part in card
