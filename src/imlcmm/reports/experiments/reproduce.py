"""The paper's tables and figures, and three experiments beyond it: each a function that trains, scores and writes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from imlcmm.datasets.stores.sentiment_data import SentimentData
from imlcmm.errors import DataError
from imlcmm.evaluation.evaluate import Evaluation, evaluate
from imlcmm.evaluation.rules import metric_names
from imlcmm.evaluation.tables import UNSCALED
from imlcmm.models.base import SentimentModel
from imlcmm.reports.experiments import settings as experiments
from imlcmm.reports.experiments.conflict import conflict_findings
from imlcmm.reports.experiments.findings import METRIC, Findings
from imlcmm.reports.experiments.leaderboard import leaderboard
from imlcmm.reports.experiments.robustness import measure_robustness
from imlcmm.reports.experiments.runs import Setting, score_each, train_settings
from imlcmm.reports.experiments.weightings import measure_weightings
from imlcmm.reports.tables.classes import class_counts
from imlcmm.reports.tables.figures import draw_label_shares
from imlcmm.reports.tables.published import published_beside
from imlcmm.reports.tables.results import name_data
from imlcmm.training.run import load_run

_TASKS = "IML-CMM with heads for some modalities"


@dataclass(frozen=True)
class Laboratory:
    """Where experiments run, and what they share: no setting is looked at or scored twice.

    Attributes:
        data: Data set.
        folder: Folder of the results, and of all runs in `runs`: experiments that train the same share a run.
        models: Names of the models of table 2, robustness and conflict.
        seeds: Seeds a setting.
        jobs: Settings trained at a time.
        draws: Weightings of figure 6.
        options: Further words of `imlcmm train` for every setting.
        unlabelled: Data set with unlabelled clips; None takes those of `data`.
    """

    data: SentimentData
    folder: Path
    models: Sequence[str]
    seeds: int = 5
    jobs: int = 1
    draws: int = 100
    options: Sequence[str] = ()
    unlabelled: Path | None = None
    _trained: set[str] = field(default_factory=set, init=False, repr=False)
    _scored: dict[str, Evaluation] = field(default_factory=dict, init=False, repr=False)

    @property
    def runs(self) -> Path:
        """Folder of the runs."""
        return self.folder / "runs"

    def train(self, settings: Sequence[Setting], seeds: int | None = None) -> dict[str, str]:
        """Train what is missing of some settings; give the reason of each that failed."""
        settings = [s for s in settings if s.folder not in self._trained]
        failures = train_settings(
            settings, self.data.path, self.runs, seeds=seeds or self.seeds, jobs=self.jobs, options=self.options,
            unlabelled=self._unlabelled() if any(s.unlabelled for s in settings) else None,
        )  # fmt: skip
        self._trained.update(s.folder for s in settings if s.name not in failures)
        return failures

    def load(self, setting: Setting) -> list[SentimentModel]:
        """Load the selected model of each seed."""
        run = load_run(self.runs / setting.folder)
        return [run.load(seed) for seed in run.seeds]

    def evaluate(self, settings: Sequence[Setting], failures: dict[str, str]) -> dict[str, Evaluation]:
        """Score the settings that did not fail; one whose run cannot be read joins the failures.

        Raises:
            TrainingError: If no setting is left.
        """
        return score_each(settings, failures, self._evaluate)

    def _evaluate(self, setting: Setting) -> Evaluation:
        if setting.folder not in self._scored:
            self._scored[setting.folder] = evaluate(self.load(setting), self.data)
        return replace(self._scored[setting.folder], name=setting.name)

    def find(self, name: str, title: str, settings: Sequence[Setting], shown: Sequence[str] | None = None,
             published: str = "") -> Findings:  # fmt: skip
        """Train, score and write an experiment."""
        failures = self.train(settings)
        evaluations = self.evaluate(settings, failures)
        findings = Findings(name, title, name_data(self.data), settings, evaluations, failures, published, shown)
        findings.write(self.folder)
        return findings

    def _unlabelled(self) -> Path:
        if self.unlabelled is None and "unlabelled" not in self.data.splits:
            raise DataError(f"{self.data.path} has no unlabelled clips; name a data set that has, with --unlabelled")
        return self.unlabelled or self.data.path


def table1(lab: Laboratory) -> str:
    """Count the clips of each split and class."""
    return class_counts(lab.data, lab.folder)


def table2(lab: Laboratory) -> str:
    """Compare all models."""
    board = leaderboard(lab.data, lab.models, folder=lab.runs, seeds=lab.seeds, jobs=lab.jobs, options=lab.options)
    text = "\n\n".join(["## table2", board.markdown, published_beside(lab.data.spec.kind, "table2", "later")]) + "\n"
    board.write(lab.folder, "table2", text)
    return text


def table3(lab: Laboratory) -> str:
    """Add unlabelled clips to the training."""
    title = "Training with unlabelled clips, by the scores on the labelled test split"
    return lab.find("table3", title, experiments.SEMI_SUPERVISED, published="table3").markdown


def table4(lab: Laboratory) -> str:
    """Leave out one component of IML-CMM each."""
    return lab.find("table4", "IML-CMM without one component each", experiments.ABLATIONS, published="table4").markdown


def table5(lab: Laboratory) -> str:
    """Leave out heads of single modalities."""
    return lab.find("table5", _TASKS, experiments.TASKS, published="table5").markdown


def figure4(lab: Laboratory) -> str:
    """Draw the accuracies of table 5."""
    shown = [m for m in metric_names(lab.data.rules) if m not in UNSCALED]
    return lab.find("figure4", f"{_TASKS}: accuracies", experiments.TASKS, shown, "table5").markdown


def figure5(lab: Laboratory) -> str:
    """Draw the errors and correlations of table 5."""
    shown = [m for m in metric_names(lab.data.rules) if m in UNSCALED]
    return lab.find("figure5", f"{_TASKS}: error and correlation", experiments.TASKS, shown, "table5").markdown


def figure6(lab: Laboratory) -> str:
    """Correlate random weights of the four tasks with the metrics."""
    settings = experiments.weightings(lab.draws)
    failures = lab.train(settings, seeds=1)
    return measure_weightings([s for s in settings if s.name not in failures], lab.load, lab.data, lab.folder)


def robustness(lab: Laboratory) -> str:
    """Damage the test clips."""
    settings = experiments.models(lab.models)
    failures = lab.train(settings)
    left = [s for s in settings if s.name not in failures]
    return measure_robustness(left, lab.load, lab.data, lab.folder)


def label_efficiency(lab: Laboratory) -> str:
    """Take labels away."""
    settings = experiments.label_shares()
    found = lab.find("label-efficiency", "IML-CMM trained on a share of the labels", settings)
    frame = found.frame().query(f"head == 'multimodal' and metric == '{METRIC}'").set_index("setting")
    kept = [s for s in settings if s.name in found.evaluations]
    frame = frame.loc[[s.name for s in kept]].assign(
        share=[s.label_share for s in kept], unlabelled=[s.unlabelled for s in kept]
    )
    draw_label_shares(frame, found.caption, lab.folder / "label-efficiency-curve.png")
    return found.markdown


def conflict(lab: Laboratory) -> str:
    """Score the clips whose modalities disagree apart from the others."""
    settings = experiments.models(lab.models)
    failures = lab.train(settings)
    evaluations = lab.evaluate(settings, failures)
    return conflict_findings(evaluations, failures, lab.data, lab.folder)


EXPERIMENTS: dict[str, Callable[[Laboratory], str]] = {
    **{f.__name__: f for f in (table1, table2, table3, table4, table5, figure4, figure5, figure6, robustness)},
    "label-efficiency": label_efficiency,
    "conflict": conflict,
}
"""By their names: each trains what is missing, writes its files into the folder, and gives its Markdown."""
