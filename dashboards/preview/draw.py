"""Draws dashboards against a Prometheus in headless Chromium: `python -m dashboards.preview.draw --prometheus URL`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from dashboards.preview import programs
from dashboards.preview.cache import CommandError, prepare
from dashboards.preview.serve import serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page, Request

DASHBOARDS = Path("dashboards/rendered")
PICTURES = Path("docs/pictures")
WIDTH = 1600
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-component-update", "--disable-sync"]
DRAWN = "() => document.documentElement.dataset.drawn === 'true'"


class DrawError(Exception):
    """What went wrong, one line each; pictures are taken even so, to look at."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(problems))


@dataclass(frozen=True)
class Panel:
    """One panel as it was drawn; what comes last, from `text` on, is read from the page."""

    id: int
    title: str
    type: str
    frames: int
    series: int
    points: int
    no_data: bool
    drawn: bool
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    legend: list[list[str]] = field(default_factory=list)
    cells: list[list[str]] = field(default_factory=list)
    links: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Board:
    """One dashboard as it was drawn, and where its picture is."""

    picture: Path
    title: str
    variables: dict[str, list[str]]
    panels: list[Panel]

    def panel(self, title: str) -> Panel:
        """The panel of that title."""
        return next(panel for panel in self.panels if panel.title == title)


def draw(
    prometheus: str,
    dashboards: Path | Sequence[Path] = DASHBOARDS,
    out: Path = PICTURES,
    *,
    range_: str | None = None,
    end: float | None = None,
    variables: Mapping[str, str | Sequence[str]] | None = None,
    theme: str = "dark",
    scrape_interval: str = "5s",
    expand_rows: bool = False,
    width: int = WIDTH,
    scale: float = 1,
    patience: float = 60,
) -> list[Board]:
    """Every dashboard's picture in `out`, and what its panels show; `DrawError` if one is not as it should be.

    `range_` is such as `15m`, up to `end` (seconds since 1970) or now; without it each dashboard's own range holds.
    Rows that are folded stay so, and their panels unasked, unless `expand_rows`.
    """
    boards = {path.name: path for path in _files(dashboards)}
    chosen = _chosen(boards, variables or {})
    asked: dict[str, Any] = {"theme": theme, "scrape": scrape_interval, "range": range_, "expand": expand_rows or None}
    asked |= {"end": None if end is None else round(end * 1000)}
    asked = {name: value for name, value in asked.items() if value is not None}
    out.mkdir(parents=True, exist_ok=True)

    drawn, problems = [], []
    with serving(prepare(), prometheus, boards) as address, _browser() as browser:
        for name in boards:
            page = browser.new_page(
                viewport={"width": width, "height": 900}, device_scale_factor=scale, locale="en-US", timezone_id="UTC"
            )
            heard = _listen(page, address)
            page.goto(f"{address}/?{urlencode({'board': name, **asked, **chosen[name]}, doseq=True)}")
            late = _wait(page, patience)
            report = page.evaluate("() => window.report") or {"title": "", "variables": {}, "panels": [], "errors": []}
            picture = out / f"{Path(name).stem}.png"
            _photograph(page, width, picture)
            page.close()
            board = Board(picture, report["title"], report["variables"], [Panel(**each) for each in report["panels"]])
            drawn.append(board)
            problems += [f"{name}: {each}" for each in [*late, *report["errors"], *_wrong(board), *heard]]
    if problems:
        raise DrawError(problems)
    return drawn


def _files(dashboards: Path | Sequence[Path]) -> list[Path]:
    if not isinstance(dashboards, Path):
        return list(dashboards)
    found = sorted(dashboards.glob("*.json")) if dashboards.is_dir() else [dashboards]
    if not found or not all(path.is_file() for path in found):
        raise DrawError([f"no dashboards in {dashboards}"])
    return found


def _chosen(boards: Mapping[str, Path], variables: Mapping[str, str | Sequence[str]]) -> dict[str, dict[str, Any]]:
    """Of the variables those that each board has; one that none has is a mistake."""
    models = {
        name: json.loads(path.read_bytes()).get("templating", {}).get("list", []) for name, path in boards.items()
    }
    known = {name: {model["name"] for model in of} for name, of in models.items()}
    unknown = sorted(set(variables) - set().union(*known.values()))
    if unknown:
        raise DrawError([f"no dashboard has a variable {name}" for name in unknown])
    return {name: {f"var-{each}": variables[each] for each in variables if each in known[name]} for name in boards}


@contextmanager
def _browser() -> Iterator[Browser]:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as missing:
        raise programs.MissingToolError("playwright for Python is not installed: pip install playwright") from missing
    executable = programs.chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def _listen(page: Page, address: str) -> list[str]:
    """Fills up with what the page complains of; what it asks of others than our server is refused and told."""
    heard: list[str] = []

    def outside(url: str) -> bool:
        return not url.startswith((address, "data:", "blob:"))

    def console(said: ConsoleMessage) -> None:
        if said.type == "error":
            heard.append(f"console: {said.text.partition(chr(10))[0]}")

    def request(made: Request) -> None:
        if outside(made.url):
            heard.append(f"asked for {made.url}")

    page.on("console", console)
    page.on("pageerror", lambda error: heard.append(f"console: {error}"))
    page.on("request", request)
    page.route(outside, lambda route: route.abort())
    return heard


def _wait(page: Page, patience: float) -> list[str]:
    from playwright.sync_api import TimeoutError as TooLate

    try:
        page.wait_for_function(DRAWN, timeout=patience * 1000)
    except TooLate:
        undrawn = "() => window.report?.panels.filter((panel) => !panel.drawn).map((panel) => panel.title)"
        return [f"not drawn after {patience:g} s: {', '.join(page.evaluate(undrawn) or ['anything'])}"]
    return []


def _photograph(page: Page, width: int, picture: Path) -> None:
    height = page.evaluate("() => document.getElementById('page').scrollHeight")
    page.screenshot(path=picture, full_page=True, clip={"x": 0, "y": 0, "width": width, "height": max(height, 1)})


def _wrong(board: Board) -> list[str]:
    return [f"{panel.title or f'panel {panel.id}'}: {error}" for panel in board.panels for error in panel.errors]


def _variable(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign:
        raise argparse.ArgumentTypeError(f"{text} is not name=value")
    return name, value


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: 0, or 1 with what went wrong on the standard error."""
    parser = argparse.ArgumentParser(prog="python -m dashboards.preview.draw", description=__doc__)
    parser.add_argument("--prometheus", required=True, metavar="URL")
    parser.add_argument("--dashboards", type=Path, default=DASHBOARDS, help="a folder, or one file")
    parser.add_argument("--out", type=Path, default=PICTURES)
    parser.add_argument("--range", help="such as 15m, up to now; without it each dashboard's own")
    parser.add_argument("--end", type=float, metavar="SECONDS", help="the end of the range, since 1970")
    parser.add_argument("--var", type=_variable, action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--theme", choices=["dark", "light"], default="dark")
    parser.add_argument("--scrape-interval", default="5s", help="as the data source would have it")
    parser.add_argument("--expand-rows", action="store_true", help="draw what is in folded rows")
    parser.add_argument("--scale", type=float, default=1, help="pixels of the picture for one of the page")
    asked = parser.parse_args(arguments)
    variables: dict[str, list[str]] = {}
    for name, value in asked.var:
        variables.setdefault(name, []).append(value)
    try:
        boards = draw(
            asked.prometheus,
            asked.dashboards,
            asked.out,
            range_=asked.range,
            end=asked.end,
            variables=variables,
            theme=asked.theme,
            scrape_interval=asked.scrape_interval,
            expand_rows=asked.expand_rows,
            scale=asked.scale,
        )
    except (DrawError, CommandError, programs.MissingToolError) as error:
        print(error, file=sys.stderr)
        return 1
    for board in boards:
        empty = [panel.title for panel in board.panels if panel.no_data and panel.type != "text"]
        print(board.picture, f"{len(board.panels)} panels", f"no data: {', '.join(empty)}" if empty else "", sep="  ")
    return 0


if __name__ == "__main__":
    sys.exit(main())
