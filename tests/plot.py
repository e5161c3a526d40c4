"""Curves over the minutes of a run, as an SVG written by hand."""

from collections.abc import Sequence
from typing import NamedTuple

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 960, 420, 70, 70, 70, 50
NAME_WIDTH = 200


class Curve(NamedTuple):
    """Its *points* are seconds and values, in the order of time."""

    name: str
    colour: str
    points: Sequence[tuple[float, float]]


def svg(title: str, left: Sequence[Curve], right: Sequence[Curve] = ()) -> str:
    """The curves on the *left* scale, and those on the *right* one, all from zero."""
    curves = [*left, *right]
    end = max([1.0, *(second for curve in curves for second, _ in curve.points)])
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
            'font-size="13">'
        ),
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        _text(WIDTH / 2, 22, title, "middle", "black"),
        _text(WIDTH / 2, HEIGHT - 12, "minutes", "middle", "black"),
    ]
    for step in range(5):
        x = LEFT + (WIDTH - LEFT - RIGHT) * step / 4
        parts.append(_text(x, HEIGHT - BOTTOM + 18, f"{end / 60 * step / 4:.1f}", "middle", "black"))
    for scale, x, anchor in ((left, LEFT - 8, "end"), (right, WIDTH - RIGHT + 8, "start")):
        if not scale:
            continue
        top = max([1.0, *(value for curve in scale for _, value in curve.points)]) * 1.1
        for step in range(5):
            y = HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * step / 4
            colour = scale[0].colour if len(scale) == 1 else "black"
            parts.append(_text(x, y + 4, f"{top * step / 4:,.0f}", anchor, colour))
            parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        parts += [_line(curve, end, top) for curve in scale]
    for place, curve in enumerate(curves):
        parts.append(_text(LEFT + NAME_WIDTH * place, 48, curve.name, "start", curve.colour))
    return "\n".join([*parts, "</svg>\n"])


def _line(curve: Curve, end: float, top: float) -> str:
    points = " ".join(
        f"{LEFT + (WIDTH - LEFT - RIGHT) * second / end:.1f},"
        f"{HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / top:.1f}"
        for second, value in curve.points
    )
    return f'<polyline points="{points}" fill="none" stroke="{curve.colour}" stroke-width="1.5"/>'


def _text(x: float, y: float, text: str, anchor: str, colour: str) -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" fill="{colour}">{text}</text>'
