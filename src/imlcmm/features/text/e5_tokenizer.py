"""The tokenizer of multilingual-e5-small: Unigram pieces (Kudo 2018) that know where in the text they come from."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from imlcmm.errors import MissingPackageError
from imlcmm.features.text.e5_file import E5File

PREFIX = "query: "
_NO_SPAN = (0, 0)
# NFKC narrows the wide tilde of Chinese writing, but the encoder knows it wide; no text holds the other character.
_TILDE, _KEPT_TILDE = "\uff5e", "\ufdd0"


class Tokens(NamedTuple):
    """The tokens that an encoder reads for one text.

    Attributes:
        ids: (tokens,) what goes into the encoder.
        kept: (tokens,) False where a token belongs to a prefix that is not part of the text.
        pieces: How each token is written; "▁" stands for the space before a word.
        spans: (tokens, 2) characters of the text at which each token begins and ends, without the space before it;
            0, 0 for special tokens, and begin = end for a token that is nothing but a space.
        empty: Whether no token stands for any part of the text.
    """

    ids: Int[np.ndarray, " tokens"]
    kept: Bool[np.ndarray, " tokens"]
    pieces: tuple[str, ...]
    spans: Int[np.ndarray, "tokens 2"]
    empty: bool


class E5Tokenizer:
    """Cut text into the pieces that the encoder was trained on.

    Text is normalised as for training: NFKC, every kind of space becomes a plain one, control characters vanish. The
    encoder expects "query: " in front of every text; those tokens are marked as not kept.
    """

    def __init__(self, file: E5File) -> None:
        """Build the tokenizer from the file's pieces and scores.

        Raises:
            MissingPackageError: If tokenizers, which comes with transformers, is not installed.
        """
        try:
            from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers
        except ImportError as error:
            raise MissingPackageError("text features need tokenizers: pip install 'transformers>=4.50'") from error
        self.pieces, self.special = file.pieces, file.special
        # No space is left in a text once words are marked with "▁": so written, special tokens never match a text.
        hidden = {*file.special, *(i for i, score in enumerate(file.scores) if score == 0)}
        written = [f" {piece}" if i in hidden else piece for i, piece in enumerate(file.pieces)]
        vocabulary = list(zip(written, file.scores.tolist(), strict=True))
        self._tokenizer = Tokenizer(models.Unigram(vocabulary, file.special.unk, False))
        self._tokenizer.normalizer = normalizers.Sequence(
            [
                normalizers.Nmt(),
                normalizers.Replace(_TILDE, _KEPT_TILDE),
                normalizers.NFKC(),
                normalizers.Replace(_KEPT_TILDE, _TILDE),
                normalizers.Replace(Regex(" {2,}"), " "),
                normalizers.Strip(left=False, right=True),
            ]
        )
        self._tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")

    @property
    def prefix_tokens(self) -> int:
        """Number of tokens that the prefix takes of what the encoder can read."""
        return len(self._tokenizer.encode(PREFIX).ids)

    def __call__(self, text: str, *, longest: int) -> Tokens:
        """Tokenise one text.

        Args:
            text: Any text; halves of characters count as "?".
            longest: Most tokens to keep, the first and the last special token among them; the rest is cut off.

        Returns:
            The special token bos, the prefix, the text's own tokens and the special token eos.
        """
        text = writable(text)
        encoding = self._tokenizer.encode(PREFIX + text)
        offsets = [(begin - len(PREFIX), end - len(PREFIX)) for begin, end in encoding.offsets]
        # A space at the text's start joins the one that ends the prefix, so a token may begin before the text does.
        own = sum(end <= 0 for _, end in offsets)
        last = own + longest - 2
        ids = [self.special.bos, *encoding.ids[:last], self.special.eos]
        spans = [_NO_SPAN, *word_spans(text, offsets)[:last], _NO_SPAN]
        kept = np.ones(len(ids), bool)
        kept[1 : own + 1] = False
        return Tokens(
            np.array(ids), kept, tuple(self.pieces[i] for i in ids), np.array(spans), own == len(encoding.ids)
        )


def writable(text: str) -> str:
    """Replace halves of characters, which damaged transcripts hold and no tokenizer reads; no position changes."""
    return text.encode("utf-8", "replace").decode()


def word_spans(text: str, offsets: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Fit the offsets of a text's tokens to what a reader would mark.

    A span begins after the spaces in front of its word and goes on over characters that normalisation took away, such
    as a combining accent; a span before the text becomes 0, 0.
    """
    spans = []
    nexts = [begin for begin, _ in offsets[1:]] + [len(text)]
    for (begin, end), following in zip(offsets, nexts, strict=True):
        word = text[max(begin, 0) : max(end, 0)].lstrip()
        lost = text[max(end, 0) : max(following, 0)]
        accents = 0 if lost[:1].isspace() else len((lost.split() or [""])[0])
        spans.append((max(end, 0) - len(word), max(end, 0) + accents))
    return spans
