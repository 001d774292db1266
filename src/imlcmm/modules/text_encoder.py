"""A Hugging Face BERT inside a model, frozen or fine-tuned."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from imlcmm.errors import MissingPackageError, ModelError, reason_of
from imlcmm.modules.encoder_files import load_encoder
from imlcmm.modules.exported import exporting

# What a description of an encoder decides: the rest of a configuration may ask for code.
_SIZES = (
    "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "hidden_act",
    "hidden_dropout_prob", "attention_probs_dropout_prob", "max_position_embeddings", "type_vocab_size",
    "initializer_range", "layer_norm_eps", "pad_token_id",
)  # fmt: skip


class TextEncoder(nn.Module):
    """Turn token ids into BERT's last hidden states.

    While frozen, each distinct row of tokens is encoded once, without dropout, and its states are kept in memory.
    """

    def __init__(self, source: str | dict[str, Any], *, fine_tune: bool = False) -> None:
        """Load or build the encoder.

        Args:
            source: A model id or folder to load, or a BERT configuration whose weights a checkpoint will bring.
            fine_tune: Whether training changes the encoder.

        Raises:
            ModelError: If transformers is not installed or the source cannot be loaded.
        """
        super().__init__()
        self.bert: Any = load_bert(source)
        self.fine_tune = fine_tune
        self.bert.requires_grad_(fine_tune)
        self.known: dict[bytes, Tensor] = {}

    @property
    def width(self) -> int:
        """Features a token."""
        return int(self.bert.config.hidden_size)

    def configuration(self) -> dict[str, Any]:
        """Describe the encoder's shape, so that it can be built again without its source."""
        configuration: dict[str, Any] = self.bert.config.to_dict()
        return configuration

    def train(self, mode: bool = True) -> "TextEncoder":
        """Keep dropout off in a frozen encoder."""
        return super().train(mode and self.fine_tune)

    def forward(self, tokens: Int[Tensor, "batch 3 steps"]) -> Float[Tensor, "batch steps width"]:
        """Encode rows of token ids, attention mask and segments."""
        if self.fine_tune or exporting():
            return self.encode(tokens)
        keys = [row.numpy().tobytes() for row in tokens.cpu()]
        new = list({key: i for i, key in enumerate(keys) if key not in self.known}.values())
        if new:
            with torch.no_grad():
                self.known.update(zip((keys[i] for i in new), self.encode(tokens[new]).cpu(), strict=True))
        return torch.stack([self.known[key] for key in keys]).to(tokens.device)

    def encode(self, tokens: Int[Tensor, "batch 3 steps"], shift: Callable[[Tensor], Tensor] | None = None) -> Tensor:
        """Run BERT; `shift` changes its word embeddings, (batch, steps, width), before the first layer."""
        ids, mask, segments = tokens.long().unbind(1)
        with ExitStack() as hooks:
            if shift is not None:
                handle = self.bert.embeddings.register_forward_hook(lambda module, read, embedded: shift(embedded))
                hooks.callback(handle.remove)
            states: Tensor = self.bert(input_ids=ids, attention_mask=mask, token_type_ids=segments).last_hidden_state
        return states


def load_bert(source: str | dict[str, Any]) -> nn.Module:
    """Build a BERT from a configuration, of which the sizes count alone, or load one by id or folder.

    Raises:
        MissingPackageError: If transformers is not installed.
        ModelError: If the source cannot be loaded.
    """
    if isinstance(source, str):
        return load_encoder(source)
    try:
        from transformers import BertConfig, BertModel
    except ImportError as error:
        raise MissingPackageError("a text encoder needs the extra 'bert': pip install 'imlcmm[bert]'") from error
    try:
        return BertModel(BertConfig(**{name: value for name, value in source.items() if name in _SIZES}))
    except (ValueError, TypeError, KeyError, RuntimeError) as error:
        raise ModelError(f"the text encoder cannot be built ({reason_of(error)})") from error
