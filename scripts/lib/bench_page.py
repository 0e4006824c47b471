"""The benchmark's results as a table, and as the measured part of docs/benchmarks.md."""

import json
import os
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import machine
import plots
from units import show


@dataclass
class Outcome:
    """A row's figures: the middle of the runs, and the row's own figure of each run. `measured`: when,
    where and how, in words."""
    row: object
    figures: dict
    runs: list
    commands: list
    failures: list
    client_bound: bool
    measured: str = ""

    def plain(self):
        return {**vars(self), "row": self.row.key}


def value(row, number):
    """The row's figure in words."""
    if number is None:
        return ""
    if row.unit == "bytes":
        return show(number, "bytes")
    if row.unit == "/s of one core":
        return f"{show(number, 'per second')} of one core"
    if row.unit.startswith("x"):
        return f"{number:.2f} {row.unit}"
    return f"{number:.3g} {row.unit}"


def words(row, figures):
    return value(row, figures[row.key])


def _reached(row, number):
    def holds(limit):
        return number <= limit if row.lower else number >= limit
    if row.then is not None and holds(row.then):
        return "then"
    if row.first is not None:
        return "first" if holds(row.first) else "**missed**"
    return "" if row.then is None else "not yet"


def _floor(row, figures):
    shown = f"{figures['floor']:.3g} us" if "cpu" in figures else value(row, figures["floor"])
    return f"{row.beside} {shown}" if row.beside else shown


def _cells(outcome):
    row, figures = outcome.row, outcome.figures
    number = figures[row.key]
    spread = f"{value(row, min(outcome.runs))} to {value(row, max(outcome.runs))}"
    latency = ""
    if "p99" in figures:
        latency = f"{figures['p50']:.3g} / {figures['p99']:.3g} / {figures['max']:.3g}"
    reached = _reached(row, number)
    if outcome.failures:
        reached = f"**void**: {outcome.failures[0]}"
    elif outcome.client_bound:
        reached += " (client-bound)"
    return [
        f"**{row.title}**: {row.definition}",
        value(row, number) + (f" ({spread})" if len(outcome.runs) > 1 else ""),
        f"{figures['cpu']:.3g} us" if "cpu" in figures else "",
        f"{_floor(row, figures)}, {figures['ratio']:.2f} x" if "floor" in figures else "",
        show(figures["rate"], "per second") if "rate" in figures else "",
        latency,
        f"{value(row, row.first)} / {value(row, row.then)}".strip(" /") or "none set",
        reached,
    ]


def table(outcomes):
    head = ["row", "measured (least to most)", "server CPU each", "floor, ratio", "rate",
            "p50 / p99 / max, ms", "first / then", "reached"]
    lines = [head, ["---"] * len(head), *map(_cells, outcomes)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def comparison(rows, first, second):
    def described(build):
        return f"{build.folder}" + (f" with {' '.join(build.flags)}" if build.flags else "")
    lines = [f"A: {described(first)}", f"B: {described(second)}", "",
             "| row | A | B | B / A |", "|---|---|---|---|"]
    for row, values in rows:
        a, b = (statistics.median(values[build.name]) for build in (first, second))
        lines.append(f"| {row.key} | {value(row, a)} | {value(row, b)} | {b / a:.3f} |")
    return "\n".join(lines)


def measured_by(command, root):
    """When, where and how, in words."""
    facts = machine.facts()
    return (f"Measured on {time.strftime('%Y-%m-%d')} by `{command}` at "
            f"commit\n{machine.commit(root)}, on {facts['cpu']}, {facts['cores']} cores, "
            f"{show(facts['memory_bytes'], 'bytes')}, {facts['system']},\nLinux {facts['kernel']}.")


def _machine(root, arguments):
    return (f"{measured_by(f'scripts/bench {arguments}'.strip(), root)} "
            "The server had core 0, the generator core 1.")


def _commands(commands):
    return "\n".join(f"    {command}" for command in commands)


def _pictures(drawn, folder, page):
    where = os.path.relpath(folder, Path(page).parent)
    return "\n\n".join(f"![{title}]({where}/{name})" for name, title in drawn)


def _draw(outcomes, folder):
    """How far each row is from what it has to reach: 1 is there."""
    folder.mkdir(parents=True, exist_ok=True)
    bars = []
    for outcome in outcomes:
        row = outcome.row
        for name, limit in (("first", row.first), ("then", row.then)):
            if limit is not None:
                number = outcome.figures[row.key]
                bars.append((f"{row.key}: {name}", _share(row, number, limit)))
    plots.bars(folder / "rows.svg", "How far each row is (1: reached, more: better)",
               [plots.BarGroup("share of what was to be reached", "", bars)])
    return [("rows.svg", "How far each row is")]


def _share(row, number, limit):
    # Nothing at all is what some rows have to reach.
    if number == limit:
        return 1
    return limit / number if row.lower else number / limit


def write(page, outcomes, rows, folder, root, arguments):
    """Replaces the page's table. What was measured before of other `rows` stays in it."""
    for outcome in outcomes:
        outcome.measured = _machine(root, arguments)
    outcomes = _with_others(outcomes, rows, folder)
    (folder / "rows.json").write_text(
        json.dumps([one.plain() for one in outcomes], indent=1) + "\n", encoding="utf-8")
    commands = "\n\n".join(f"    # {one.row.key}\n" + _commands(one.commands) for one in outcomes)
    drawn = _pictures(_draw(outcomes, folder), folder, page)
    replace(page, "rows", f"{_measured(outcomes)}\n\n{table(outcomes)}\n\n{drawn}\n\n"
             f"The commands, as the suite ran them (ports left out):\n\n{commands}")


def _with_others(outcomes, rows, folder):
    folder.mkdir(parents=True, exist_ok=True)
    found = {one.row.key: one for one in outcomes}
    if (folder / "rows.json").exists():
        before = json.loads((folder / "rows.json").read_text(encoding="utf-8"))
        kept = {one["row"]: one for one in before if one["row"] not in found}
        for row in rows:
            if row.key in kept:
                found[row.key] = Outcome(**{**kept[row.key], "row": row})
    return [found[row.key] for row in rows if row.key in found]


def _measured(outcomes):
    """Where the rows were measured at different times: which of them when."""
    times = list(dict.fromkeys(one.measured for one in outcomes))
    if len(times) == 1:
        return times[0]
    return "\n\n".join(
        f"{', '.join(one.row.key for one in outcomes if one.measured == time)}: {time[0].lower()}"
        f"{time[1:]}" for time in sorted(times, reverse=True))


def write_part(page, part, body, drawn, folder, lab, root, arguments):
    """Replaces one measured part of a page."""
    replace(page, part, f"{_machine(root, arguments)}\n\n{body}\n\n"
             f"{_pictures(drawn, folder, page)}\n\nThe commands (ports left out):\n\n"
             f"{_commands(lab.commands)}")


def replace(page, part, text):
    """Replaces what stands in the page between the marks of a part."""
    page = Path(page)
    begin, end = f"<!-- measured: {part} -->", f"<!-- end: {part} -->"
    old = page.read_text(encoding="utf-8") if page.exists() else "# Benchmarks\n"
    if begin not in old:
        old += f"\n{begin}\n{end}\n"
    before, _, rest = old.partition(begin)
    _, _, after = rest.partition(end)
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")
