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

    The library takes seconds and 300 MB for a quarter of a million pieces. A text can only be cut into those that it
    holds, so that each text gets a library's tokenizer of its own, which cuts it as one of all pieces would.
    """

    def __init__(self, file: E5File) -> None:
        """Take the file's pieces and scores.

        Raises:
            MissingPackageError: If tokenizers, which comes with transformers, is not installed.
        """
        try:
            from tokenizers import Regex, normalizers, pre_tokenizers
        except ImportError as error:
            raise MissingPackageError("text features need tokenizers: pip install 'transformers>=4.50'") from error
        self.pieces, self.special, self._scores = file.pieces, file.special, file.scores
        # Special tokens and what was never scored match no text.
        self._ids = dict(zip(file.pieces, range(len(file.pieces)), strict=True))
        for hidden in {*file.special, *np.flatnonzero(file.scores == 0).tolist()}:
            self._ids.pop(file.pieces[hidden], None)
        self._longest = max(map(len, self._ids), default=0)
        # An unknown character costs more than any piece.
        self._frame = [(" unknown", 0.0), (" rarest", float(file.scores.min(initial=0.0)))]
        self._normalizer = normalizers.Sequence(
            [
                normalizers.Nmt(),
                normalizers.Replace(_TILDE, _KEPT_TILDE),
                normalizers.NFKC(),
                normalizers.Replace(_KEPT_TILDE, _TILDE),
                normalizers.Replace(Regex(" {2,}"), " "),
                normalizers.Strip(left=False, right=True),
            ]
        )
        self._marker = pre_tokenizers.Metaspace(prepend_scheme="always")

    @property
    def prefix_tokens(self) -> int:
        """Number of tokens that the prefix takes of what the encoder can read."""
        return len(self._cut(PREFIX)[0])

    def __call__(self, text: str, *, longest: int) -> Tokens:
        """Tokenise one text.

        Args:
            text: Any text; halves of characters count as "?".
            longest: Most tokens to keep, the first and the last special token among them; the rest is cut off.

        Returns:
            The special token bos, the prefix, the text's own tokens and the special token eos.
        """
        text = writable(text)
        found, places = self._cut(PREFIX + text)
        offsets = [(begin - len(PREFIX), end - len(PREFIX)) for begin, end in places]
        # A space at the text's start joins the one that ends the prefix, so a token may begin before the text does.
        own = sum(end <= 0 for _, end in offsets)
        last = own + longest - 2
        ids = [self.special.bos, *found[:last], self.special.eos]
        spans = [_NO_SPAN, *word_spans(text, offsets)[:last], _NO_SPAN]
        kept = np.ones(len(ids), bool)
        kept[1 : own + 1] = False
        return Tokens(np.array(ids), kept, tuple(self.pieces[i] for i in ids), np.array(spans), own == len(found))

    def _cut(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """Cut a text into pieces; give the id of each, and the characters at which it begins and ends."""
        from tokenizers import Tokenizer, models

        normal = "▁" + self._normalizer.normalize_str(text).replace(" ", "▁")
        places = ((at, at + size) for size in range(1, self._longest + 1) for at in range(len(normal) - size + 1))
        known = sorted({self._ids[held] for begin, end in places if (held := normal[begin:end]) in self._ids})
        pieces = [(self.pieces[i], float(self._scores[i])) for i in known]
        tokenizer = Tokenizer(models.Unigram(self._frame + pieces, 0, False))
        tokenizer.normalizer, tokenizer.pre_tokenizer = self._normalizer, self._marker
        encoding = tokenizer.encode(text)
        ids = [self.special.unk, self.special.unk, *known]
        return [ids[i] for i in encoding.ids], encoding.offsets


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
