"""IML-CMM: intra-modal learning and cross-modal mixup."""

from functools import partial
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from imlcmm.models.base import SentimentModel
from imlcmm.models.objectives import ObjectiveName, concordance, objective_for, read_heads, weighted_errors
from imlcmm.models.search import Choice, Range
from imlcmm.modules.attention import Activation, TransformerLayer
from imlcmm.modules.connector import Connector
from imlcmm.modules.hyper_modality import HyperModalityFusion
from imlcmm.modules.intra_modal import IntraModalExtractor
from imlcmm.modules.kan import KAN
from imlcmm.modules.mixup import Mixup
from imlcmm.modules.pooling import AttentionPool
from imlcmm.types import MODALITIES, TARGETS, Batch, DataSpec, Prediction

HEAD_WIDTH = 64


class IMLCMM(SentimentModel):
    """KAN and Transformer for each modality, hyper-modality guided by text, unimodal heads and audio-visual mixup.

    Follows Zhang, Yang and Zhang, "IML-CMM: A Multimodal Sentiment Analysis Framework Integrating Intra-Modal Learning
    and Cross-Modal Mixup Enhancement". Where the paper is silent: padding is masked everywhere, features are
    standardised by the train split, a modality that a clip lacks adds nothing to the fusion and its head gives NaN,
    fusion is a cross-attention Transformer, and the loss is L1 on the label.

    `Prediction.attention` holds each modality's pooling weights, (batch, steps).
    """

    paper: ClassVar[str] = (
        "Zhang, Yang, Zhang: IML-CMM: A Multimodal Sentiment Analysis Framework Integrating Intra-Modal Learning and "
        "Cross-Modal Mixup Enhancement (2025)"
    )
    learns_unimodal_labels: ClassVar = True
    learns_unlabelled_clips: ClassVar = True
    search_space: ClassVar = {
        "width": Choice((64, 128)),
        "dropout": Range(0.1, 0.5),
        "fusion_depth": Choice((1, 2, 3)),
        "grid_size": Choice((3, 5, 8)),
        "text_weight": Range(0.2, 1.0),
        "audio_weight": Range(0.2, 1.0),
        "vision_weight": Range(0.2, 1.0),
        "mixup_weight": Range(0.1, 1.0),
    }

    def __init__(
        self,
        spec: DataSpec,
        *,
        width: int = 128,
        tokens: int = 8,
        heads: int = 8,
        feedforward: int = 128,
        fusion_depth: int = 2,
        activation: Activation = "relu",
        dropout: float = 0.3,
        connector: Literal["kan", "mlp"] = "kan",
        grid_size: int = 5,
        spline_order: int = 3,
        grid_low: float = -3.0,
        grid_high: float = 3.0,
        unimodal_heads: bool = True,
        pool: Literal["frames", "tokens"] = "frames",
        hyper_modality: bool = True,
        fusion_reads_text: bool = True,
        head_reads_pooled: bool = False,
        extractor_lr: float | None = None,
        objective: ObjectiveName = "regression",
        huber: float = 0.0,
        concordance_weight: float = 0.0,
        multimodal_weight: float = 1.0,
        text_weight: float = 0.2,
        audio_weight: float = 0.8,
        vision_weight: float = 0.4,
        mixup_weight: float = 1.0,
        mixup_audio_weight: float = 1.0,
        mixup_vision_weight: float = 1.0,
        mixup_alpha: float = 1.0,
        mixup_part: float = 1.0,
        mixup_fused_weight: float = 0.0,
        l1_weight: float = 0.0,
        entropy_weight: float = 0.0,
        text_encoder: str | dict[str, Any] | None = None,
        fine_tune_text: bool = False,
        text_encoder_lr: float = 1e-5,
    ) -> None:
        """Build the layers.

        Args:
            spec: Shape of the data set.
            width: Model width D.
            tokens: Learned tokens N a modality.
            heads: Attention heads.
            feedforward: Hidden width of the feed-forward networks.
            fusion_depth: Cross-attention layers of the fusion.
            activation: Nonlinearity of the feed-forward networks; the paper's is ReLU (equation 7).
            dropout: Dropout in the Transformer layers.
            connector: What maps features and heads: KAN, or an MLP of as many parameters (table 4).
            grid_size: Intervals G of the spline grid.
            spline_order: Order k of the splines.
            grid_low: Lower end of the spline grid, in deviations of a standardised input; a third of the inputs would
                lie outside the customary grid from -1 to 1, where splines do not learn.
            grid_high: Upper end of the spline grid.
            unimodal_heads: Whether text, audio and vision have heads and losses of their own (UFA, table 4).
            pool: What the unimodal heads pool: the frames of the sequence (the paper) or the N tokens.
            hyper_modality: Whether AHL fuses; without it the pooled modalities are concatenated.
            fusion_reads_text: Whether the fusion's [CLS] reads the text beside the hyper-modality; ALMT's does not.
            head_reads_pooled: Whether the multimodal head reads the pooled modalities beside what AHL fused.
            extractor_lr: Learning rate of the unimodal extractors, if not that of the rest.
            objective: L1 on the label, or cross-entropy over the data set's classes.
            huber: Error, on a scale from -1 to 1, below which L1 turns into a square; 0 keeps L1 throughout.
            concordance_weight: Weight of 1 - Lin's concordance of prediction and label over a batch, for the fused
                head; it asks for correlation, mean and deviation at once.
            multimodal_weight: w_M of the joint loss.
            text_weight: w_T of the joint loss.
            audio_weight: w_A of the joint loss.
            vision_weight: w_V of the joint loss.
            mixup_weight: γ of equation 26, the weight of both consistency losses.
            mixup_audio_weight: w_amix; 0 turns the audio mixup off.
            mixup_vision_weight: w_vmix; 0 turns the vision mixup off.
            mixup_alpha: α of the Beta distribution that λ is drawn from.
            mixup_part: Part of each batch that is mixed, drawn anew each time; the losses keep their expectation.
            mixup_fused_weight: Weight of the same consistency for what the multimodal head reads (manifold mixup).
            l1_weight: λ_act of the splines' regulariser (equation 3).
            entropy_weight: λ_ent of the splines' regulariser.
            text_encoder: Hugging Face BERT (id or folder) that reads the tokens in place of cached text features.
            fine_tune_text: Whether training changes the text encoder.
            text_encoder_lr: Learning rate of a fine-tuned text encoder.
        """
        super().__init__(
            spec, text_encoder=text_encoder, fine_tune_text=fine_tune_text, text_encoder_lr=text_encoder_lr
        )
        self.objective = objective_for(objective, spec, huber=huber)
        self.concordance_weight, self.mixup_fused_weight = concordance_weight, mixup_fused_weight
        self.extractor_lr = extractor_lr
        self.task_weights = dict(
            zip(TARGETS, (multimodal_weight, text_weight, audio_weight, vision_weight), strict=True)
        )
        self.mixup_weights = {
            "audio": mixup_weight * mixup_audio_weight,
            "vision": mixup_weight * mixup_vision_weight,
        }
        self.mixup_alpha, self.mixup_part = mixup_alpha, mixup_part
        self.l1_weight, self.entropy_weight = l1_weight, entropy_weight
        mapping = Connector(connector, grid_size, spline_order, (grid_low, grid_high))
        layer = partial(TransformerLayer, width, heads, feedforward, activation=activation, dropout=dropout)
        self.extractors = nn.ModuleDict(
            {
                m: IntraModalExtractor(
                    mapping.layer(self.inputs.widths[m], width),
                    layer(),
                    width=width,
                    tokens=tokens,
                    steps=spec.steps[m],
                )
                for m in MODALITIES
            }
        )
        headed = tuple(m for m in MODALITIES if unimodal_heads and self.task_weights[m])
        self.head_reads_pooled = head_reads_pooled or not hyper_modality
        pooled = MODALITIES if self.head_reads_pooled else headed
        self.read_frames = {m: m in pooled and pool == "frames" for m in MODALITIES}
        self.pools = nn.ModuleDict({m: AttentionPool(width, width) for m in pooled})
        head = partial(mapping.head, hidden=HEAD_WIDTH, outputs=self.objective.outputs)
        self.heads = nn.ModuleDict({m: head(width) for m in headed})
        self.multimodal_head = head(width * (hyper_modality + self.head_reads_pooled * len(MODALITIES)))
        self.fusion: HyperModalityFusion | None = None
        if hyper_modality:
            self.fusion = HyperModalityFusion(
                layer, width=width, tokens=tokens, heads=heads, depth=fusion_depth, reads_text=fusion_reads_text
            )

    def forward(self, batch: Batch) -> Prediction:
        """Extract each modality, pool it for its own head, and fuse the tokens of all three."""
        present = {m: batch.masks[m].any(1) for m in MODALITIES}
        tokens, pooled, attention = {}, {}, {}
        for m in MODALITIES:
            sequence, mask = self.inputs(m, batch)
            tokens[m], frames = self.extractors[m](sequence, mask, read_frames=self.read_frames[m])
            if m in self.pools:
                pooled[m], attention[m] = self.pool_modality(m, tokens[m], frames, mask)
        raw = {m: head(pooled[m]) for m, head in self.heads.items()}
        fused = [] if self.fusion is None else [self.fusion(tokens, present)]
        if self.head_reads_pooled:
            fused += [pooled[m] * present[m].unsqueeze(-1) for m in MODALITIES]
        read = torch.cat(fused, dim=-1)
        raw["multimodal"] = self.multimodal_head(read)
        return read_heads(self.objective, raw, batch, attention=attention, features={"fused": read})

    def loss(self, prediction: Prediction, batch: Batch) -> dict[str, Tensor]:
        """Weigh the errors of the heads, the mixup consistency while training, and the splines' regulariser."""
        terms = weighted_errors(self.objective, prediction, batch, self.task_weights)
        if self.training:
            for m, weight in self.mixup_weights.items():
                if weight and m in self.heads:
                    terms[f"mixup_{m}"] = weight * self.mixup_consistency(m, prediction, batch)
            if self.mixup_fused_weight:
                terms["mixup_fused"] = self.mixup_fused_weight * self.fused_consistency(prediction, batch)
        if self.concordance_weight:
            known = batch.label.isfinite()
            agreement = concordance(prediction.sentiment[known], batch.label[known])
            terms["concordance"] = self.concordance_weight * (1 - agreement)
        if self.l1_weight or self.entropy_weight:
            terms["regularizer"] = self.regularizer()
        return terms

    def mixup_consistency(self, modality: str, prediction: Prediction, batch: Batch) -> Tensor:
        """Compare the prediction for mixed clips with the mixed targets (equations 18-24).

        The target of a clip without a label is the model's own prediction for the clean clip, without a gradient.
        """
        sequence, mask = self.inputs(modality, batch)
        present, label, raw = mask.any(1), batch.unimodal_labels[modality], prediction.logits[modality]
        target = torch.where(
            label.isnan().unsqueeze(-1), self.objective.pseudo_target(raw), self.objective.target(label)
        )
        mixup = Mixup.draw(present, self.mixup_alpha, self.mixup_part)
        mixed_mask = mixup.union(mask)
        tokens, frames = self.extractors[modality](
            mixup.mix(sequence), mixed_mask, read_frames=self.read_frames[modality]
        )
        pooled, _ = self.pool_modality(modality, tokens, frames, mixed_mask)
        error, known = self.objective.error(self.heads[modality](pooled), mixup.mix(target)), present[mixup.rows]
        mean: Tensor = (error * known).sum() / known.sum().clamp(min=1)
        return mean

    def fused_consistency(self, prediction: Prediction, batch: Batch) -> Tensor:
        """Compare what the multimodal head says of mixed inputs with the mixed targets (Verma et al. 2019)."""
        raw, label = prediction.logits["multimodal"], batch.label.unsqueeze(-1)
        target = torch.where(label.isnan(), self.objective.pseudo_target(raw), self.objective.target(batch.label))
        mixup = Mixup.of_all(len(raw), self.mixup_alpha, raw.device)
        mixed = self.multimodal_head(mixup.mix(prediction.features["fused"]))
        mean: Tensor = self.objective.error(mixed, mixup.mix(target)).mean()
        return mean

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Give the extractors a learning rate of their own, if they have one."""
        return self.group(**({} if self.extractor_lr is None else {"extractors": {"lr": self.extractor_lr}}))

    def pool_modality(
        self, modality: str, tokens: Tensor, frames: Tensor | None, mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Pool the frames, or the tokens where the frames are not read."""
        if frames is None:
            frames, mask = tokens, mask.new_ones(tokens.shape[:2])
        pooled: tuple[Tensor, Tensor] = self.pools[modality](frames, mask)
        return pooled

    def regularizer(self) -> Tensor:
        """Sum λ_act Σ|W_spline| + λ_ent H(p) over the KAN layers (equations 3 and 16)."""
        parts = [layer.regularizer() for layer in self.modules() if isinstance(layer, KAN)]
        return sum((self.l1_weight * l1 + self.entropy_weight * h for l1, h in parts), torch.zeros(()))

    @torch.no_grad()
    def diagnostics(self, batch: Batch) -> dict[str, float]:
        """Measure the share of standardised inputs outside the spline grid of each modality's connector."""
        shares = {}
        for m in MODALITIES:
            sequence, mask = self.inputs(m, batch)
            connector = self.extractors[m].connector
            if isinstance(connector, KAN) and mask.any():
                shares[f"outside_grid_{m}"] = connector.outside_share(sequence[mask])
        return shares
