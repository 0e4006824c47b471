"""What scripts/bench does once there is a build: measures, prints, and writes the pages."""

import sys
import time

import bench_growth
import bench_page
import bench_transports
from bench_lab import Build, Lab
from bench_rows import ROWS, merge
from crierd_process import ROOT


def note(words):
    print(words, file=sys.stderr, flush=True)


def run_row(row, build, scale):
    lab = Lab(build, ROOT, scale)
    begin = time.monotonic()
    figures = row.measure(lab)
    words = bench_page.words(row, figures)
    note(f"  {row.key}: {words}  ({build.name}, {time.monotonic() - begin:.0f} s)"
         + (f"  FAILED: {'; '.join(lab.failures)}" if lab.failures else "")
         + ("  (client-bound)" if lab.client_bound else ""))
    return figures, lab


def measure(rows, build, options):
    """[Outcome] of the rows, each the middle of its runs."""
    outcomes = []
    for i, row in enumerate(rows):
        note(f"{i + 1} of {len(rows)}: {row.key}: {row.definition}")
        runs = [run_row(row, build, options.scale)
                for _ in range(1 if row.key == "soak" else options.runs)]
        outcomes.append(bench_page.Outcome(
            row, merge([figures for figures, _ in runs]), [figures[row.key] for figures, _ in runs],
            runs[0][1].commands, [failure for _, lab in runs for failure in lab.failures],
            any(lab.client_bound for _, lab in runs)))
    return outcomes


def compare(rows, first, second, options):
    """Both builds in turn; prints the ratio of each row's figure."""
    failed = False
    table = []
    for row in rows:
        note(f"{row.key}: {row.definition}")
        values = {first.name: [], second.name: []}
        for _ in range(options.runs):
            for build in (first, second, second, first):
                figures, lab = run_row(row, build, options.scale)
                failed |= bool(lab.failures)
                values[build.name].append(figures[row.key])
        table.append((row, values))
    print(bench_page.comparison(table, first, second))
    return failed


def side_by_side(build, options):
    figures, parts, lab = bench_transports.measure(build, ROOT, options.scale, note)
    page = options.out or ROOT / "docs/transports.md"
    drawn = bench_transports.draw(plots_of(page), figures, parts)
    body = bench_transports.table(figures)
    if all(parts.values()):
        body += "\n\n" + bench_transports.parts_table(parts)
    return publish("transports", body, drawn, lab, page)


def growth(build, options):
    grown, lab = bench_growth.measure(build, ROOT, options.scale, note)
    page = options.out or ROOT / "docs/benchmarks.md"
    drawn = bench_growth.draw(plots_of(page), grown)
    return publish("growth", bench_growth.table(grown), drawn, lab, page)


def plots_of(page):
    return page.parent / "benchmarks"


def publish(part, body, drawn, lab, page):
    print(body)
    bench_page.write_part(page, part, body, drawn, plots_of(page), lab, ROOT, " ".join(sys.argv[1:]))
    note(f"written: {page}")
    for failure in lab.failures:
        note(f"FAILED: {failure}")
    return bool(lab.failures)


def run(rows, first, options):
    """Does what the options say, with the rows and the first build. True where something failed."""
    if options.compare or options.compare_flag:
        second = Build("B", options.compare or first.folder, options.compare_flag,
                       floors=first.folder)
        second.check()
        return compare(rows, first, second, options)
    if options.transports:
        return side_by_side(first, options)
    if options.growth:
        return growth(first, options)
    outcomes = measure(rows, first, options)
    print(bench_page.table(outcomes))
    out = options.out or (ROOT / "docs/benchmarks.md" if rows == ROWS and not options.quick else None)
    if out:
        bench_page.write(out, outcomes, ROWS, plots_of(out), ROOT, " ".join(sys.argv[1:]))
        note(f"written: {out}")
    return any(one.failures for one in outcomes)
