"""Where experiments run: what they have in common is trained and scored once."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from imlcmm.datasets.stores.sentiment_data import SentimentData
from imlcmm.errors import DataError
from imlcmm.evaluation.evaluate import Evaluation, evaluate
from imlcmm.models.base import SentimentModel
from imlcmm.reports.experiments.findings import Findings
from imlcmm.reports.experiments.runs import Setting, score_each, train_settings
from imlcmm.reports.tables.results import name_data
from imlcmm.training.run import load_run


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
        ray: Address of a Ray cluster to train on.
    """

    data: SentimentData
    folder: Path
    models: Sequence[str]
    seeds: int = 5
    jobs: int = 1
    draws: int = 100
    options: Sequence[str] = ()
    unlabelled: Path | None = None
    ray: str | None = None
    _trained: set[str] = field(default_factory=set, init=False, repr=False)
    _scored: dict[tuple[str, str], Evaluation] = field(default_factory=dict, init=False, repr=False)

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
            ray=self.ray,
        )  # fmt: skip
        self._trained.update(s.folder for s in settings if s.name not in failures)
        return failures

    def load(self, setting: Setting) -> list[SentimentModel]:
        """Load the selected model of each seed."""
        run = load_run(self.runs / setting.folder)
        return [run.load(seed) for seed in run.seeds]

    def evaluate(
        self, settings: Sequence[Setting], failures: dict[str, str], split: str = "test"
    ) -> dict[str, Evaluation]:
        """Score the settings that did not fail on a split; one whose run cannot be read joins the failures.

        Raises:
            TrainingError: If no setting is left.
        """
        return score_each(settings, failures, lambda setting: self._evaluate(setting, split))

    def _evaluate(self, setting: Setting, split: str) -> Evaluation:
        key = setting.folder, split
        if key not in self._scored:
            self._scored[key] = evaluate(self.load(setting), self.data, split)
        return replace(self._scored[key], name=setting.name)

    def find(self, name: str, title: str, settings: Sequence[Setting], shown: Sequence[str] | None = None,
             published: str = "", split: str = "test") -> Findings:  # fmt: skip
        """Train, score and write an experiment; settings that others learn from are trained first."""
        teaching = {s.teachers for s in settings}
        failures = self.train([s for s in settings if s.folder in teaching]) | self.train(settings)
        evaluations = self.evaluate(settings, failures, split)
        findings = Findings(name, title, name_data(self.data), settings, evaluations, failures, published, shown, split)
        findings.write(self.folder)
        return findings

    def _unlabelled(self) -> Path:
        if self.unlabelled is None and "unlabelled" not in self.data.splits:
            raise DataError(f"{self.data.path} has no unlabelled clips; name a data set that has, with --unlabelled")
        return self.unlabelled or self.data.path
