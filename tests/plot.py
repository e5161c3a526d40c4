"""Curves over the minutes of a run, as an SVG."""

from collections.abc import Sequence
from io import StringIO
from typing import NamedTuple

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, StrMethodFormatter


class Curve(NamedTuple):
    """Its *points* are seconds and values, in the order of time."""

    name: str
    colour: str
    points: Sequence[tuple[float, float]]


def svg(title: str, left: Sequence[Curve], right: Sequence[Curve] = ()) -> str:
    """The curves on the *left* scale, and those on the *right* one, all from zero."""
    figure = Figure(figsize=(9.6, 4.4), layout="constrained")
    axes = figure.add_subplot(title=title, xlabel="minutes")
    axes.grid(axis="y", color="#ddd")
    _draw(axes, left)
    if right:
        _draw(axes.twinx(), right)
    figure.legend(loc="outside lower center", ncols=len(left) + len(right), frameon=False)
    written = StringIO()
    # Text stays text, and the same curves make the same file.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "plot"}):
        figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None})
    return written.getvalue()


def _draw(axes: Axes, curves: Sequence[Curve]) -> None:
    for name, colour, points in curves:
        minutes, values = [second / 60 for second, _ in points], [value for _, value in points]
        axes.plot(minutes, values, color=colour, label=name, linewidth=1.5)
    axes.margins(x=0, y=0.1)
    axes.set(xlim=(0, None), ylim=(0, None))
    axes.yaxis.set_major_locator(MaxNLocator(steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.9g}"))
    if len(curves) == 1:
        axes.tick_params(axis="y", labelcolor=curves[0].colour)
