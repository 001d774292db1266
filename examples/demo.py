"""Simulate clips, train IML-CMM and LF_DNN on them, and score both against the best possible predictions."""

import argparse
import shutil
import time
from pathlib import Path

import imlcmm
from imlcmm.reports.tables.figures import predicted_against_true


def main() -> None:
    """Run the demonstration in a folder of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("demo"))
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_args()
    folder, seeds = options.folder, range(1111, 1111 + options.seeds)
    started = time.monotonic()
    shutil.rmtree(folder, ignore_errors=True)

    data = imlcmm.load_dataset(imlcmm.simulate(folder / "data", size="demo", seed=0))
    plans = {
        imlcmm.models.IMLCMM: imlcmm.Optimization(lr=7e-4, epochs=12),
        imlcmm.models.LF_DNN: imlcmm.Optimization(lr=1e-3, epochs=40),
    }
    runs = []
    for model, optimization in plans.items():
        print(f"training {model.__name__} …", flush=True)
        run = imlcmm.train_seeds(
            lambda model=model: model(data.spec), data, optimization, seeds=seeds, folder=folder / model.__name__
        )
        runs.append(run.folder)

    report = imlcmm.evaluate_runs(runs, data)
    report.write(folder / "evaluation")
    predicted_against_true(report.evaluations, folder / "evaluation" / "predicted-against-true.png")
    print(report.markdown)
    print(f"Took {time.monotonic() - started:.0f} s. In {folder}: evaluation/evaluation.md is this table,")
    print("evaluation/predicted-against-true.png and */seed-*/learning-curve.png are pictures of it.")


if __name__ == "__main__":
    main()
