"""Graph_MFN: memory fusion network with a dynamic fusion graph."""

from itertools import combinations
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from imlcmm.models.base import SentimentModel
from imlcmm.models.mfn import two_layers, with_previous
from imlcmm.models.search import Choice, Range
from imlcmm.modules.gated_memory import GatedMemory
from imlcmm.modules.linear import Linear
from imlcmm.modules.pooling import last_step
from imlcmm.modules.recurrent import ParallelLSTMs
from imlcmm.types import MODALITIES, Batch, DataSpec, Prediction

INNER = 100


class DynamicFusionGraph(nn.Module):
    """Build a node for each pair and for the triple of modalities, and weigh every edge by the input (section 4.1).

    As in the authors' code there is no nonlinearity and the efficacies are not squashed.
    """

    def __init__(self, widths: list[int], node: int, *, frozen: bool) -> None:
        """Build the networks of the nodes, the efficacies and the output.

        Args:
            widths: Features of the single nodes.
            node: Features of the pair, triple and output nodes.
            frozen: Whether pair and triple networks stay untrained.
        """
        super().__init__()
        self.pairs = list(combinations(range(len(widths)), 2))
        everything = sum(widths) + len(self.pairs) * node
        self.pair_nodes = nn.ModuleList(linear_node(widths[i] + widths[j], node) for i, j in self.pairs)
        self.triple_node = linear_node(everything, node)
        for network in (self.pair_nodes, self.triple_node):
            network.requires_grad_(not frozen)
        edges = 2 * len(self.pairs) + 2 * (len(widths) + len(self.pairs)) + 1
        self.efficacies = nn.Sequential(linear_node(sum(widths), node), Linear(node, edges))
        self.out = linear_node(everything + node, node)

    def forward(self, singles: list[Float[Tensor, "steps batch _"]]) -> Float[Tensor, "steps batch node"]:
        """Fuse the single nodes; each edge is used once, in the authors' order."""
        efficacy = iter(self.efficacies(torch.cat(singles, dim=-1)).split(1, dim=-1))

        def weighed(nodes: list[Tensor]) -> Tensor:
            return torch.cat([node * next(efficacy) for node in nodes], dim=-1)

        pairs = [
            network(weighed([singles[i], singles[j]]))
            for (i, j), network in zip(self.pairs, self.pair_nodes, strict=True)
        ]
        triple = self.triple_node(weighed([*singles, *pairs]))
        fused: Tensor = self.out(weighed([*singles, *pairs, triple]))
        return fused


class Graph_MFN(SentimentModel):  # noqa: N801 (the field writes it so)
    """Replace the attention of MFN by a graph over the subsets of modalities, whose edges depend on the clip.

    Audio and vision are averaged in windows side by side to the steps of the text; where the words do not divide the
    frames, neighbours share one, and those of the reference are of whole frames, the last one repeated
    (`whole_windows`). The reference holds the networks of the pairs and the triple in a plain dictionary, so that they
    are never trained (`frozen_graph`) nor counted: it has 66,128 parameters fewer at the sizes of CH-SIMS v2. It takes
    its state at the end of the padding, this model at the last word.
    """

    paper: ClassVar = (
        "Zadeh, Liang, Poria, Cambria, Morency: Multimodal Language Analysis in the Wild: CMU-MOSEI Dataset and "
        "Interpretable Dynamic Fusion Graph (ACL 2018)"
    )
    search_space: ClassVar = {
        "text_hidden": Choice((32, 64, 128)),
        "audio_hidden": Choice((8, 16, 32)),
        "vision_hidden": Choice((32, 64, 128)),
        "memory": Choice((64, 128, 256, 400)),
        "node": Choice((20, 32, 50, 100)),
        "out_dropout": Range(0.0, 0.7),
    }

    def __init__(
        self,
        spec: DataSpec,
        *,
        text_hidden: int = 64,
        audio_hidden: int = 16,
        vision_hidden: int = 64,
        memory: int = 400,
        node: int = 32,
        proposal_hidden: int = 32,
        proposal_dropout: float = 0.7,
        keep_hidden: int = 256,
        keep_dropout: float = 0.5,
        admit_hidden: int = 256,
        admit_dropout: float = 0.2,
        out_hidden: int = 256,
        out_dropout: float = 0.2,
        frozen_graph: bool = False,
        whole_windows: bool = False,
    ) -> None:
        """Build the layers.

        Args:
            spec: Shape of the data set.
            text_hidden: Width of the text LSTM.
            audio_hidden: Width of the audio LSTM.
            vision_hidden: Width of the vision LSTM.
            memory: Width of the memory.
            node: Width of the graph's nodes.
            proposal_hidden: Hidden width of the network that proposes a memory.
            proposal_dropout: Its dropout.
            keep_hidden: Hidden width of the gate that keeps the memory (γ1).
            keep_dropout: Its dropout.
            admit_hidden: Hidden width of the gate that admits the proposal (γ2).
            admit_dropout: Its dropout.
            out_hidden: Hidden width of the regressor.
            out_dropout: Its dropout.
            frozen_graph: Leave the networks of pairs and triple untrained, as the reference does.
            whole_windows: Let windows have equally many frames, rounded up, the last one repeated where they are
                too few, as in the reference.
        """
        super().__init__(spec)
        hidden = [text_hidden, audio_hidden, vision_hidden]
        self.hidden, self.whole_windows = hidden, whole_windows
        self.lstms = ParallelLSTMs([self.inputs.widths[m] for m in MODALITIES], hidden)
        self.singles = nn.ModuleList(nn.Sequential(Linear(2 * h, h), nn.ReLU()) for h in hidden)
        self.graph = DynamicFusionGraph(hidden, node, frozen=frozen_graph)
        self.proposal = two_layers(node, proposal_hidden, memory, proposal_dropout)
        self.memory = GatedMemory(node, memory, (keep_hidden, admit_hidden), (keep_dropout, admit_dropout))
        self.head = two_layers(sum(hidden) + memory, out_hidden, 1, out_dropout)

    def forward(self, batch: Batch) -> Prediction:
        """Run the LSTMs, fuse their states two steps at a time by the graph, and update the memory."""
        text, mask = self.inputs("text", batch)
        aligned = (self.inputs.aligned(m, batch, whole=self.whole_windows) for m in ("audio", "vision"))
        hidden, _ = self.lstms([text, *aligned])
        states = hidden.split(self.hidden, dim=-1)
        fused = self.graph([node(with_previous(h)) for node, h in zip(self.singles, states, strict=True)])
        memory = self.memory(fused, self.proposal(fused).tanh())
        final = last_step(torch.cat([hidden, memory], dim=-1).transpose(0, 1), mask)
        return Prediction(self.spec.sentiment(self.head(final).squeeze(-1)))


def linear_node(width: int, out: int) -> nn.Sequential:
    """Build the two linear layers of a node."""
    return nn.Sequential(Linear(width, INNER), Linear(INNER, out))
