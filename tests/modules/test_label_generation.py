"""Generated labels against the paper's formulas, computed from all clips at each step."""

import pytest
import torch

from imlcmm.errors import ModelError
from imlcmm.modules.label_generation import LabelGenerator

WIDTHS = {"multimodal": 4, "text": 3, "audio": 2, "vision": 3}
CLIPS = 30


class Plain:
    """The same in the plainest way: all centres anew from all clips at each batch."""

    def __init__(self, label):
        self.labels = {s: label.clone() for s in WIDTHS}
        self.features = {s: torch.full((CLIPS, w), torch.nan) for s, w in WIDTHS.items()}

    def centre(self, source, sign):
        seen = self.features[source].isfinite().all(1) & (sign * self.labels[source] > 0)
        return self.features[source][seen].mean(0)

    def update(self, row, features, epoch):
        n = epoch + 1
        if epoch:
            delta = {}
            for s in WIDTHS:
                positive, negative = ((features[s] - self.centre(s, sign)).norm(dim=-1) for sign in (1, -1))
                delta[s] = (negative - positive) / (positive + 1e-8)
            y = self.labels["multimodal"][row]
            for s in ("text", "audio", "vision"):
                ratio = delta[s] / (delta["multimodal"] + 1e-8)
                new = (0.5 * ratio * y + 0.5 * (y + delta[s] - delta["multimodal"])).clamp(-1, 1)
                self.labels[s][row] = (n - 1) / (n + 1) * self.labels[s][row] + 2 / (n + 1) * new
        for s in WIDTHS:
            self.features[s][row] = features[s]


def test_labels_move_as_the_formulas_say_in_any_order():
    torch.manual_seed(0)
    label = (torch.rand(CLIPS) * 10).round() / 5 - 1
    generator, plain = LabelGenerator(CLIPS, WIDTHS, -1.0, 1.0), Plain(label)
    for epoch in range(4):
        for row in torch.randperm(CLIPS).split(7):
            features = {s: torch.randn(len(row), w) + label[row, None] for s, w in WIDTHS.items()}
            generator.update(row, label[row], features, epoch)
            plain.update(row, features, epoch)
        for i, s in enumerate(WIDTHS):
            torch.testing.assert_close(generator.labels[i], plain.labels[s], rtol=1e-4, atol=1e-5)
    centres = (generator.sums / generator.counts).float().split(list(WIDTHS.values()), dim=-1)
    for source, (positive, negative) in zip(WIDTHS, centres, strict=True):
        torch.testing.assert_close(positive, plain.centre(source, 1), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(negative, plain.centre(source, -1), rtol=1e-4, atol=1e-5)


def test_unseen_clips_have_the_multimodal_label():
    generator = LabelGenerator(CLIPS, WIDTHS, -1.0, 1.0)
    label = torch.tensor([0.4, -0.2])
    assert generator.current(torch.tensor([3, 5]), label).tolist() == label.expand(4, -1).tolist()


def test_a_clip_beyond_the_train_split_is_refused():
    with pytest.raises(ModelError, match="clip 30 of train has no place"):
        LabelGenerator(CLIPS, WIDTHS, -1.0, 1.0).current(torch.tensor([30]), torch.zeros(1))


def test_nothing_of_it_is_in_a_checkpoint():
    assert not LabelGenerator(CLIPS, WIDTHS, -1.0, 1.0).state_dict()
