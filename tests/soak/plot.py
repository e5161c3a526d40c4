"""Two curves over the minutes of a run, as an SVG written by hand."""

from collections.abc import Sequence
from typing import NamedTuple

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 960, 420, 70, 70, 50, 50


class Curve(NamedTuple):
    """Its *values* are one for each time of the plot."""

    name: str
    colour: str
    values: Sequence[float]


def svg(title: str, seconds: Sequence[float], left: Curve, right: Curve) -> str:
    """*left* on the left scale, *right* on the right one, both from zero."""
    end = max(seconds[-1], 1.0)
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
    for curve, x, anchor in ((left, LEFT - 8, "end"), (right, WIDTH - RIGHT + 8, "start")):
        top = max(*curve.values, 1.0) * 1.1
        for step in range(5):
            y = HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * step / 4
            parts.append(_text(x, y + 4, f"{top * step / 4:,.0f}", anchor, curve.colour))
            parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        points = " ".join(
            f"{LEFT + (WIDTH - LEFT - RIGHT) * second / end:.1f},"
            f"{HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / top:.1f}"
            for second, value in zip(seconds, curve.values, strict=True)
        )
        parts.append(f'<polyline points="{points}" fill="none" stroke="{curve.colour}" stroke-width="1.5"/>')
        parts.append(_text(x, TOP - 10, curve.name, "middle", curve.colour))
    return "\n".join([*parts, "</svg>\n"])


def _text(x: float, y: float, text: str, anchor: str, colour: str) -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" fill="{colour}">{text}</text>'
