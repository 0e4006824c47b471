"""Plots in one style, as small SVG files that come out the same for the same data.

They carry their own background and follow the reader's light or dark theme, also where a page shows
them as images (as GitHub does). Text stays text. matplotlib is Debian's (3.6).
"""

import io
import math
import re
from dataclasses import dataclass, field
from pathlib import Path

import matplotlib

matplotlib.use("svg")

# pylint: disable=wrong-import-position
import matplotlib.pyplot as plt
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Outline
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, MultipleLocator

from units import clock, show

# Light, and what the dark theme shows in its place.
_INK, _MUTED, _GRID, _PAPER = "#1f2329", "#59636f", "#d8dee5", "#fffffe"
_DARK = {_INK: "#e6edf3", _MUTED: "#9aa4af", _GRID: "#30363e", _PAPER: "#0d1117"}
# For series, and for bands behind them; legible on both.
COLOURS = ["#2f7fd6", "#e0701a", "#2a9d6a", "#c9497c", "#8a63d2", "#9a8420", "#1b9aaa", "#8b5e3c"]
_BAND_COLOURS = ["#8a63d2", "#2a9d6a", "#e0701a", "#1b9aaa"]
_FONT = "system-ui, 'Segoe UI', Helvetica, Arial, 'DejaVu Sans', sans-serif"
_WIDTH = 9  # inches, of 72 points
_STRIP = 0.15  # inches, for a band's name

plt.rcParams.update({
    "svg.fonttype": "none",
    "svg.hashsalt": "crier",
    "path.simplify": True,
    "path.simplify_threshold": 0.5,
    "font.size": 9,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _GRID,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": _GRID,
    "grid.linewidth": 0.7,
    "xtick.color": _GRID,
    "ytick.color": _GRID,
    "xtick.labelcolor": _MUTED,
    "ytick.labelcolor": _MUTED,
    "figure.facecolor": _PAPER,
    "axes.facecolor": "none",
    "legend.frameon": False,
})


@dataclass
class Series:
    """A line: `points` are (x, y); a y that is None or not finite interrupts it."""
    name: str
    points: list
    dashed: bool = False
    colour: int = None  # an index into COLOURS; default: its place among the lines


@dataclass
class Band:
    """A part of the time axis with a name: a scenario, a phase."""
    name: str
    start: float
    end: float


@dataclass
class Heatmap:
    """How many fell where: `columns` are (x, [count of each row]), each as wide as `width`."""
    name: str
    rows: list  # their names, lowest first
    columns: list
    width: float


@dataclass
class BarGroup:
    """Bars with a scale of their own: `bars` are (name, value); a value may be None."""
    title: str
    unit: str
    bars: list = field(default_factory=list)


def lines(path, title, series, *, unit="", bands=(), note="", log=False, x_range=None):
    """Lines over time (seconds, shown as 5:30), or where `x_range` is None and there are no bands
    over whatever x is. Where there is nothing to draw, `note` says why."""
    figure, axes = _frame(title, bands, x_range, heights=[2.6], note=note)
    axes = axes[0]
    for i, one in enumerate(series):
        xs = [x for x, _ in one.points]
        ys = [math.nan if y is None or not math.isfinite(y) else y for _, y in one.points]
        colour = COLOURS[(i if one.colour is None else one.colour) % len(COLOURS)]
        axes.plot(xs, ys, label=one.name, linewidth=1.4, linestyle="--" if one.dashed else "-",
                  color=colour, solid_joinstyle="round")
        # A line of one point would not be seen.
        alone = [k for k, y in enumerate(ys) if not math.isnan(y)
                 and (k == 0 or math.isnan(ys[k - 1])) and (k + 1 == len(ys) or math.isnan(ys[k + 1]))]
        axes.plot([xs[k] for k in alone], [ys[k] for k in alone], ".", color=colour, markersize=3)
    values = [y for one in series for _, y in one.points if y is not None and math.isfinite(y)]
    _scale(axes, values, unit, log)
    if len(series) > 1:
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncol=min(4, len(series)),
                    fontsize=8.5, handlelength=1.6)
    if not values:
        _say_nothing(axes, note or "nothing was measured")
    _save(figure, path)


def _scale(axes, values, unit, log):
    if log and any(y > 0 for y in values):
        axes.set_yscale("log")
        if max(values) < 300 * min(y for y in values if y > 0):
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_minor_formatter("")
    else:
        top = 1.08 * max(values, default=0) or 1
        # Bytes are shown in powers of 1024: round numbers of them are.
        size = 1024 ** max(0, math.floor(math.log(top, 1024))) if unit == "bytes" else 1
        whole = unit == "" and all(float(y).is_integer() for y in values)
        ticks = MaxNLocator(5, integer=whole).tick_values(0, top / size) * size
        axes.set_yticks([tick for tick in ticks if tick <= top])
        axes.set_ylim(-0.02 * top, top)  # a line along the bottom is seen too
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: show(y, unit)))


def heatmaps(path, title, maps, *, bands=(), note="", x_range=None):
    """Heatmaps one above the other on one time axis: the darker, the larger the share of a column."""
    figure, all_axes = _frame(title, bands, x_range, heights=[2.6] * max(1, len(maps)), note=note)
    for axes, one in zip(all_axes, maps):
        axes.grid(False)
        _draw_heatmap(axes, one)
        if len(maps) > 1:
            axes.set_title(one.name, loc="left", fontsize=9, color=_INK)
    if not any(any(counts) for one in maps for _, counts in one.columns):
        _say_nothing(all_axes[0], note or "nothing was measured")
    _save(figure, path)


def bars(path, title, groups, *, note=""):
    """Groups of horizontal bars side by side, the same names in each, each with a scale of its own."""
    rows = max((len(group.bars) for group in groups), default=1)
    figure, all_axes = plt.subplots(1, max(1, len(groups)), sharey=True, squeeze=False,
                                    figsize=(_WIDTH, 0.95 + 0.26 * rows), layout="constrained")
    _title(figure, title, note)
    for axes, group in zip(all_axes[0], groups):
        axes.grid(False)
        axes.set_title(group.title, loc="left", fontsize=9, color=_INK)
        largest = max((value for _, value in group.bars if value), default=1)
        for i, (_, value) in enumerate(group.bars):
            axes.barh(i, value or 0, height=0.62, color=COLOURS[i % len(COLOURS)])
            axes.text((value or 0) + 0.02 * largest, i, show(value, group.unit), va="center",
                      fontsize=8.5, color=_INK)
        axes.set_xlim(0, 1.45 * largest)
        axes.set_yticks(range(len(group.bars)), [name for name, _ in group.bars])
        axes.tick_params(length=0, labelbottom=False)
        axes.spines["bottom"].set_visible(False)
        axes.set_ylim(rows - 0.4, -0.6)
    _save(figure, path)


def _frame(title, bands, x_range, heights, note):
    """A figure with a strip that names the bands, and axes under it for each of `heights`."""
    strip = [max(1, len(bands)) * _STRIP] if bands else []
    figure, all_axes = plt.subplots(
        len(strip) + len(heights), 1, sharex=True, squeeze=False, layout="constrained",
        figsize=(_WIDTH, 0.8 + sum(strip) + sum(heights)),
        gridspec_kw={"height_ratios": strip + heights})
    all_axes = list(all_axes[:, 0])
    _title(figure, title, note)
    if bands:
        _draw_bands(all_axes.pop(0), all_axes, bands)
    if x_range:
        all_axes[0].set_xlim(*x_range)
    if bands or x_range:
        all_axes[-1].xaxis.set_major_formatter(FuncFormatter(lambda x, _: clock(x)))
        left, right = all_axes[0].get_xlim()
        steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600]
        step = next((each for each in steps if (right - left) / each <= 15), steps[-1])
        all_axes[-1].xaxis.set_major_locator(MultipleLocator(step))
    return figure, all_axes


def _draw_bands(strip, all_axes, bands):
    strip.axis("off")
    strip.set_ylim(len(bands), 0)
    for i, band in enumerate(bands):
        colour = _BAND_COLOURS[i % len(_BAND_COLOURS)]
        strip.barh(i + 0.5, band.end - band.start, left=band.start, height=0.86, color=colour,
                   alpha=0.28)
        strip.text(band.start, i + 0.5, f" {band.name}", va="center_baseline", fontsize=7.5,
                   color=_INK)
        for axes in all_axes:
            axes.axvspan(band.start, band.end, color=colour, alpha=0.07, linewidth=0)


# One path for each depth of colour: thousands of separate cells would make a large file.
_LEVELS = 8


def _draw_heatmap(axes, heatmap):
    cells = [[] for _ in range(_LEVELS)]
    for row in range(len(heatmap.rows)):
        run = None  # [level, start, end]: neighbours of one colour are one rectangle
        for x, counts in heatmap.columns:
            share = counts[row] / sum(counts) if counts[row] > 0 else 0
            level = min(_LEVELS, math.ceil(math.sqrt(share) * _LEVELS)) if share else 0
            if run and (level != run[0] or x - run[2] > 1e-6 * heatmap.width):
                cells[run[0] - 1].append((run[1], row, run[2]))
                run = None
            if level:
                run = [level, run[1] if run else x, x + heatmap.width]
        if run:
            cells[run[0] - 1].append((run[1], row, run[2]))
    for level, rectangles in enumerate(cells, 1):
        if rectangles:
            outline = Outline.make_compound_path(*(
                Outline([(x, row), (x, row + 1), (end, row + 1), (end, row), (x, row)], closed=True)
                for x, row, end in rectangles))
            axes.add_patch(PathPatch(outline, facecolor=COLOURS[0], linewidth=0,
                                     alpha=0.08 + 0.92 * level / _LEVELS))
    axes.set_ylim(0, len(heatmap.rows))
    axes.set_yticks([row + 0.5 for row in range(len(heatmap.rows))], heatmap.rows, fontsize=7.5)
    axes.tick_params(axis="y", length=0)


def _title(figure, title, note):
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold", color=_INK)
    if note:
        figure.text(0.99, 0.985, note, ha="right", va="top", fontsize=8, color=_MUTED)


def _say_nothing(axes, words):
    axes.text(0.5, 0.5, words, transform=axes.transAxes, ha="center", va="center", fontsize=11,
              color=_MUTED)
    axes.set_yticks([])


def _save(figure, path):
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    plt.close(figure)
    Path(path).write_text(_finish(text.getvalue()), encoding="utf-8")


def _finish(svg):
    """Makes it smaller, and adds the dark theme."""
    # A tenth of a point is less than anyone sees.
    svg = re.sub(r' d="([^"]*)"', lambda d: f' d="{_shorten(d[1])}"', svg)
    svg = re.sub(r"\bfont: ((?:[a-z]+ |[0-9]+ )*)([0-9.]+px) [^;\"]*", rf"font: \1\2 {_FONT}", svg)
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    dark = "".join(
        f'[style*="{what}: {light}"]{{{what}:{dark} !important}}'
        for light, dark in _DARK.items() for what in ("fill", "stroke"))
    style = f"<style>@media (prefers-color-scheme: dark){{{dark}}}</style>"
    return re.sub(r"(<svg [^>]*>)", lambda tag: tag[1] + style, svg, count=1)


def _shorten(outline):
    def number(found):
        return f"{float(found[0]):.1f}".rstrip("0").rstrip(".")
    return " ".join(re.sub(r"-?[0-9]+\.[0-9]+", number, outline).split())
