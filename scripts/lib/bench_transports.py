"""WebSocket and gRPC side by side: the same engine, the same load."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import plots
from bench_lab import BenchError, Generator, Lab, wait_until
from units import show

CLIENTS = 100
RATES = [20, 200, 2000, 10000]
TRANSPORTS = ["websocket", "grpc"]
NAMES = {"websocket": "WebSocket", "grpc": "gRPC"}

# Where the CPU time of a call chain goes: to the part that its innermost frame of any part is of.
PARTS = [
    ("decode", r"crier::.*Decode|ParseFrom|_InternalParse"),
    ("encode", r"crier::.*Encod"),
    ("write", r"sendmsg|sys_send|io_uring|io_submit|SendBatch|Socket::Send|"
              r"FrameStream::(Flush|Sent|OnSent|Gather|Taken)|"
              r"Http2Connection::(Flush|Sent|OnSent|SendNow)"),
    ("read", r"recvmsg|sys_recv|boost::beast|FrameReader::|FrameStream::(OnBytes|Handle)|"
             r"Socket::(Read|OnReady)|Http2Connection::(Read|OnReady)"),
    ("HTTP/2 (nghttp2)", r"nghttp2|\bsession_|\bhd_|Http2|crier::Call|MessageReader"),
    ("route", r"crier::(Session|StreamSession|Shard|Turns|Topic|Feed|Engine|LocalBus|EventLog|"
              r"Mailbox|HandedTracker)"),
    ("waiting for work", r"epoll|Poller::|boost::asio|schedule|timerfd"),
]


def measure(build, root, scale, note):
    """{transport: {rate: figures}}, {transport: {part: share}}, commands, failures."""
    figures, parts = {}, {}
    lab = Lab(build, root, scale)
    for transport in TRANSPORTS:
        grpc = transport == "grpc"
        figures[transport] = {}
        for rate in RATES:
            figures[transport][rate] = _one(lab, transport, rate)
            one = figures[transport][rate]
            note(f"  {transport}, {rate}/s: {one['cpu']:.3g} us, {one['wire']:.0f} bytes per event, "
                 f"p99 {one['p99']:.3g} ms")
        with lab.server() as server:
            connections = ["--connections", 5000] if grpc else []
            idle = lab.bench(server, "idle", "--clients", 5000, *connections, "--ramp", "2s", grpc=grpc,
                             seconds=2)
        figures[transport]["memory"] = 1024 * idle["kib_per_client"]
        parts[transport] = _profile(lab, transport, 200, note)
    return figures, parts, lab


def _one(lab, transport, rate):
    seconds = lab.seconds(5)
    grpc = transport == "grpc"
    label = f'{{transport="{transport}"}}'
    with lab.server() as server:
        arguments = ["--clients", CLIENTS, "--rate", rate]
        if grpc:
            arguments += ["--connections", CLIENTS]
        before = _loopback_bytes()
        result = lab.bench(server, "fanout", *arguments, grpc=grpc, seconds=seconds)
        wire = _loopback_bytes() - before
        delivered = server.metric(f"crier_events_delivered_total{label}")
        writes = server.metric(f"crier_writes_total{label}")
        payload = server.metric(f"crier_bytes_sent_total{label}")
    return {"cpu": result["server_cpu_us_per_delivery"], "wire": wire / delivered,
            "payload": payload / delivered, "events per write": delivered / writes,
            "rate": result["received_per_second"], "p50": result["latency_p50_ms"],
            "p99": result["latency_p99_ms"], "client_bound": result["client_bound"]}


def _loopback_bytes():
    for line in Path("/proc/net/dev").read_text(encoding="utf-8").splitlines():
        name, _, rest = line.partition(":")
        if name.strip() == "lo":
            return int(rest.split()[8])
    raise BenchError("the kernel counts no bytes of the loopback interface")


def _profile(lab, transport, rate, note):
    """{part: share of the server's CPU time}, by sampling; {} where there is no perf."""
    seconds = lab.seconds(5)
    grpc = transport == "grpc"
    data = lab.root / "build/bench.perf"
    with lab.server() as server:
        load = Generator(lab, server, ["fanout", "--clients", CLIENTS, "--rate", rate, "--duration",
                                       f"{seconds + 3}s"], grpc=grpc)
        kind = "grpc" if grpc else "websocket"
        wait_until("the clients", lambda: server.metric(
            f'crier_sessions{{transport="{kind}"}}') >= CLIENTS)
        record = ["perf", "record", "-q", "-e", "cpu-clock", "-F", "1999", "-g", "-o", str(data), "-p",
                  str(server.pid), "--", "sleep", str(seconds)]
        lab.note(" ".join(record).replace(f"{lab.root}/", "").replace(str(server.pid), "PID"))
        try:
            done = subprocess.run(record, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                  check=False)
        except FileNotFoundError:
            note("  no perf here: where the CPU time goes is left out")
            lab.accept(load.finish(seconds + 10))
            return {}
        lab.accept(load.finish(seconds + 10))
    if done.returncode != 0:
        note(f"  perf: {done.stderr.strip()}")
        return {}
    return _shares(data)


def _shares(data):
    script = subprocess.run(["perf", "script", "-i", str(data), "-F", "ip,sym"], capture_output=True,
                            text=True, check=False).stdout
    counts = Counter()
    for chain in re.split(r"\n\s*\n", script):
        frames = [line.split(None, 1)[1] for line in chain.strip().splitlines() if " " in line.strip()]
        if frames:
            counts[_part(frames)] += 1
    total = sum(counts.values())
    return {part: count / total for part, count in counts.most_common()} if total else {}


def _part(frames):
    for frame in frames:
        for part, pattern in PARTS:
            if re.search(pattern, frame):
                return part
    return "the rest"


def draw(folder, figures, parts):
    """The plots; returns [(file, title)]."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    for key, title, unit in [("cpu", "Server CPU per delivery", "s"), ("p99", "Latency, p99", "ms"),
                             ("wire", "Bytes on the loopback interface per event", "bytes")]:
        groups = [plots.BarGroup(f"{rate} messages/s", unit, [
            (NAMES[transport], figures[transport][rate][key] * (1e-6 if key == "cpu" else 1))
            for transport in TRANSPORTS]) for rate in RATES]
        name = f"transports-{key}.svg"
        plots.bars(folder / name, title, groups, note=f"{CLIENTS} clients")
        drawn.append((name, title))
    if all(parts.values()):
        names = sorted({part for one in parts.values() for part in one},
                       key=lambda part: -max(one.get(part, 0) for one in parts.values()))
        groups = [plots.BarGroup(NAMES[transport], "share",
                                 [(part, parts[transport].get(part, 0)) for part in names])
                  for transport in TRANSPORTS]
        plots.bars(folder / "transports-parts.svg", "Where the server's CPU time goes", groups,
                   note=f"{CLIENTS} clients, 200 messages/s")
        drawn.append(("transports-parts.svg", "Where the server's CPU time goes"))
    return drawn


def table(figures):
    head = ["100 clients, one publisher", *(f"{NAMES[transport]}" for transport in TRANSPORTS)]
    lines = [head, ["---"] * len(head)]

    def add(name, value):
        lines.append([name, *(value(figures[transport]) for transport in TRANSPORTS)])

    for rate in RATES:
        add(f"{rate:,}/s: CPU per delivery", lambda one, r=rate: f"{one[r]['cpu']:.3g} us")
        add(f"{rate:,}/s: latency p50 / p99",
            lambda one, r=rate: f"{one[r]['p50']:.3g} / {one[r]['p99']:.3g} ms"
            + (" (client-bound)" if one[r]["client_bound"] else ""))
        add(f"{rate:,}/s: events per write", lambda one, r=rate: f"{one[r]['events per write']:.3g}")
        add(f"{rate:,}/s: bytes per event, of the event / on the wire",
            lambda one, r=rate: f"{one[r]['payload']:.0f} / {one[r]['wire']:.0f}")
    add("memory per idle client (gRPC: a connection and a stream)",
        lambda one: show(one["memory"], "bytes"))
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def parts_table(parts):
    names = sorted({part for one in parts.values() for part in one},
                   key=lambda part: -max(one.get(part, 0) for one in parts.values()))
    lines = ["| part | " + " | ".join(NAMES[transport] for transport in TRANSPORTS) + " |",
             "|---|---|---|"]
    for part in names:
        shares = (f"{100 * parts[transport].get(part, 0):.0f} %" for transport in TRANSPORTS)
        lines.append(f"| {part} | " + " | ".join(shares) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit("this is a part of scripts/bench")
