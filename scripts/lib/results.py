"""Writes results.md: a report's recordings as tables and plots.

All of it is computed from FOLDER/data: setup.json, and for each server NAME/SCRIPT.recording.json
(recording.py) and NAME/SCRIPT.json (the runner's summary).
"""

import datetime
import json
from pathlib import Path

import drawing
from study_run import SCENARIOS, interrupted
from units import clock, show

REFERENCE = json.loads(Path(__file__).with_name("study_figures.json").read_text(encoding="utf-8"))


class ResultsError(Exception):
    """Says why there are no results."""


class Result:
    """One script's run against one server: the recording, and the runner's summary where it wrote one."""

    def __init__(self, folder, script):
        self.recording = json.loads((folder / f"{script}.recording.json").read_text(encoding="utf-8"))
        summary = folder / f"{script}.json"
        self.summary = json.loads(summary.read_text(encoding="utf-8")) if summary.exists() else {}
        self.log = folder / f"{script}.log"
        self.server = self.recording["server"]
        self.figures = self.recording["figures"]

    def of_runner(self, metric, stat, unit=""):
        value = self.summary.get("metrics", {}).get(metric, {}).get("values", {}).get(stat)
        return None if value is None else show(value, unit)

    def checks(self):
        values = self.summary.get("metrics", {}).get("checks", {}).get("values")
        if not values:
            return None
        return f"{values['passes']:,} of {values['passes'] + values['fails']:,}"

    def interrupted(self):
        count = interrupted(self.log) if self.log.exists() else None
        return None if count is None else f"{count:,}"

    def figure(self, key, unit=""):
        value = self.figures.get(key)
        return None if value is None else show(value, unit)

    def broadcasts(self):
        handled, received = self.figure("broadcasts"), self.figure("broadcasts_received")
        return f"{handled} of {received} received" if handled and received else handled

    def events_per_write(self):
        delivered, writes = self.figures.get("delivered"), self.figures.get("writes")
        return show(delivered / writes) if delivered and writes else None

    def quantile(self, histogram, q):
        """The value with its bucket. Only the bucket is certain."""
        value = self.figures.get(f"{histogram}_p{q}")
        buckets = self.recording["buckets"].get(histogram)
        if value is None or not buckets:
            return None
        rank = q / 100 * buckets[-1][1]
        place = next(i for i, (_, count) in enumerate(buckets) if count >= rank)
        lower = buckets[place - 1][0] if place else 0
        upper = buckets[place][0]
        if upper is None:
            return f"over {show(lower, 's')}"
        return f"{show(value, 's')} ({show(lower, 's')} to {show(upper, 's')})"

    def scrapes(self):
        if "scrapes" not in self.recording:
            return "no metrics"
        return f"{self.recording['scrapes_failed']} of {self.recording['scrapes']}"


# (key, name, function that finds it). A row without any value is left out.
RUNNER_ROWS = [
    ("checks", "checks passed", Result.checks),
    ("connecting_avg", "`ws_connecting` mean", lambda r: r.of_runner("ws_connecting", "avg", "ms")),
    ("connecting_p95", "`ws_connecting` p95", lambda r: r.of_runner("ws_connecting", "p(95)", "ms")),
    ("connecting_max", "`ws_connecting` at most", lambda r: r.of_runner("ws_connecting", "max", "ms")),
    ("opening_p95", "`stream_opening` p95", lambda r: r.of_runner("stream_opening", "p(95)", "ms")),
    ("sessions", "WebSocket sessions", lambda r: r.of_runner("ws_sessions", "count")),
    ("streams", "gRPC streams", lambda r: r.of_runner("grpc_streams", "count")),
    ("iterations", "iterations", lambda r: r.of_runner("iterations", "count")),
    ("interrupted", "interrupted iterations", Result.interrupted),
    ("sent", "messages sent", lambda r: r.of_runner("messages_sent", "count")),
    ("refused", "messages refused", lambda r: r.of_runner("messages_refused", "count")),
    ("answered", "direct messages answered", lambda r: r.of_runner("direct_answered", "count")),
    ("direct_p95", "direct round trip p95", lambda r: r.of_runner("direct_round_trip", "p(95)", "ms")),
    ("delivery_p95", "broadcast delivery p95",
     lambda r: r.of_runner("broadcast_delivery", "p(95)", "ms")),
    ("expected", "deliveries owed", lambda r: r.of_runner("deliveries_expected", "count")),
    ("received", "deliveries received", lambda r: r.of_runner("deliveries_received", "count")),
    ("told", "deliveries named by a gap", lambda r: r.of_runner("deliveries_skipped", "count")),
    ("lost", "deliveries lost", lambda r: r.of_runner("deliveries_lost", "count")),
]
SERVER_ROWS = [
    ("memory_avg", "memory, mean", lambda r: r.figure("memory_avg", "bytes")),
    ("memory_max", "memory, at most", lambda r: r.figure("memory_max", "bytes")),
    ("cpu_avg", "CPU, mean (100 % is a core)", lambda r: r.figure("cpu_avg", "share")),
    ("cpu_max", "CPU, at most (over 5 s)", lambda r: r.figure("cpu_max", "share")),
    ("broadcasts", "broadcasts handled", Result.broadcasts),
    ("broadcast_mean", "broadcast latency, mean", lambda r: r.figure("broadcast_mean", "s")),
    ("broadcast_p95", "broadcast latency, p95", lambda r: r.quantile("broadcast", 95)),
    ("handled", "WebSocket messages handled", lambda r: r.figure("handled")),
    ("handling_mean", "handling latency, mean", lambda r: r.figure("handling_mean", "s")),
    ("handling_p95", "handling latency, p95", lambda r: r.quantile("handling", 95)),
    ("delivery_p95", "delivery latency, p95", lambda r: r.quantile("delivery", 95)),
    ("delivered", "events delivered", lambda r: r.figure("delivered")),
    ("events_per_write", "events per write, mean", Result.events_per_write),
    ("skipped", "events skipped for sessions that lagged", lambda r: r.figure("skipped")),
    ("connections_total", "WebSocket connections in all", lambda r: r.figure("connections_total")),
    ("closed_errors", "closed-connection errors", lambda r: r.figure("closed_errors")),
    ("grpc_sessions", "gRPC sessions that ended", lambda r: r.figure("grpc_sessions")),
    ("grpc_lost", "gRPC streams that broke", lambda r: r.figure("grpc_lost")),
    ("left_behind", "connections left behind", lambda r: r.figure("left_behind")),
    ("scrapes_failed", "scrapes that failed", Result.scrapes),
]

# Also left out if they are 0: then the script used the other transport.
OF_ONE_TRANSPORT = {"handled", "connections_total", "grpc_sessions", "grpc_lost"}


def write(folder, reference):
    """Draws what FOLDER/data holds and writes FOLDER/results.md."""
    data = folder / "data"
    try:
        setup = json.loads((data / "setup.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ResultsError(f"nothing is recorded in {folder}: there is no data/setup.json") from None
    parts = ["# The study, run and drawn", _intro(setup), "## Setup", _setup_table(setup),
             "## Scenarios", _scenarios(setup)]
    for script in setup["scripts"]:
        found = [Result(data / server["name"], script) for server in setup["servers"]
                 if (data / server["name"] / f"{script}.recording.json").exists()]
        if found:
            parts += _script(folder, script, found, setup, reference and script == "study")
    parts += ["## How to read it", _how_to_read(reference)]
    (folder / "results.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def table(head, rows):
    """Markdown. The first column is words, the others figures."""
    lines = [f"| {' | '.join(head)} |", f"|---|{'---:|' * (len(head) - 1)}"]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows])


def _intro(setup):
    names = [server["name"] for server in setup["servers"]]
    many = f"{', '.join(names[:-1])} and {names[-1]}, one after the other" if names[1:] else names[0]
    return (f"Made by `{setup['command']}` on {setup['date']}, of {many}. Every figure and plot is "
            "computed from the recordings of that run (`data/`). `scripts/report --draw-only FOLDER` "
            "makes them again.")


def _setup_table(setup):
    machine = setup["machine"]
    rows = [("machine", f"{machine['cpu']}, {machine['cores']} cores, "
                        f"{show(machine['memory_bytes'], 'bytes')}"),
            ("system", f"{machine['system']}, Linux {machine['kernel']}")]
    for server in setup["servers"]:
        flags = f", `{' '.join(server['flags'])}`" if server["flags"] else ""
        what = server["version"] or server["url"]
        rows.append((server["name"], f"{what}{flags}; cores {server['pinned_to']}"))
    rows += [("commit", setup["commit"]),
             ("the runner's cores", f"{setup['runner_cores']}, shared with Prometheus"),
             ("Prometheus", f"{setup['prometheus']}, a scrape every second"),
             ("durations, users", f"times {setup['time']:g}, times {setup['users']:g}")]
    text = ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)]
    notes = [server["name"] for server in setup["servers"]
             if set(_numbers(server["pinned_to"])) & set(_numbers(setup["runner_cores"]))]
    if notes:
        text.append(f"\n{', '.join(notes)} and the runner may use the same cores, so each slows the "
                    "other down.")
    return "\n".join(text)


def _numbers(cores):
    for part in cores.split(","):
        first, _, last = part.partition("-")
        if first.isdigit():
            yield from range(int(first), int(last or first) + 1)


def _scenarios(setup):
    def users(scenario):
        # Halves upwards, as the scripts round.
        counts = [max(1, int(count * setup["users"] + 0.5)) for count in scenario["users"]]
        return str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"

    rows = [(f"`{one['name']}`", users(one), clock(one["start"] * setup["time"]),
             clock(one["end"] * setup["time"]), one["session"]) for one in SCENARIOS]
    return table(["scenario", "users", "from", "to", "each session"], rows) + (
        "\n\nA user waits 0.7 s, connects, talks, closes, and starts again (`k6/README.md`).")


def _script(folder, script, found, setup, reference):
    one = found[0].summary
    parts = [f"## {script}"]
    if one:
        seconds = one["state"]["testRunDurationMs"] / 1000
        parts.append(f"`k6/{script}.js`, run by {one['runner']}, {clock(seconds)} (against "
                     f"{found[0].server}).")
    extra = REFERENCE["columns"] if reference else []
    parts += [_rows("What the runner saw", RUNNER_ROWS, found, extra), _thresholds(found),
              _rows("What the servers say" if found[1:] else "What the server says", SERVER_ROWS,
                    found, extra), *_warnings(found)]
    recordings = [result.recording for result in found]
    if found[1:]:
        parts.append(f"![Side by side]({drawing.draw_summary(folder, script, recordings)})")
    for name, title, words in drawing.draw(folder, script, recordings, setup["time"]):
        parts.append(f"![{title}]({name})" + (f"\n\n{words}" if words else ""))
    return parts


def _rows(title, rows, found, extra):
    keys = {key for key, _, _ in rows}
    extra = [column for column in extra if keys & set(column["figures"])]
    lines = []
    for key, name, find in rows:
        cells = [find(result) for result in found] + [column["figures"].get(key) for column in extra]
        if any(cell not in ((None, "0") if key in OF_ONE_TRANSPORT else (None,)) for cell in cells):
            lines.append([name, *(cell or "–" for cell in cells)])
    head = ["", *(result.server for result in found), *(column["name"] for column in extra)]
    return f"### {title}\n\n{table(head, lines)}"


def _thresholds(found):
    words = []
    for result in found:
        all_of = [(name, condition, state["ok"])
                  for name, metric in result.summary.get("metrics", {}).items() if "{" not in name
                  for condition, state in metric.get("thresholds", {}).items()]
        failed = [f"`{name}: {condition}`" for name, condition, holds in all_of if not holds]
        if not result.summary:
            words.append(f"{result.server}: the runner left no summary. It exited with "
                         f"{result.recording['exit_code']}.")
        elif failed:
            words.append(f"{result.server}: **thresholds failed**: {', '.join(failed)}.")
        else:
            words.append(f"{result.server}: all {len(all_of)} thresholds hold.")
    return "\n\n".join(words)


def _warnings(found):
    """What a reader has to know about the measurement."""
    for result in found:
        of, figures = result.recording, result.figures
        if of["missing"]:
            yield f"{result.server} has no {', '.join(f'`{name}`' for name in of['missing'])}."
        if of.get("restarted"):
            yield f"**{result.server} was restarted during the run**: its counters started again."
        if of.get("unanswered"):
            yield f"**{result.server} answered no scrape after the load**: its counters are unknown."
        if of.get("by_kernel"):
            why = "because scrapes failed" if of.get("scrapes_failed") else "because it has no such metrics"
            yield f"{result.server}'s CPU and memory are from `/proc`, {why}."
        elif "cpu_seconds" in figures and "process_cpu_seconds" in figures:
            yield (f"{result.server}'s CPU time under load: {figures['cpu_seconds']:.2f} s by its "
                   f"metrics, {figures['process_cpu_seconds']:.2f} s by `/proc`; resident at most "
                   f"{result.figure('memory_max', 'bytes')} and "
                   f"{result.figure('process_memory_max', 'bytes')}.")


def _how_to_read(reference):
    parts = [
        "- A server's p95 is `histogram_quantile` over all observations of the run. A histogram knows "
        "only in which bucket (in parentheses) a value lies; the figure is interpolated.",
        "- The runner's figures include the runner: its event loop and its wait for a core "
        "(`k6/README.md`). A server's figures about itself are as good as its own measuring.",
        "- CPU and memory cover only the load. Counters cover the load and 5 s more. Connections left "
        "behind are those that are still open then.",
        "- In the plots, rates and latencies are over 5 s. A gap in a line means that nothing was "
        "observed, or that a scrape failed.",
        "- In `study.js`, users sleep without reading. Their broadcasts are handed over late or named "
        "by a gap, so no figure of its runner is a delivery latency (`delivery.js` measures that).",
    ]
    if reference:
        parts += ["", "The columns with other figures come from:", "",
                  *(f"- {column['name']}: {column['source']}." for column in REFERENCE["columns"]),
                  "", "What is not comparable:", "",
                  *(f"- {sentence}" for sentence in REFERENCE["not_comparable"])]
    return "\n".join(parts)


def setup(options, machine_facts, commit, prometheus_version):
    """The beginning of setup.json; each server adds describe()."""
    return {
        "command": options.command,
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": machine_facts, "commit": commit, "prometheus": prometheus_version,
        "time": options.time, "users": options.users, "scripts": options.scripts,
        "runner_cores": ",".join(str(core) for core in sorted(options.runner_cores)),
        "servers": [],
    }


def describe(server):
    return {"name": server.name, "url": server.url, "version": server.version,
            "flags": server.flags, "pinned_to": server.pinned_to()}
