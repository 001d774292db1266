"""The encoder of multilingual-e5-small in NumPy: BERT's twelve layers (Devlin et al. 2019), which start in no time."""

import numpy as np
from jaxtyping import Float, Int
from scipy.special import erf

from imlcmm.features.text.e5_file import E5File, dequantise

_Array = Float[np.ndarray, "..."]


class E5Network:
    """Turn token ids into the last hidden states, in float32."""

    def __init__(self, file: E5File) -> None:
        """Take the weights; word embeddings stay packed, as a text needs few of them.

        Args:
            file: The model file.
        """
        sizes, self.epsilon = file.sizes, file.epsilon
        self.layers, self.heads, self.width = sizes.layers, sizes.heads, sizes.hidden
        self.words = file.tensors["emb.word"].reshape(sizes.vocabulary, -1)
        self.weights = {name: file.values(name) for name in file.tensors if name.endswith((".b", "ln.w"))}
        widths = dict.fromkeys(("q", "k", "v", "ao", "fi"), sizes.hidden) | {"fo": sizes.feed_forward}
        for layer in range(sizes.layers):
            for part, width in widths.items():
                name = f"l{layer}.{part}.w"
                self.weights[name] = np.ascontiguousarray(file.values(name).reshape(-1, width).T)
        segment = file.values("emb.type")[: sizes.hidden]
        self.places = file.values("emb.pos").reshape(sizes.positions, sizes.hidden) + segment

    def __call__(
        self, ids: Int[np.ndarray, "batch tokens"], mask: Int[np.ndarray, "batch tokens"]
    ) -> Float[np.ndarray, "batch tokens width"]:
        """Encode rows of token ids; the mask is 1 on real tokens."""
        words = dequantise(self.words[ids].reshape(-1)).reshape(*ids.shape, self.width)
        x = self._normalised(words + self.places[: ids.shape[1]], "emb.ln")
        unseen = np.where(mask[:, None, None, :] == 1, 0, -np.inf).astype(np.float32)
        for layer in range(self.layers):
            x = self._normalised(x + self._attended(x, unseen, f"l{layer}"), f"l{layer}.aln")
            hidden = self._mapped(x, f"l{layer}.fi")
            hidden *= np.float32(0.5) * (1 + erf(hidden * np.float32(0.5**0.5)))  # GELU
            x = self._normalised(x + self._mapped(hidden, f"l{layer}.fo"), f"l{layer}.oln")
        return x

    def _attended(self, x: _Array, unseen: _Array, layer: str) -> _Array:
        batch, tokens = x.shape[:2]
        query, key, value = (
            self._mapped(x, f"{layer}.{part}").reshape(batch, tokens, self.heads, -1).swapaxes(1, 2) for part in "qkv"
        )
        scores = query @ key.swapaxes(2, 3) * np.float32((self.width // self.heads) ** -0.5) + unseen
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        return self._mapped((weights @ value).swapaxes(1, 2).reshape(x.shape), f"{layer}.ao")

    def _mapped(self, x: _Array, name: str) -> _Array:
        mapped: _Array = x @ self.weights[f"{name}.w"] + self.weights[f"{name}.b"]
        return mapped

    def _normalised(self, x: _Array, name: str) -> _Array:
        centred = x - x.mean(-1, keepdims=True)
        deviation = np.sqrt(np.square(centred).mean(-1, keepdims=True) + np.float32(self.epsilon))
        normalised: _Array = centred / deviation * self.weights[f"{name}.w"] + self.weights[f"{name}.b"]
        return normalised
