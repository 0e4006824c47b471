"""The plots of one script's recordings, one line or heatmap for each server."""

import panels
from plots import Band, BarGroup, Heatmap, Series, bars, heatmaps, lines
from study_run import SCENARIOS
from units import show


def draw(folder, script, recordings, time_factor):
    """Draws every panel into FOLDER/SCRIPT-PANEL.svg. `recordings`: of different servers. Returns
    [(file's name, title, words)] in the order to show them."""
    bands = [Band(scenario["name"], scenario["start"] * time_factor, scenario["end"] * time_factor)
             for scenario in SCENARIOS]
    def wanted(all_panels):
        return [panel for panel in all_panels if script != "grpc" or not panel.websocket]

    until = max(one["after"] - one["started"] for one in recordings)
    drawn = {}
    for panel in wanted(panels.LINES):
        name = f"{script}-{panel.key}.svg"
        note = _without(recordings, "series", panel.key)
        lines(folder / name, panel.title, _series(panel, recordings), unit=panel.unit, bands=bands,
              note=note, x_range=(0, until), log=panel.unit == "s" and len(recordings) > 1)
        drawn[panel.key] = (name, panel.title, panel.words)
    for panel in wanted(panels.HEATMAPS):
        name = f"{script}-{panel.key}.svg"
        maps = [_heatmap(one["server"], one["heatmaps"][panel.key]) for one in recordings
                if _there(one, "heatmaps", panel.key)]
        heatmaps(folder / name, panel.title, maps, bands=bands, x_range=(0, until),
                 note=_without(recordings, "heatmaps", panel.key))
        drawn[panel.key] = (name, panel.title, panel.words)
    return [drawn[key] for key in panels.ORDER if key in drawn]


def draw_summary(folder, script, recordings):
    """Bars of a few figures, a bar for each server. Returns the file's name."""
    name = f"{script}-summary.svg"
    bars(folder / name, "Side by side", [
        BarGroup(title, unit, [(one["server"], one["figures"].get(key)) for one in recordings])
        for title, key, unit in [("Memory at most", "memory_max", "bytes"),
                                 ("CPU, mean", "cpu_avg", "share"),
                                 ("Broadcast latency p95", "broadcast_p95", "s"),
                                 ("Handling latency p95", "handling_p95", "s")]])
    return name


def _there(recording, kind, key):
    found = recording[kind].get(key)
    return bool(found and (kind == "series" or found["columns"]))


def _without(recordings, kind, key):
    names = [one["server"] for one in recordings if not _there(one, kind, key)]
    return f"no metrics: {', '.join(names)}" if names else ""


def _series(panel, recordings):
    """A server has the same colour in all plots; where it has lines of several kinds, more of them."""
    series, kinds = [], {}
    labels = {label for one in recordings for label in one["series"].get(panel.key, {})}
    for i, one in enumerate(recordings):
        for label, points in one["series"].get(panel.key, {}).items():
            kind = label.replace("p50", "").replace("p95", "")
            colour = i + len(recordings) * kinds.setdefault(kind, len(kinds))
            parts = [one["server"]] if len(recordings) > 1 or not label else []
            if len(labels) > 1 or len(recordings) == 1:
                parts.append(label)
            series.append(Series(" ".join(parts), points, dashed="p50" in label, colour=colour))
    return series


def _heatmap(server, recorded):
    bounds = recorded["rows"]
    rows = [show(bound, "s") if bound is not None else "over" for bound in bounds]
    return Heatmap(server, rows, recorded["columns"], recorded["width"])
