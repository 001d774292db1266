"""Which part of MMSA 2.2.1's models is which of ours: sizes, weights and what has no counterpart.

A weight of ours is made of one of the reference's by a function that only picks and reorders, so that a gradient goes
the same way. Names may end with `*`, which stands for the same rest on both sides.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Literal

import numpy as np

Take = Callable[[np.ndarray], np.ndarray]
Feed = Literal["means", "frames", "windows"]

WIDTHS = {"text": 12, "audio": 5, "vision": 7}
THEIR_NAMES = {"text": "text", "audio": "audio", "vision": "video"}
LETTERS = {"text": "l", "audio": "a", "vision": "v"}
BERT = "inputs.text_encoder.bert"


@dataclass(frozen=True)
class Pair:
    """A weight of ours, the reference's that it corresponds to, and how ours is taken from that."""

    ours: str
    theirs: str
    take: Take


@dataclass(frozen=True)
class Deviation:
    """Something that parity needs, and what to leave it away in.

    Attributes:
        name: What differs.
        options: Options of our model that change.
        case: The case of the reference that it is compared with.
        batch: The batch that our model gets.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    case: str = "full"
    batch: str = "full"


@dataclass(frozen=True)
class Twin:
    """A model that both have.

    Attributes:
        pairs: The weights.
        knobs: Sizes, dropouts and weights of losses that both have: (our option, the reference's argument), value; None
            leaves both as they are.
        ties: Further arguments of the reference that go with an option of ours.
        options: Further options of ours, those that restore the reference among them.
        args: Further arguments of the reference.
        unread: Arguments of the reference's configuration that its trainer does not read.
        undroppable: Dropouts of ours that cannot drop everything.
        left_out: Weights of the reference without a counterpart, and why.
        ours_alone: Weights of ours without one, and why.
        untrained: Weights of ours that nothing trains.
        feed: What the reference gets of audio and vision: their means, their frames, or frames in such an order that
            its alignment averages neighbours.
        apart: Whether clips of unequal length go to the reference one by one, as it would read their padding.
        tokens: Whether a BERT reads the text.
        text_width: Features a word.
        runs: How often the reference's trainer goes through its batches, and what for.
        epochs: Epochs that are compared.
        needs: What has to be set on our side, in words.
        given: What the reference has to be given, in words.
        deviations: What differs without that.
        patch: A constant of ours, and its value for the comparison.
    """

    pairs: list[Pair]
    knobs: Mapping[tuple[str, str], Any]
    options: Mapping[str, Any] = field(default_factory=dict)
    args: Mapping[str, Any] = field(default_factory=dict)
    ties: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unread: tuple[str, ...] = ()
    undroppable: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    ours_alone: Mapping[str, str] = field(default_factory=dict)
    untrained: tuple[str, ...] = ()
    feed: Feed = "frames"
    apart: bool = True
    tokens: bool = False
    text_width: int = WIDTHS["text"]
    runs: int = 1
    epochs: int = 1
    needs: str = "–"
    given: str = "–"
    deviations: tuple[Deviation, ...] = ()
    patch: tuple[str, float] | None = None


def same(x: np.ndarray) -> np.ndarray:
    """Take a weight as it is."""
    return x


def squeezed(x: np.ndarray) -> np.ndarray:
    """Take the only place of the last axis."""
    return x[..., 0]


def rows(begin: int, end: int, of: int) -> Take:
    """Take some parts of a weight that is several, one below the other."""
    return lambda x: x[begin * len(x) // of : end * len(x) // of]


def columns(sizes: tuple[int, ...], order: tuple[int, ...]) -> Take:
    """Take the blocks of columns in another order."""

    def take(x: np.ndarray) -> np.ndarray:
        blocks = np.split(x, np.cumsum(sizes)[:-1], axis=1)
        return np.concatenate([blocks[i] for i in order], axis=1)

    return take


def layer(ours: str, theirs: str, take: Take = same, names: tuple[str, ...] = ("weight", "bias")) -> list[Pair]:
    """Pair weight and bias; `take` is for the weight."""
    return [Pair(f"{ours}.{n}", f"{theirs}.{n}", take if n == "weight" else same) for n in names]


def lstm(ours: str, theirs: str, *, cell: bool = False, both: bool = False) -> list[Pair]:
    """Pair the weights of an LSTM of one layer, of a cell in the reference, or of both directions."""
    names = [f"{kind}_{side}h" for kind, side in product(("weight", "bias"), "ih")]
    ends = ("_l0", "_l0_reverse") if both else ("_l0",)
    return [
        Pair(f"{ours}.{name}{end}", f"{theirs}.{name}" if cell else f"{theirs}.{name}{end}", same)
        for name, end in product(names, ends)
    ]


def encoder(theirs: str, parts: tuple[str, ...] = ("",)) -> list[Pair]:
    """Pair the parts of a BERT."""
    dotted = [f".{part}" if part else "" for part in parts]
    return [Pair(f"{BERT}{part}.*", f"{theirs}{part}.*", same) for part in dotted]


def stack(ours: str, places: tuple[int, ...], theirs: str, first: Take = same) -> list[Pair]:
    """Pair the dense layers at some places of a sequence with those the reference numbers from 1."""
    return [
        pair
        for number, place in enumerate(places, start=1)
        for pair in layer(f"{ours}.{place}", f"{theirs}{number}", first if number == 1 else same)
    ]


# The three encoders of utterance fusion.
TEXT_OUT, AUDIO, VISION = 5, 6, 8
SUBNETS = [
    *lstm("encoders.text.last_state.lstm", "text_subnet.rnn"),
    *layer("encoders.text.out", "text_subnet.linear_1"),
    *(
        pair
        for m in ("audio", "vision")
        for pair in [
            *layer(
                f"encoders.{m}.layers.0",
                f"{THEIR_NAMES[m]}_subnet.norm",
                names=("weight", "bias", "running_mean", "running_var"),
            ),
            *stack(f"encoders.{m}.layers", (2, 4, 6), f"{THEIR_NAMES[m]}_subnet.linear_"),
        ]
    ),
]
SUBNET_KNOBS = {
    ("encoders.text_hidden", "hidden_dims.0"): 2 * TEXT_OUT,  # as LMF has it
    ("encoders.audio_hidden", "hidden_dims.1"): AUDIO,
    ("encoders.vision_hidden", "hidden_dims.2"): VISION,
    ("encoders.audio_dropout", "dropouts.0"): 0.0,
    ("encoders.vision_dropout", "dropouts.1"): 0.0,
}
TEXT_KNOB = {("encoders.text_out", "text_out"): TEXT_OUT}
HIDDEN_KNOB = {("fusion_hidden", "post_fusion_dim"): 9}
CONCAT = stack(
    "fusion.head", (1, 3, 5), "post_fusion_layer_", columns((AUDIO, VISION, TEXT_OUT), (2, 0, 1))
)  # the reference puts audio and vision before text
TENSOR = [
    *layer("fusion.product", "post_fusion_layer_1"),
    *layer("fusion.head.1", "post_fusion_layer_2"),
    *layer("fusion.head.3", "post_fusion_layer_3"),
]
CONSTANTS = {"output_range": "constant: the width of the range", "output_shift": "constant: its lower end"}
LOW_RANK = [
    *(Pair(f"fusion.factors.{m}", f"{THEIR_NAMES[m]}_factor", squeezed) for m in WIDTHS),
    Pair("fusion.weights", "fusion_weights", same),
    Pair("fusion.bias", "fusion_bias", squeezed),
]
HEADS = [pair for m in WIDTHS for pair in stack(f"heads.{m}", (1, 3, 5), f"post_{THEIR_NAMES[m]}_layer_")]
TASK_KNOBS = {
    ("tasks.text_head", "post_text_dim"): 8,
    ("tasks.audio_head", "post_audio_dim"): 6,
    ("tasks.vision_head", "post_video_dim"): 7,
    ("tasks.dropout", "post_dropouts.0"): 0.0,
    ("tasks.multimodal_weight", "M"): 0.9,
    ("tasks.text_weight", "T"): 0.4,
    ("tasks.audio_weight", "A"): 0.6,
    ("tasks.vision_weight", "V"): 0.7,
}
TASK_TIES = {"tasks.dropout": ("post_dropouts.1", "post_dropouts.2")}
PADDING = Deviation("padding, which the reference reads and averages", case="raw", batch="padded")
MOSI_RANGE = Deviation("`mosi_range` off", {"mosi_range": False})
MEANS = "audio and vision averaged over real frames; clips of unequal length one by one"


def memory(places: Mapping[str, str]) -> list[Pair]:
    """Pair what MFN and Graph_MFN share: LSTMs, the two-layer networks, gates and head."""
    pairs = [pair for i, m in enumerate(WIDTHS) for pair in lstm(f"lstms.lstms.{i}", f"lstm_{LETTERS[m]}", cell=True)]
    for ours, theirs in places.items():
        pairs += stack(ours, (0, 3), f"{theirs}_fc")
    for i in range(2):
        pairs += layer(f"memory.enter.{i}", f"gamma{i + 1}_fc1") + layer(f"memory.gate.{i}", f"gamma{i + 1}_fc2")
    return pairs


MEMORY_KNOBS = {
    ("text_hidden", "hidden_dims.0"): 6,
    ("audio_hidden", "hidden_dims.1"): 3,
    ("vision_hidden", "hidden_dims.2"): 5,
    ("memory", "memsize"): 8,
    ("keep_hidden", "gamma1Config.shapes"): 4,
    ("keep_dropout", "gamma1Config.drop"): 0.0,
    ("admit_hidden", "gamma2Config.shapes"): 3,
    ("admit_dropout", "gamma2Config.drop"): 0.0,
    ("out_hidden", "outConfig.shapes"): 5,
    ("out_dropout", "outConfig.drop"): 0.0,
}
WINDOWS = "frames in such an order that its alignment averages neighbours; clips of unequal length one by one"
ALIGNMENT = (
    Deviation("frames as they come: every n-th is averaged with others", case="scrambled", batch="full"),
    Deviation("`whole_windows` off", {"whole_windows": False}, case="padded", batch="padded"),
)


def graph() -> list[Pair]:
    """Pair the dynamic fusion graph, whose pair and triple networks the reference does not register."""
    pairs = [pair for i, m in enumerate(LETTERS.values()) for pair in layer(f"singles.{i}.0", f"{m}_transform")]
    nodes = {f"graph.pair_nodes.{i}": key for i, key in enumerate(("01", "02", "12"))}
    for ours, key in {**nodes, "graph.triple_node": "012"}.items():
        pairs += layer(f"{ours}.0", f"graph_mfn.networks.{key}.0")
        pairs += layer(f"{ours}.1", f"graph_mfn.networks.{key}.1.0")
    pairs += layer("graph.efficacies.0.0", "graph_mfn.efficacy_model.0")
    pairs += layer("graph.efficacies.0.1", "graph_mfn.efficacy_model.1.0")
    pairs += layer("graph.efficacies.1", "graph_mfn.efficacy_model.2")
    return pairs + layer("graph.out.0", "graph_mfn.t_network.0") + layer("graph.out.1", "graph_mfn.t_network.1.0")


def transformer(ours: str, theirs: str, depth: int) -> list[Pair]:
    """Pair an encoder of MulT; its queries, keys and values are one weight in the reference."""
    pairs = layer(f"{ours}.norm", f"{theirs}.layer_norm")
    for i in range(depth):
        mine, other = f"{ours}.layers.{i}", f"{theirs}.layers.{i}"
        for kind in ("weight", "bias"):
            read = f"{other}.self_attn.in_proj_{kind}"
            pairs.append(Pair(f"{mine}.attention.query.{kind}", read, rows(0, 1, 3)))
            pairs.append(Pair(f"{mine}.attention.key_value.{kind}", read, rows(1, 3, 3)))
        pairs += layer(f"{mine}.attention.out", f"{other}.self_attn.out_proj")
        pairs += layer(f"{mine}.norm_query", f"{other}.layer_norms.0")
        pairs += layer(f"{mine}.feedforward.0", f"{other}.layer_norms.1")
        pairs += layer(f"{mine}.feedforward.1", f"{other}.fc1") + layer(f"{mine}.feedforward.4", f"{other}.fc2")
    return pairs


def mult() -> list[Pair]:
    """Pair convolutions, six readers, three memories and the regressor."""
    pairs = [Pair(f"convolutions.{m}.weight", f"proj_{letter}.weight", same) for m, letter in LETTERS.items()]
    for (m, own), (other, read) in product(LETTERS.items(), repeat=2):
        if m != other:
            pairs += transformer(f"readers.{m}_reads_{other}", f"trans_{own}_with_{read}", 2)
    for m, letter in LETTERS.items():
        pairs += transformer(f"memories.{m}", f"trans_{letter}_mem", 3)
    return pairs + layer("residual.0", "proj1") + layer("residual.3", "proj2") + layer("head", "out_layer")


MISA_WIDTH, MISA_HIDDEN = 768, 8  # the reference knows no other width of text


def misa() -> list[Pair]:
    """Pair MISA; audio and vision change places in the reference, and so do layers and directions of its LSTMs."""
    pairs = encoder("bertmodel.model")
    for m, letter in (("text", "t"), ("audio", "a"), ("vision", "v")):
        if m != "text":
            width = WIDTHS[m]
            pairs += lstm(f"readers.{m}.first", f"{letter}rnn1", both=True)
            pairs += lstm(f"readers.{m}.second", f"{letter}rnn2", both=True)
            pairs += layer(f"readers.{m}.norm", f"{letter}layer_norm")
            take = columns((width,) * 4, (0, 2, 1, 3))
        else:
            take = same
        pairs += layer(f"projections.{m}.0", f"project_{letter}.project_{letter}", take)
        pairs += layer(f"projections.{m}.2", f"project_{letter}.project_{letter}_layer_norm")
        pairs += layer(f"private.{m}.0", f"private_{letter}.private_{letter}_{3 if letter == 'a' else 1}")
        pairs += layer(f"reconstructions.{m}", f"recon_{letter}.recon_{letter}_1")
    pairs += layer("shared.0", "shared.shared_1")
    pairs.append(Pair("fusion.*", "transformer_encoder.layers.0.*", same))
    pairs += layer("head.0", "fusion.fusion_layer_1", columns((MISA_HIDDEN,) * 6, (0, 2, 1, 3, 5, 4)))
    return pairs + layer("head.3", "fusion.fusion_layer_3")


def mmim() -> list[Pair]:
    """Pair encoders, fusion, bounds, projections of the entropy, and predictors."""
    pairs = encoder("bertmodel.model")
    pairs += layer("predictors.text", "cpc_zt.net")
    for m, long, letter in (("audio", "acoustic", "a"), ("vision", "visual", "v")):
        pairs += lstm(f"readers.{m}.last_state.lstm", f"{long}_enc.rnn", both=True)
        pairs += layer(f"readers.{m}.out", f"{long}_enc.linear_1")
        for place in (0, 2):
            pairs += layer(f"bounds.{m}.mean.{place}", f"mi_t{letter}.mlp_mu.{place}")
            pairs += layer(f"bounds.{m}.log_variance.{place}", f"mi_t{letter}.mlp_logvar.{place}")
        pairs += layer(f"entropies.{m}.project.0", f"mi_t{letter}.entropy_prj.0")
        pairs += layer(f"predictors.{m}", f"cpc_z{letter}.net")
    return [*pairs, *stack("fusion", (1, 3), "fusion_prj.linear_"), *layer("head", "fusion_prj.linear_3")]


def self_mm() -> list[Pair]:
    """Pair encoders and the four heads."""
    pairs = encoder("text_model.model")
    for target, their in (("multimodal", "fusion"), *THEIR_NAMES.items()):
        if target in ("audio", "vision"):
            pairs += lstm(f"{target}.last_state.lstm", f"{their}_model.rnn")
            pairs += layer(f"{target}.out", f"{their}_model.linear_1")
        pairs += layer(f"features.{target}.1", f"post_{their}_layer_1")
        pairs += layer(f"heads.{target}.0", f"post_{their}_layer_2")
        pairs += layer(f"heads.{target}.2", f"post_{their}_layer_3")
    return pairs


def bert_mag() -> list[Pair]:
    """Pair the gate, BERT's parts, and the pooler, which is BERT's own in the reference."""
    pairs = encoder("model.bert", ("embeddings", "encoder"))
    for m, letter in (("audio", "a"), ("vision", "v")):
        pairs += layer(f"gate.gates.{m}", f"model.bert.MAG.W_h{letter}")
        pairs += layer(f"gate.shifts.{m}", f"model.bert.MAG.W_{letter}")
    pairs += layer("gate.norm", "model.bert.MAG.LayerNorm") + layer("pooler.0", "model.bert.pooler.dense")
    return pairs + layer("head", "model.classifier")


TUNED = {"fine_tune_text": True}
TWINS: dict[str, Twin] = {
    "LF_DNN": Twin(
        [*SUBNETS, *CONCAT],
        {**SUBNET_KNOBS, **TEXT_KNOB, **HIDDEN_KNOB, ("fusion_dropout", "dropouts.3"): 0.0},
        feed="means",
        given=MEANS,
        deviations=(PADDING,),
    ),
    "TFN": Twin(
        [*SUBNETS, *TENSOR],
        {**SUBNET_KNOBS, **TEXT_KNOB, **HIDDEN_KNOB, ("fusion_dropout", "dropouts.3"): 0.0},
        options={"mosi_range": True},
        undroppable=("fusion_dropout",),
        left_out=CONSTANTS,
        feed="means",
        needs="`mosi_range`",
        given=MEANS,
        deviations=(MOSI_RANGE, PADDING),
    ),
    "LMF": Twin(
        [*SUBNETS, *LOW_RANK],
        {**SUBNET_KNOBS, ("rank", "rank"): 2, ("factor_lr", "factor_lr"): None},
        options={"encoders.text_out": TEXT_OUT},
        feed="means",
        given=MEANS,
        deviations=(PADDING,),
    ),
    "MFN": Twin(
        memory({"attention": "att1", "proposal": "att2", "head": "out"}),
        {
            **MEMORY_KNOBS,
            ("attention_hidden", "NN1Config.shapes"): 3,
            ("attention_dropout", "NN1Config.drop"): 0.0,
            ("proposal_hidden", "NN2Config.shapes"): 7,
            ("proposal_dropout", "NN2Config.drop"): 0.0,
        },
        options={"constant_audio_vision": True},
        feed="means",
        needs="`constant_audio_vision`",
        given=MEANS,
        deviations=(
            Deviation("`constant_audio_vision` off", {"constant_audio_vision": False}),
            Deviation("padding, which the reference reads and averages", case="raw", batch="padded"),
        ),
    ),
    "Graph_MFN": Twin(
        [*memory({"proposal": "att2", "head": "out"}), *graph()],
        {
            **MEMORY_KNOBS,
            ("node", "inner_node_dim"): 4,
            ("proposal_hidden", "NNConfig.shapes"): 7,
            ("proposal_dropout", "NNConfig.drop"): 0.0,
        },
        options={"whole_windows": True},
        feed="windows",
        needs="`whole_windows`",
        given=WINDOWS,
        deviations=(*ALIGNMENT, Deviation("padding, which the reference reads", case="raw", batch="padded")),
    ),
    "MulT": Twin(
        mult(),
        {
            ("heads", "dst_feature_dim_nheads.1"): 2,
            ("depth", "nlevels"): 2,
            ("text_kernel", "conv1d_kernel_size_l"): 1,
            ("audio_kernel", "conv1d_kernel_size_a"): 1,
            ("vision_kernel", "conv1d_kernel_size_v"): 1,
            ("text_dropout", "text_dropout"): 0.0,
            ("attention_dropout", "attn_dropout"): 0.0,
            ("attention_dropout_audio", "attn_dropout_a"): 0.0,
            ("attention_dropout_vision", "attn_dropout_v"): 0.0,
            ("inner_dropout", "relu_dropout"): 0.0,
            ("embed_dropout", "embed_dropout"): 0.0,
            ("residual_dropout", "res_dropout"): 0.0,
            ("out_dropout", "output_dropout"): 0.0,
        },
        options={"head_width": 3},
        args={"dst_feature_dim_nheads.0": 6, "grad_clip": -1.0, "update_epochs": 1},
        needs="kernels of 1",
        given="clips of unequal length one by one; its softmax in double precision",
        deviations=(
            Deviation("padding, which the reference reads", case="raw", batch="padded"),
            Deviation(
                "kernels of 3, which shorten the reference's sequences",
                {"text_kernel": 3, "audio_kernel": 3, "vision_kernel": 3},
                case="kernels",
            ),
        ),
    ),
    "BERT_MAG": Twin(
        bert_mag(),
        {("strength", "beta_shift"): 0.7, ("gate_dropout", "dropout_prob"): 0.0},
        options={"whole_windows": True, "out_dropout": 0.0, **TUNED},
        ours_alone={f"{BERT}.pooler.*": "BERT's own pooler, which nothing reads"},
        feed="windows",
        tokens=True,
        needs="`text_encoder`, `fine_tune_text`, `whole_windows`",
        given=WINDOWS,
        deviations=ALIGNMENT,
    ),
    "MISA": Twin(
        misa(),
        {
            ("hidden", "hidden_size"): MISA_HIDDEN,
            ("dropout", "dropout"): 0.0,
            ("difference_weight", "diff_weight"): 0.5,
            ("similarity_weight", "sim_weight"): 0.9,
            ("reconstruction_weight", "recon_weight"): 0.6,
        },
        options={"text_length_only": True, **TUNED},
        args={"grad_clip": -1.0, "update_epochs": 1},
        left_out={
            "sp_discriminator.*": "a classifier whose result no loss reads",
            "tlayer_norm.*": "a normalisation that nothing runs",
        },
        apart=False,
        tokens=True,
        text_width=MISA_WIDTH,
        needs="`text_encoder`, `fine_tune_text`, `text_length_only`",
        given="no clip with fewer frames than words",
        deviations=(
            Deviation("`text_length_only` off", {"text_length_only": False}, "padded", "padded"),
            Deviation('`text_pooling "cls"`', {"text_pooling": "cls"}, "padded", "padded"),
        ),
    ),
    "MMIM": Twin(
        mmim(),
        {
            ("fused", "d_prjh"): 6,
            ("dropout", "dropout_prj"): 0.0,
            ("lstm_hidden", "d_ah"): 4,
            ("utterance", "d_aout"): 8,
            ("contrast_weight", "alpha"): 0.2,
            ("information_weight", "beta"): 0.3,
        },
        options=TUNED,
        args={"grad_clip": 1e12},
        ties={"lstm_hidden": ("d_vh",), "utterance": ("d_vout",)},
        unread=("update_epochs",),
        untrained=("entropies.*",),
        apart=False,
        tokens=True,
        runs=2,
        needs="`text_encoder`, `fine_tune_text`; the ridge of the entropy at 0, which is no option",
        patch=("imlcmm.models.mmim.RIDGE", 0.0),
        deviations=(Deviation("the ridge, on the loss of a third batch", case="steps"),),
    ),
    "Self_MM": Twin(
        self_mm(),
        {
            ("audio_lstm", "a_lstm_hidden_size"): 4,
            ("vision_lstm", "v_lstm_hidden_size"): 5,
            ("audio_out", "audio_out"): 3,
            ("vision_out", "video_out"): 4,
            ("fusion_hidden", "post_fusion_dim"): 6,
            ("text_hidden", "post_text_dim"): 5,
            ("audio_hidden", "post_audio_dim"): 4,
            ("vision_hidden", "post_video_dim"): 3,
            ("fusion_dropout", "post_fusion_dropout"): 0.0,
            ("text_dropout", "post_text_dropout"): 0.0,
            ("audio_dropout", "post_audio_dropout"): 0.0,
            ("vision_dropout", "post_video_dropout"): 0.0,
            ("label_limit", "H"): 1.0,
        },
        options=TUNED,
        args={"text_out": WIDTHS["text"], "update_epochs": 1},
        apart=False,
        tokens=True,
        runs=4,  # before it trains, it reads the labels
        epochs=3,  # labels move in the second, so that weights of their losses are not zero in the third
        needs="`text_encoder`, `fine_tune_text`, `label_limit` as its H",
        deviations=(Deviation("`label_limit` 3 for 1, on the generated labels", {"label_limit": 3.0}, "labels"),),
    ),
    "MLF_DNN": Twin(
        [*SUBNETS, *CONCAT, *HEADS],
        {**SUBNET_KNOBS, **TEXT_KNOB, **HIDDEN_KNOB, **TASK_KNOBS, ("fusion_dropout", "post_dropouts.3"): 0.0},
        ties=TASK_TIES,
        feed="means",
        given=MEANS,
        deviations=(PADDING,),
    ),
    "MTFN": Twin(
        [*SUBNETS, *TENSOR, *HEADS],
        {**SUBNET_KNOBS, **TEXT_KNOB, **HIDDEN_KNOB, **TASK_KNOBS, ("fusion_dropout", "post_dropouts.3"): 0.0},
        options={"mosi_range": True},
        undroppable=("fusion_dropout",),
        ties=TASK_TIES,
        left_out=CONSTANTS,
        feed="means",
        needs="`mosi_range`",
        given=MEANS,
        deviations=(MOSI_RANGE, PADDING),
    ),
    "MLMF": Twin(
        [*SUBNETS, *LOW_RANK, *HEADS],
        {**SUBNET_KNOBS, **TASK_KNOBS, ("rank", "rank"): 2, ("factor_lr", "factor_lr"): None},
        options={"encoders.text_out": TEXT_OUT},
        ties=TASK_TIES,
        feed="means",
        given=MEANS,
        deviations=(PADDING,),
    ),
}


def expanded(pairs: list[Pair], ours: list[str]) -> list[Pair]:
    """Write out the pairs that stand for several, by the names of our weights."""
    found = []
    for pair in pairs:
        if not pair.ours.endswith("*"):
            found.append(pair)
            continue
        begin, their_begin = pair.ours[:-1], pair.theirs[:-1]
        rest = [name.removeprefix(begin) for name in ours if name.startswith(begin)]
        found += [Pair(begin + end, their_begin + end, pair.take) for end in rest]
    return found
