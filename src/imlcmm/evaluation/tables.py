"""Scores as tables for people."""

import math
from collections.abc import Mapping

import pandas as pd

from imlcmm.evaluation.statistics import Comparison, Scores
from imlcmm.markdown import markdown_table

UNSCALED = ("MAE", "Corr", "R2")
LOWER_IS_BETTER = ("MAE",)


def without_repeats(frame: pd.DataFrame) -> pd.DataFrame:
    """Leave out the source-disjoint scores of runs where they are the multimodal ones: no split shares a video."""
    kept = []
    for _, group in frame.groupby("run", sort=False):
        whole, disjoint = (
            group[group["head"] == head].drop(columns="head").reset_index(drop=True)
            for head in ("multimodal", "source-disjoint")
        )
        kept.append(group[group["head"] != "source-disjoint"] if disjoint.equals(whole) else group)
    return pd.concat(kept)


def score_table(frame: pd.DataFrame, reference: Mapping[str, Scores]) -> pd.DataFrame:
    """Lay out scores with a column a metric: `mean ± deviation [low, high]`, accuracies in percent."""
    metrics = list(dict.fromkeys(frame["metric"]))
    rows = [
        {"run": name, "head": "", **{m: number(m, scores[m]) for m in metrics}} for name, scores in reference.items()
    ]
    for (run, head), group in frame.groupby(["run", "head"], sort=False):
        cells = {
            r.metric: "–"
            if math.isnan(r.mean)
            else f"{number(r.metric, r.mean)} ± {number(r.metric, r.std)} "
            f"[{number(r.metric, r.low)}, {number(r.metric, r.high)}]"
            for r in group.itertuples()
        }
        rows.append({"run": run, "head": head, **cells})
    return pd.DataFrame(rows)


def comparison_table(tests: Mapping[str, Comparison]) -> pd.DataFrame:
    """Lay out a paired test with a row a metric."""
    return pd.DataFrame(
        {
            "metric": name,
            "difference": number(name, test.difference),
            "95 % interval": f"[{number(name, test.low)}, {number(name, test.high)}]",
            "p": f"{test.p_value:.3f}",
        }
        for name, test in tests.items()
    )


def markdown(table: pd.DataFrame) -> str:
    """Write a table in Markdown, columns aligned."""
    return markdown_table(
        [[str(c) for c in table.columns], *([str(v) for v in row] for row in table.itertuples(index=False))]
    )


def latex(table: pd.DataFrame, caption: str) -> str:
    """Write a table in LaTeX, for the package booktabs; cells in **bold** stay bold."""

    def cell(text: str) -> str:
        bold = text.startswith("**")
        for plain, escaped in (
            ("*", ""),
            ("_", r"\_"),
            ("%", r"\%"),
            ("±", r"$\pm$"),
            ("−", "--"),
            ("†", r"$\dagger$"),
            ("<", "$<$"),
        ):
            text = text.replace(plain, escaped)
        return rf"\textbf{{{text}}}" if bold else text

    rows = [" & ".join(cell(str(v)) for v in row) + r" \\" for row in table.itertuples(index=False)]
    head = " & ".join(cell(str(c)) for c in table.columns) + r" \\"
    columns = "l" + "r" * (len(table.columns) - 1)
    begin = [r"\begin{table}", r"\centering", rf"\caption{{{cell(caption)}}}", rf"\begin{{tabular}}{{{columns}}}"]
    return (
        "\n".join([*begin, r"\toprule", head, r"\midrule", *rows, r"\bottomrule", r"\end{tabular}", r"\end{table}"])
        + "\n"
    )


def number(metric: str, value: float) -> str:
    """Write a score as papers do: accuracies in percent; a dash where there is none, as a constant's correlation."""
    if math.isnan(value):
        return "–"
    return f"{value:.3f}" if metric in UNSCALED else f"{100 * value:.1f}"
