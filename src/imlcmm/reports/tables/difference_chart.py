"""The critical-difference picture (Demšar 2006): models on an axis of mean rank, joined where no test parts them."""

from pathlib import Path
from textwrap import wrap

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from imlcmm.evaluation.ranks import Ranking
from imlcmm.files import write_figure

_BAR, _NAME = 0.35, 0.7


def draw_ranking(ranking: Ranking, title: str, path: Path) -> None:
    """Draw the mean ranks, the best on the left; a bar joins models of which no two can be told apart.

    Dots on a bar mark who belongs to it: a model that it only passes does not.

    Args:
        ranking: The ranks and who is alike.
        title: Title of the picture.
        path: PNG to write.
    """
    count, groups = len(ranking.names), ranking.groups
    depth = _BAR * (len(groups) + 1)
    below = depth + _NAME * ((count + 1) // 2)
    figure = Figure(figsize=(8, 1.2 + 0.42 * below), layout="constrained")
    axes = figure.subplots()
    for level, group in enumerate(groups, start=1):
        reached = [ranking.ranks[place] for place in group]
        heights = [level * _BAR] * len(group)
        axes.plot(reached, heights, color="black", linewidth=2.5, marker="o", markersize=4, clip_on=False)
    for place in range(count):
        _name(axes, ranking, place, depth)
    axes.set_xlim(1, max(2, count))
    axes.set_ylim(below, 0)
    axes.xaxis.tick_top()
    axes.set_xticks(range(1, max(2, count) + 1))
    axes.set_yticks([])
    axes.spines[["left", "right", "bottom"]].set_visible(False)
    axes.set_xlabel("mean rank (1 is the best)", fontsize=8)
    axes.xaxis.set_label_position("top")
    figure.suptitle("\n".join(wrap(title, 100)), fontsize=9)
    write_figure(path, figure)


def _name(axes: Axes, ranking: Ranking, place: int, depth: float) -> None:
    """Lead a line from a model's rank out to its name: the better half on the left, the others on the right."""
    count, rank = len(ranking.names), ranking.ranks[place]
    left = place < (count + 1) // 2
    height = depth + _NAME * (place if left else count - 1 - place) + _NAME / 2
    edge = 1.0 if left else float(max(2, count))
    axes.plot([rank, rank, edge], [0, height, height], color="grey", linewidth=0.8, clip_on=False, zorder=0)
    text = f"{ranking.names[place]} {rank:.1f} "
    if not left:
        text = f" {rank:.1f} {ranking.names[place]}"
    axes.text(edge, height, text, ha="right" if left else "left", va="center", fontsize=9)
