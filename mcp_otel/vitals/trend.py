"""Straight lines through few and noisy points: a robust slope with its bounds, and which terms explain a series."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, pairwise
from math import log, sqrt
from statistics import median
from typing import NamedTuple

Z95 = 1.96
MAX_MEMORY = 0.9
"""How far apart from its own past a series is believed to be at least: bounds become 4.4 times as wide at most."""
MAX_TERMS = 3


class Line(NamedTuple):
    """`slope` with the bounds between which it lies with a probability of 95 %, and the line's value at x = 0."""

    slope: float
    low: float
    high: float
    start: float

    def at(self, x: float) -> float:
        """The line's value at `x`."""
        return self.start + self.slope * x


class Fit(NamedTuple):
    """A sum of terms: a weight of each, 0 where it has no part in it, and how well it fits (less is better)."""

    weights: tuple[float, ...]
    score: float


def line(xs: Sequence[float], ys: Sequence[float]) -> Line | None:
    """The line of Theil and Sen: the median slope of all pairs, so that three in ten points may be wrong.

    Its bounds follow Kendall's statistic. They are wider where a point depends on the one before it, as memory's do.
    None when all `xs` are equal. The work grows with the square of the points: a millisecond for sixty.
    """
    slopes = sorted(
        (y2 - y1) / (x2 - x1)
        for (x1, y1), (x2, y2) in combinations(zip(xs, ys, strict=True), 2)
        if x1 != x2  # equal points say nothing about a slope
    )
    if not slopes:
        return None
    slope = median(slopes)
    start = median([y - slope * x for x, y in zip(xs, ys, strict=True)])
    count = len(xs)
    memory = dependence([y - slope * x - start for x, y in zip(xs, ys, strict=True)])
    spread = Z95 * sqrt(count * (count - 1) * (2 * count + 5) / 18 * (1 + memory) / (1 - memory))
    rank = min(max(0, int((len(slopes) - spread) / 2) - 1), (len(slopes) - 1) // 2)
    return Line(slope, slopes[rank], slopes[-1 - rank], start)


def dependence(rests: Sequence[float]) -> float:
    """How much of each rest is that of the one before: 0 for noise, towards 1 for what wanders."""
    square = sum(rest * rest for rest in rests)
    if square <= 0:
        return 0.0
    return min(MAX_MEMORY, max(0.0, sum(a * b for a, b in pairwise(rests)) / square))


def fits(terms: Sequence[Sequence[float]], ys: Sequence[float], noise: float) -> list[Fit]:
    """Every sum of up to three of `terms` and a constant that needs no negative weight, the best first.

    The score is Schwarz's criterion, and `noise` what nobody should try to explain, in the unit of `ys`.
    """
    count = len(ys)
    rows = [_centred(term) for term in terms]
    target, height = _centred(ys)
    products = [[_dot(a, b) for b, _ in rows] for a, _ in rows]
    shares = [_dot(row, target) for row, _ in rows]
    whole = _dot(target, target)
    found = []
    for size in range(min(MAX_TERMS, count - 2) + 1):
        for chosen in combinations([at for at, (_, width) in enumerate(rows) if width > 0], size):
            solved = _solve([[products[a][b] for b in chosen] for a in chosen], [shares[at] for at in chosen])
            if solved is None or any(weight <= 0 for weight in solved):
                continue
            rest = max(0.0, whole - sum(weight * shares[at] for at, weight in zip(chosen, solved, strict=True)))
            weights = [0.0] * len(rows)
            for at, weight in zip(chosen, solved, strict=True):
                weights[at] = weight * height / rows[at][1]
            score = count * log(rest * height * height / count + noise * noise) + size * log(count)
            found.append(Fit(tuple(weights), score))
    return sorted(found, key=lambda fit: fit.score)


def rests(fit: Fit, terms: Sequence[Sequence[float]], ys: Sequence[float]) -> list[float]:
    """What `fit` leaves of `ys`, around 0."""
    left = [y - _dot(fit.weights, row) for y, row in zip(ys, zip(*terms, strict=True), strict=True)]
    mean = sum(left) / len(left)
    return [rest - mean for rest in left]


def evidence(fit: Fit, rival: Fit, terms: Sequence[Sequence[float]], ys: Sequence[float]) -> float:
    """How much better `fit` is than `rival`: 10 is beyond doubt. Points that follow the one before them count less."""
    memory = dependence(rests(fit, terms, ys))
    return (rival.score - fit.score) * (1 - memory) / (1 + memory)


def _centred(values: Sequence[float]) -> tuple[list[float], float]:
    """`values` around 0 and of width 1, and the width they had; 0 when all are equal."""
    mean = sum(values) / len(values)
    width = max(values) - min(values)
    return [(value - mean) / (width or 1.0) for value in values], width


def _dot(a: Sequence[float], b: Sequence[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


def _solve(matrix: list[list[float]], right: list[float]) -> list[float] | None:
    """The solution of a small system; None where terms cannot be told apart."""
    size = len(right)
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    for at in range(size):
        pivot = max(range(at, size), key=lambda row: abs(rows[row][at]))
        rows[at], rows[pivot] = rows[pivot], rows[at]
        if abs(rows[at][at]) < 1e-9:
            return None
        for below in range(at + 1, size):
            factor = rows[below][at] / rows[at][at]
            for column in range(at, size + 1):
                rows[below][column] -= factor * rows[at][column]
    solved = [0.0] * size
    for at in reversed(range(size)):
        rest = sum(rows[at][column] * solved[column] for column in range(at + 1, size))
        solved[at] = (rows[at][size] - rest) / rows[at][at]
    return solved
