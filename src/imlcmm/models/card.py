"""What there is to know of a model, in a few lines."""

from inspect import getdoc

from imlcmm.models import import_path, list_models
from imlcmm.models.base import SentimentModel
from imlcmm.types import DataSpec

CH_SIMS_V2 = DataSpec(
    {"text": 768, "audio": 25, "vision": 177}, {"text": 50, "audio": 925, "vision": 232}, train_size=2722
)


def model_card(model: type[SentimentModel], built: SentimentModel, spec: DataSpec) -> str:
    """Describe a model: paper, idea, what it reads and learns from, its size at this data, and the text encoder's part.

    Args:
        model: Model class.
        built: The model as its recipe builds it for the data.
        spec: Shape of the data.
    """
    trained = sum(p.numel() for p in built.parameters() if p.requires_grad)
    frozen = sum(p.numel() for p in built.parameters() if not p.requires_grad)
    learns = ["multimodal labels"]
    if model.learns_unimodal_labels:
        learns.append("unimodal labels (the multimodal one stands in where there are none)")
    if model.learns_unlabelled_clips:
        learns.append("clips without labels")
    shapes = ", ".join(f"{m} {spec.steps[m]} x {spec.widths[m]}" for m in spec.widths)
    encoder = "text_encoder" in getattr(model.__init__, "__annotations__", {})
    lines = [
        f"# {model.__name__}",
        getdoc(model) or "",
        f"Paper: {model.paper}",
        f"Reads: {'cached text features, or tokens by a BERT' if encoder else 'cached text features'}; audio; vision",
        f"Learns from: {', '.join(learns)}",
        f"Parameters at this data ({spec.kind}; {shapes}): {trained:,} trained"
        + (f", {frozen:,} frozen" if frozen else ""),
    ]
    return "\n\n".join(lines)


def idea(model: type[SentimentModel]) -> str:
    """Give the first line of what a model says of itself."""
    return (getdoc(model) or "").splitlines()[0]


def call_name(model: type[SentimentModel]) -> str:
    """Give what a person types to name a model: a registered one's name, the import path of another."""
    return model.__name__ if list_models().get(model.__name__) is model else import_path(model)
