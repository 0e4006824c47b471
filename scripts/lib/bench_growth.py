"""How the cost grows: CPU per delivery against the numbers of clients, topics and shards."""

import plots
from bench_lab import GENERATOR_CORE, SERVER_CORE, Lab

DELIVERIES = 100_000  # per second, whatever the number of clients


def measure(build, root, scale, note):
    """({what: [(x, figures)]}, lab)."""
    lab = Lab(build, root, scale)

    def run(what, x, arguments, **server):
        with lab.server(**server) as one:
            result = lab.bench(one, "fanout", *arguments, seconds=lab.seconds(5))
        cpu = result["server_cpu_us_per_delivery"]
        note(f"  {what} {x}: {cpu:.3g} us per delivery, {1 / cpu:.3g} M/s of one core, p99 "
             f"{result['latency_p99_ms']:.3g} ms")
        return x, {"cpu": cpu, "p99": result["latency_p99_ms"]}

    grown = {
        "clients": [run("clients", n, ["--clients", n, "--rate", DELIVERIES / n, "--ramp", "3s"])
                    for n in (10, 100, 1000, 5000, 15000)],
        "topics": [run("topics", n, ["--clients", 5000, "--topics", n, "--publishers", 0, "--rate",
                                     n * DELIVERIES // 2 / 5000, "--ramp", "2s"])
                   for n in (1, 10, 100, 1000)],
        "shards": [run("shards", n, ["--clients", 750, "--rate", 200],
                       cores=(SERVER_CORE, GENERATOR_CORE)[:n]) for n in (1, 2)],
    }
    return grown, lab


def draw(folder, grown):
    """The plots; returns [(file, title)]."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    for what, title in [("clients", "Deliveries/s of one core, by clients (100,000 offered)"),
                        ("topics", "Deliveries/s of one core, by topics (5,000 clients)"),
                        ("shards", "Deliveries/s of one core's CPU time, by shards (750 clients)")]:
        group = plots.BarGroup("deliveries/s of one core", "per second",
                               [(f"{x:,}", 1e6 / one["cpu"]) for x, one in grown[what]])
        latency = plots.BarGroup("p99", "ms", [(f"{x:,}", one["p99"]) for x, one in grown[what]])
        name = f"growth-{what}.svg"
        plots.bars(folder / name, title, [group, latency])
        drawn.append((name, title))
    return drawn


def table(grown):
    lines = ["| what | CPU per delivery | of one core | p99 |", "|---|---|---|---|"]
    for what, points in grown.items():
        for x, one in points:
            lines.append(f"| {x:,} {what} | {one['cpu']:.3g} us | {1 / one['cpu']:.2f} M/s "
                         f"| {one['p99']:.3g} ms |")
    return "\n".join(lines)
