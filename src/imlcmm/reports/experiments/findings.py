"""What an experiment came to: a row a setting, and each difference with its test, in words a person reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from imlcmm.evaluation.evaluate import Evaluation, resampled
from imlcmm.evaluation.statistics import Comparison, holm
from imlcmm.evaluation.tables import LOWER_IS_BETTER, comparison_table, markdown, number
from imlcmm.reports.experiments.runs import Setting
from imlcmm.reports.tables.interval_chart import draw_settings
from imlcmm.reports.tables.published import published_beside
from imlcmm.reports.tables.results import write_result

METRIC, SURE = "MAE", 0.05


@dataclass(frozen=True)
class Findings:
    """The settings of an experiment that came to an end.

    Attributes:
        name: Name of the experiment, such as table4.
        title: What it shows.
        data: The data, by `name_data`.
        settings: All settings, in order.
        evaluations: By the setting's name.
        failures: By the setting's name, why it has no evaluation.
        published: Name of the published table that stands beside.
        shown: Metrics of the table and the picture; None shows all.
        split: The split whose clips were scored.
    """

    name: str
    title: str
    data: str
    settings: Sequence[Setting]
    evaluations: Mapping[str, Evaluation]
    failures: Mapping[str, str]
    published: str = ""
    shown: Sequence[str] | None = None
    split: str = "test"

    @property
    def caption(self) -> str:
        """Say what the tables show, and on which data."""
        first = next(iter(self.evaluations.values()))
        seeds = sorted({len(e.predictions["multimodal"]) for e in self.evaluations.values()})
        return (
            f"{self.title}. {self.data}, {len(first.ids)} {self.split} clips; mean ± deviation over "
            f"{' to '.join(map(str, {seeds[0], seeds[-1]}))} seeds."
        )

    @property
    def metrics(self) -> Sequence[str]:
        """The metrics of the table and the picture."""
        return self.shown or metrics_of(next(iter(self.evaluations.values())))

    def table(self) -> pd.DataFrame:
        """Lay out a row a setting and a column a metric: `mean ± deviation`."""
        return pd.DataFrame(
            {"setting": name, **{metric: cell(e, metric) for metric in self.metrics}}
            for name, e in self.evaluations.items()
        )

    @cached_property
    def differences(self) -> dict[str, dict[str, Comparison]]:
        """Compare each setting with the one it is set against, in every metric."""
        return {
            s.name: self.evaluations[s.name].minus(self.evaluations[s.against])
            for s in self.settings
            if s.against and s.against in self.evaluations and s.name in self.evaluations
        }

    def verdicts(self) -> list[str]:
        """Say in a sentence a setting whether it differs in MAE; the p-values are adjusted for their number."""
        adjusted = self.p_values(METRIC)
        return [
            f"{name} {_verdict(test, adjusted[name])} {self._against(name)}: {METRIC} {_signed(test.difference)} "
            f"[{_signed(test.low)}, {_signed(test.high)}], p {adjusted[name]:.3f}, "
            f"{self._seeds(name, test.difference)}."
            for name, test in ((name, found[METRIC]) for name, found in self.differences.items())
        ]

    def p_values(self, metric: str) -> dict[str, float]:
        """Give the p-value of each setting that is compared with another, adjusted for the number of settings."""
        p_values = [tests[metric].p_value for tests in self.differences.values()]
        return dict(zip(self.differences, holm(p_values), strict=True))

    def _seeds(self, name: str, difference: float) -> str:
        """Say in how many seeds, trained and compared in pairs, the difference has its sign."""
        pair = (self.evaluations[name], self.evaluations[str(self._against(name))])
        mine, its = ([scores[METRIC] for scores in e.scores["multimodal"]] for e in pair)
        same = [(a - b) * difference > 0 for a, b in zip(mine, its, strict=False)]
        return f"the same way in {sum(same)} of {len(same)} seeds"

    def frame(self) -> pd.DataFrame:
        """Give a row a setting, head and metric: mean, deviation, 95 % interval over videos and seeds."""
        frames = [e.to_frame().assign(run=name) for name, e in self.evaluations.items()]
        return pd.concat(frames).rename(columns={"run": "setting"})

    @property
    def markdown(self) -> str:
        """The tables, the differences in words, and beside them what was published."""
        parts = [f"## {self.name}", self.caption, markdown(self.table())]
        verdicts = self.verdicts()
        if verdicts:
            over = resampled(list(self.evaluations.values()))
            parts.append(
                f"Differences in {METRIC} with their 95 % intervals over {over}; p by a paired bootstrap, adjusted "
                "for the number of comparisons (Holm)."
            )
            parts.append("\n".join(f"- {verdict}" for verdict in verdicts))
        parts += [f"{name} is missing: {reason}" for name, reason in self.failures.items()]
        parts += [
            f"<details><summary>{name} − {self._against(name)} in every metric</summary>\n\n"
            f"{markdown(comparison_table(tests))}\n\n</details>"
            for name, tests in self.differences.items()
        ]
        if self.published:
            parts.append(published_beside(next(iter(self.evaluations.values())).kind, self.published))
        return "\n\n".join(parts) + "\n"

    def write(self, folder: Path) -> None:
        """Write NAME.md, .csv, .tex and .png."""
        picture = write_result(folder, self.name, self.markdown, self.frame(), self.table(), self.caption)
        unsure = {metric: {name for name, p in self.p_values(metric).items() if p >= SURE} for metric in self.metrics}
        references = {s.against for s in self.settings if s.against in self.evaluations}
        draw_settings(
            self.evaluations, unsure, references.pop() if len(references) == 1 else None, self.caption, picture
        )

    def _against(self, name: str) -> str | None:
        return next(s.against for s in self.settings if s.name == name)


def metrics_of(evaluation: Evaluation) -> list[str]:
    """Name the metrics of the data set's rules."""
    return list(evaluation.scores["multimodal"][0])


def cell(evaluation: Evaluation, metric: str) -> str:
    """Write `mean ± deviation over seeds` of a metric."""
    values = [scores[metric] for scores in evaluation.scores["multimodal"]]
    return f"{number(metric, evaluation.mean(metric))} ± {number(metric, float(pd.Series(values).std(ddof=0)))}"


def _verdict(test: Comparison, p_value: float) -> str:
    """Say which side of the comparison is better, if the test tells them apart."""
    if p_value >= SURE:
        return "cannot be told from"
    better = (test.difference < 0) == (METRIC in LOWER_IS_BETTER)
    return "is better than" if better else "is worse than"


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−")
