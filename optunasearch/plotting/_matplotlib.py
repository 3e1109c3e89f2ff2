"""Axes, colours and styles; the only module here that imports matplotlib."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optunasearch._optional import import_optional

# Okabe and Ito's, which are told apart by colour-blind readers and in print.
BLUE, VERMILION, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "0.45"
_COUNTS = "counts"
_WIDE = 4.5  # inches


def axes(display: Any, ax: Any) -> Any:
    """Return the axes to draw on, new ones for None."""
    pyplot = import_optional(
        "matplotlib.pyplot",
        feature=f"{type(display).__name__}.plot",
        install="'optunasearch[plot]'",
    )
    if ax is None:
        _, ax = pyplot.subplots(layout="constrained")
    return ax


def line_style(defaults: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the style of a line, short names such as `c` and `lw` written out."""
    cbook, lines = (
        import_optional(f"matplotlib.{name}", feature="A plot", install="'optunasearch[plot]'")
        for name in ("cbook", "lines")
    )
    return {**defaults, **cbook.normalize_kwargs(dict(given), lines.Line2D)}


def counts_axes(ax: Any, share: float) -> Any:
    """Return axes below some axes, with the same horizontal one; the first time, make room."""
    for sibling in ax.get_shared_x_axes().get_siblings(ax):
        if sibling.get_gid() == _COUNTS:
            return sibling
    spec = ax.get_subplotspec()
    if spec is not None:
        upper, lower = spec.subgridspec(2, 1, height_ratios=[1 - share, share], hspace=0.08)
        ax.set_subplotspec(upper)
        below = ax.figure.add_subplot(lower, sharex=ax)
    else:  # axes put at a place by hand
        left, bottom, width, height = ax.get_position().bounds
        ax.set_position([left, bottom + share * height, width, (1 - share) * height])
        below = ax.figure.add_axes([left, bottom, width, (share - 0.03) * height], sharex=ax)
    below.set_gid(_COUNTS)
    ax.tick_params(labelbottom=False)
    return below


def legend_above(ax: Any, n_columns: int) -> None:
    """Write the legend where no data can be; in one column where there is no room for more."""
    width = ax.get_window_extent().width / ax.figure.dpi  # inches
    ax.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=n_columns if width > _WIDE else 1,
        frameon=False,
        borderaxespad=0.2,
        fontsize="small",
        columnspacing=1.2,
        handletextpad=0.5,
    )


def of_positive_class(pos_label: Any) -> str:
    """Return how an axis names the positive class; nothing where there is none."""
    return "" if pos_label is None else f" (positive class: {pos_label})"
