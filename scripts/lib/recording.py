"""From a real Prometheus and the kernel: what is kept of one script's run against one server.

A recording is what JSON holds, so that plots and tables can be made again without a run:

    server, script, exit_code       the runner's
    started, ended                  the load, seconds since 1970
    before, after                   counters are compared between these two; `after` is SETTLE later
    scrapes, scrapes_failed
    missing                         names of the study that the server does not have
    restarted                       the server's counters went back
    unanswered                      true where no scrape succeeded once the load was over
    by_kernel                       true where CPU and memory are not from the server's metrics
    series    {panel: {line: [[seconds from started, value or null]]}}
    heatmaps  {panel: {rows, width, columns: [[seconds from started, [count]]]}}
    buckets   {histogram: [[upper bound, observations at most that long]]}
    figures   {name: value}
"""

import math

import panels

SETTLE = 5  # seconds that the last connections may take to end


def read(prometheus, samples, run):
    """Fills `run` (server, script, started, ended, before, after) in. `prometheus` and `samples` (of
    machine.Sampler) may be None and empty."""
    run |= {"series": {}, "heatmaps": {}, "buckets": {}, "figures": {}, "missing": []}
    if prometheus:
        run |= _scrapes(prometheus, run)
        for panel in panels.LINES:
            run["series"][panel.key] = _lines(prometheus, panel, run)
        for panel in panels.HEATMAPS:
            run["heatmaps"][panel.key] = _heatmap(prometheus, panel.histogram, run)
        for key, name in panels.HISTOGRAMS.items():
            run["buckets"][key] = _buckets(prometheus, name, run)
        run["figures"] = _figures(prometheus, run)
    _of_the_process(samples, run)
    return run


def _number(text):
    value = float(text)
    return value if math.isfinite(value) else None


def _short(value):
    return None if value is None else float(f"{value:.6g}")


def _scrapes(prometheus, run):
    over = f"[{max(1, round(run['after'] - run['before']))}s]"
    values = {name: prometheus.value(f"sum({of}(up{over}))", run["after"]) or 0
              for name, of in [("all", "count_over_time"), ("good", "sum_over_time")]}
    resets = prometheus.query(f"resets(all_ws_connections_total{over}) > 0", run["after"])
    return {
        "scrapes": int(values["all"]),
        "scrapes_failed": int(values["all"] - values["good"]),
        "restarted": bool(resets),
        "missing": [name for name in panels.STUDY_NAMES
                    if not prometheus.query(f"last_over_time({name}{over})", run["after"])],
    }


def _lines(prometheus, panel, run):
    lines = {}
    for name, query in panel.queries.items():
        for one in prometheus.query_range(query, run["started"], run["after"], 1):
            label = " ".join(filter(None, [one["metric"].get("transport", ""), name]))
            points = dict((round(float(time) - run["started"]), _number(text))
                          for time, text in one["values"])
            base = 0
            if panel.growth:
                base = prometheus.value(query, run["before"]) or 0
            # A second without a value is a hole, not a line across it.
            lines[label] = [[second, None if points.get(second) is None
                             else _short(points[second] - base)]
                            for second in range(round(run["after"] - run["started"]) + 1)]
    return _without_idle(lines)


def _without_idle(lines):
    """Without the lines in which nothing ever happened, where there are others."""
    busy = {label: points for label, points in lines.items() if any(value for _, value in points)}
    there = {label: points for label, points in lines.items()
             if any(value is not None for _, value in points)}
    return busy or dict(list(there.items())[:1])


def _heatmap(prometheus, histogram, run):
    # As many columns as a reader can tell apart.
    width = max(2, math.ceil((run["after"] - run["started"]) / 150))
    query = f"sum by (le) (increase({histogram}_bucket[{width + 1}s]))"
    # A query looks back, a column begins at its time.
    answer = prometheus.query_range(query, run["started"] + width, run["after"], width)
    bounds = sorted((float(one["metric"]["le"]), one["values"]) for one in answer)
    columns = {}
    for row, (_, values) in enumerate(bounds):
        for time, text in values:
            second = round(float(time) - run["started"] - width)
            columns.setdefault(second, [0] * len(bounds))[row] = _number(text) or 0
    for counts in columns.values():
        # Buckets count all below them too.
        for row in reversed(range(1, len(counts))):
            counts[row] = _short(max(0, counts[row] - counts[row - 1]))
    return {"rows": [bound if math.isfinite(bound) else None for bound, _ in bounds], "width": width,
            "columns": [[second, columns[second]] for second in sorted(columns)]}


def _growth(run, selector, by=""):
    """A query for by how much counters grew between before and after: exactly, where increase()
    estimates. Those that were not there before grew from nothing."""
    total = f"sum{f' by ({by})' if by else ''} ({selector}"
    before, after = f"{total} @ {run['before']:.3f})", f"{total} @ {run['after']:.3f})"
    return f"{after} - ({before} or 0 * {after})"


def _buckets(prometheus, histogram, run):
    answer = prometheus.query(_growth(run, f"{histogram}_bucket", "le"), run["after"])
    found = sorted((float(one["metric"]["le"]), float(one["value"][1])) for one in answer)
    return [[bound if math.isfinite(bound) else None, count] for bound, count in found]


def _figures(prometheus, run):
    figures = {key: prometheus.value(_growth(run, name), run["after"])
               for key, name in panels.COUNTERS.items()}
    for key, name in panels.HISTOGRAMS.items():
        for q in (0.5, 0.95):
            value = prometheus.value(
                f"histogram_quantile({q}, {_growth(run, f'{name}_bucket', 'le')})", run["after"])
            figures[f"{key}_p{round(100 * q)}"] = None if value is None or math.isnan(value) else value
    for key in ("broadcast", "handling"):
        count = figures["broadcasts" if key == "broadcast" else "handled"]
        if count:
            figures[f"{key}_mean"] = figures[f"{key}_seconds"] / count
    connections = "sum(ws_connections) + (sum(crier_sessions{transport=\"grpc\"}) or vector(0))"
    before, after = (prometheus.value(connections, run[when]) for when in ("before", "after"))
    figures["left_behind"] = None if after is None else after - (before or 0)

    load = {"before": run["before"], "after": run["ended"]}
    cpu = prometheus.value(_growth(load, "process_cpu_seconds_total"), run["ended"])
    if cpu is not None:
        figures["cpu_seconds"] = cpu
        figures["cpu_avg"] = cpu / (run["ended"] - run["before"])
    return figures | _of_points("cpu", run, ["max"]) | _of_points("memory", run, ["avg", "max"])


def _of_points(key, run, which):
    """The mean and the largest value of a panel's only line while there was load."""
    values = [value for points in run["series"].get(key, {}).values() for second, value in points
              if value is not None and second <= run["ended"] - run["started"]]
    if not values:
        return {}
    return {name: value for name, value in
            {f"{key}_avg": sum(values) / len(values), f"{key}_max": max(values)}.items()
            if name.rpartition("_")[2] in which}


def _of_the_process(samples, run):
    """What the kernel says: beside what the server says of itself, or in its place."""
    samples = [one for one in samples if run["before"] <= one[0] <= run["after"]]
    load = [one for one in samples if one[0] <= run["ended"]]
    if len(load) < 2:
        return
    figures = run["figures"]
    seconds, cpu = load[-1][0] - load[0][0], load[-1][1] - load[0][1]
    resident = [one[2] for one in load]
    figures |= {"process_cpu_seconds": cpu, "process_cpu_avg": cpu / seconds,
                "process_memory_max": max(resident)}
    line = {
        "memory": [[round(time - run["started"], 1), memory] for time, _, memory in samples],
        # Over 5 s, as the rates of Prometheus are.
        "cpu": [[round(now[0] - run["started"], 1), _short((now[1] - then[1]) / (now[0] - then[0]))]
                for then, now in zip(samples, samples[5:])],
    }
    # Where scrapes failed, the metrics may lack the worst moments.
    if run["series"].get("memory") and run["series"].get("cpu") and not run.get("scrapes_failed"):
        return
    run["by_kernel"] = True
    run["series"] |= {key: {"": points} for key, points in line.items()}
    figures |= _of_points("cpu", run, ["max"]) | _of_points("memory", run, ["avg", "max"])
    figures["cpu_avg"] = figures["process_cpu_avg"]
