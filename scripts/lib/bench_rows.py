"""The rows of the benchmark: what each measures, and its goals.

The first figure of most rows is the server's CPU time per delivery. A noisy machine or a weak generator
hardly changes it. "Of one core" is its inverse: what the core would carry if it did nothing else.
"""

import threading

from bench_cluster import CLUSTER_ROWS
from bench_lab import GENERATOR_CORE, SERVER_CORE, Generator, middle, wait_until
from bench_row import Row

GRPC_LIBRARY = "gRPC's library"


def _latency(result):
    return {name: result[f"latency_{name}_ms"] for name in ("p50", "p99", "p999", "max")
            if f"latency_{name}_ms" in result}


def _fanout(lab, rate, frames):
    seconds = lab.seconds(5)
    with lab.server() as server:
        result = lab.bench(server, "fanout", "--clients", 750, "--rate", rate, seconds=seconds)
    floor = lab.floor(750, rate // frames, frames, max(2, seconds // 2))
    cpu = result["server_cpu_us_per_delivery"]
    return {"cpu": cpu, "floor": floor, "ratio": cpu / floor, "of one core": 1e6 / cpu,
            "rate": result["received_per_second"], **_latency(result)}


def fanout(lab):
    figures = _fanout(lab, 200, 1)
    return {"fanout": figures["ratio"], **figures}


def fanout_busy(lab):
    figures = _fanout(lab, 2000, 10)
    return {"fanout-busy": figures["of one core"], **figures}


def fanout_wide(lab):
    with lab.server() as server:
        result = lab.bench(server, "fanout", "--clients", 15000, "--rate", 10, "--ramp", "5s",
                           seconds=lab.seconds(8))
    return {"fanout-wide": result["latency_p99_ms"], "cpu": result["server_cpu_us_per_delivery"],
            "rate": result["received_per_second"], **_latency(result)}


def bystander(lab):
    seconds = lab.seconds(8)
    with lab.server() as server:
        crowd = Generator(lab, server, ["fanout", "--clients", 15000, "--rate", 5, "--ramp", "5s",
                                        "--duration", f"{seconds + 4}s"])
        _wait_for_sessions(server, 15000)
        # Few clients, by the clock: they measure and are no load.
        result = lab.bench(server, "direct", "--clients", 20, "--rate", 200, seconds=seconds,
                           first=True)
        lab.accept(crowd.finish(seconds + 30))
    return {"bystander": result["latency_p99_ms"], **_latency(result)}


def _wait_for_sessions(server, count):
    wait_until(f"{count} sessions", lambda: server.metric("ws_connections") >= count)


def topics(lab):
    with lab.server() as server:
        result = lab.bench(server, "fanout", "--clients", 10000, "--topics", 1000, "--publishers", 0,
                           "--rate", 8000, "--ramp", "3s", seconds=lab.seconds(6))
    cpu = result["server_cpu_us_per_delivery"]
    return {"topics": 1e6 / cpu, "cpu": cpu, "rate": result["received_per_second"],
            **_latency(result)}


def direct(lab):
    with lab.server() as server:
        result = lab.bench(server, "direct", "--clients", 100, seconds=lab.seconds(5))
    cpu = result["server_cpu_us_per_round_trip"]
    return {"direct": 1e6 / cpu, "cpu": cpu, "rate": result["received_per_second"],
            **_latency(result)}


def storm(lab):
    with lab.server() as server:
        result = lab.bench(server, "storm", "--clients", 1, seconds=lab.seconds(5))
    return {"storm": result["server_cpu_us_per_session"], "rate": result["sessions_per_second"]}


def memory_websocket(lab):
    with lab.server() as server:
        result = lab.bench(server, "idle", "--clients", 10000, "--ramp", "2s", seconds=2)
    return {"memory-websocket": 1024 * result["kib_per_client"]}


def _tls_fanout(lab, rate):
    costs = []
    for server, tls in [(lab.server(), False), (lab.tls_server(), True)]:
        with server:
            result = lab.bench(server, "fanout", "--clients", 750, "--rate", rate, tls=tls,
                               seconds=lab.seconds(5))
        costs.append(result["server_cpu_us_per_delivery"])
    return {"cpu": costs[1], "plain": costs[0], "times plain": costs[1] / costs[0],
            "rate": result["received_per_second"], **_latency(result)}


def tls_fanout(lab):
    figures = _tls_fanout(lab, 200)
    return {"tls-fanout": figures["times plain"], **figures}


def tls_fanout_busy(lab):
    figures = _tls_fanout(lab, 2000)
    return {"tls-fanout-busy": figures["times plain"], **figures}


def tls_handshake(lab):
    seconds = lab.seconds(5)
    with lab.tls_server() as server:
        ours = lab.handshakes(server.http, server.pid, seconds)
    process, address = lab.openssl_server()
    try:
        openssl = lab.handshakes(address, process.pid, seconds)
    finally:
        process.terminate()
        process.wait()
    return {"tls-handshake": ours / openssl, "cpu": ours, **_beside_library(ours, openssl)}


def memory_tls(lab):
    with lab.tls_server() as server:
        result = lab.bench(server, "idle", "--clients", 5000, "--ramp", "5s", tls=True, seconds=2)
    return {"memory-tls": 1024 * result["kib_per_client"]}


def memory_process(lab):
    with lab.server() as server:
        return {"memory-process": server.resident_mib() * 1024**2}


def _beside_library(figure, library):
    return {"floor": library, "ratio": figure / library}


def _grpc_fanout(server, lab, clients, rate, seconds):
    return lab.bench(server, "fanout", "--clients", clients, "--connections", clients, "--rate", rate,
                     grpc=True, seconds=lab.seconds(seconds))


def grpc_fanout(lab):
    # Not compared: a server on gRPC's library that gathers as well as the engine would be an engine.
    with lab.server() as server:
        result = _grpc_fanout(server, lab, 100, 20000, 5)
    cpu = result["server_cpu_us_per_delivery"]
    return {"grpc-fanout": 1e6 / cpu, "cpu": cpu, "rate": result["received_per_second"],
            **_latency(result)}


def grpc_sparse(lab):
    with lab.server() as server:
        result = _grpc_fanout(server, lab, 100, 200, 5)
    with lab.grpc_library() as server:
        library = _grpc_fanout(server, lab, 100, 200, 5)["server_cpu_us_per_delivery"]
    cpu = result["server_cpu_us_per_delivery"]
    return {"grpc-sparse": cpu, "cpu": cpu, **_beside_library(cpu, library),
            "rate": result["received_per_second"], **_latency(result)}


def grpc_after_idle(lab):
    with lab.server() as server:
        result = _grpc_fanout(server, lab, 20, 0.667, 60)
    with lab.grpc_library() as server:
        library = _grpc_fanout(server, lab, 20, 0.667, 60)["latency_p999_ms"]
    late = result["latency_p999_ms"]
    return {"grpc-after-idle": late, **_beside_library(late, library), **_latency(result)}


def _grpc_memory(server, lab, connections):
    result = lab.bench(server, "idle", "--clients", 5000, "--connections", connections,
                       "--ramp", "2s", grpc=True, seconds=2)
    return 1024 * result["kib_per_client"]


def memory_grpc_connection(lab):
    def measured(server):
        with server:
            return _grpc_memory(server, lab, 5000)
    bytes_each, library = measured(lab.server()), measured(lab.grpc_library())
    return {"memory-grpc": bytes_each, **_beside_library(bytes_each, library)}


def memory_grpc_stream(lab):
    def measured(start):
        with start() as server:
            alone = _grpc_memory(server, lab, 5000)
        with start() as server:
            shared = _grpc_memory(server, lab, 100)
        # 100 streams opened a connection, 4,900 are further ones.
        return (5000 * shared - 100 * alone) / 4900
    bytes_each, library = measured(lab.server), measured(lab.grpc_library)
    return {"memory-grpc-stream": bytes_each, **_beside_library(bytes_each, library)}


def slow_consumers(lab):
    seconds = lab.seconds(8)
    message = ["--rate", 500, "--payload", 1024]
    with lab.server() as server:
        without = lab.bench(server, "fanout", "--clients", 900, *message, seconds=seconds)
    with lab.server() as server:
        result = lab.bench(server, "fanout", "--clients", 1000, "--stalled", 50, "--slow", 50,
                           *message, seconds=seconds)
    if result["lost"] or result["skipped"]:
        lab.failures.append("healthy clients lost events")
    return {"slow-consumers": result["latency_p99_ms"] / without["latency_p99_ms"],
            "without": without["latency_p99_ms"], "cpu": result["server_cpu_us_per_delivery"],
            "rate": result["received_per_second"],
            "resident": result["server_peak_rss_mib"] * 1024**2, **_latency(result)}


def cores(lab):
    """How much more two cores carry than one. The generator needs one of the two, so the rate of two is
    computed: twice the inverse of the CPU time per delivery."""
    costs = {}
    for used in [(SERVER_CORE,), (SERVER_CORE, GENERATOR_CORE)]:
        with lab.server(cores=used) as server:
            result = lab.bench(server, "fanout", "--clients", 750, "--rate", 600,
                               seconds=lab.seconds(5))
        costs[len(used)] = result["server_cpu_us_per_delivery"]
    return {"cores": 2 * costs[1] / costs[2], "cpu": costs[2], "one shard": costs[1]}


def not_busy(lab):
    with lab.server() as server:
        result = lab.bench(server, "fanout", "--clients", 100, "--rate", 20, seconds=lab.seconds(8))
    return {"not-busy": result["latency_p99_ms"], **_latency(result)}


def soak(lab):
    """Both transports, clients that never read or read slowly, sessions that come and go."""
    seconds = lab.seconds(600)
    duration = ["--duration", f"{seconds}s"]
    with lab.server() as server:
        runs = [
            Generator(lab, server, ["fanout", "--clients", 400, "--stalled", 10, "--slow", 10,
                                    "--topic", "soak", "--rate", 150, *duration]),
            Generator(lab, server, ["fanout", "--clients", 100, "--topic", "soak-grpc", "--rate", 500,
                                    *duration], grpc=True),
            Generator(lab, server, ["storm", "--clients", 5, "--rate", 200, *duration]),
        ]
        threading.Event().wait(seconds / 4)
        early = server.resident_mib()
        results = [lab.accept(run.finish(seconds)) for run in runs]
        late = server.resident_mib()
    return {"soak": results[0]["latency_p999_ms"], "gRPC p999": results[1]["latency_p999_ms"],
            "growth": late / early, "resident": late * 1024**2, **_latency(results[0])}


ROWS = [
    Row("fanout", "fan-out", "750 WebSocket clients, one publisher, 200/s", "x floor", 1.0, 0.8,
        fanout),
    Row("fanout-busy", "fan-out, busy", "the same, 2,000/s", "/s of one core", 1.5e6, 2.5e6,
        fanout_busy, lower=False),
    Row("fanout-wide", "fan-out, wide", "15,000 clients, 10/s: p99", "ms", 150, 80, fanout_wide),
    Row("bystander", "bystander", "20 clients' round trips (200/s) while 15,000 get a broadcast 5 "
        "times a second: p99", "ms", None, None, bystander),
    Row("topics", "topics", "10,000 clients in 1,000 topics of 10, each publishing",
        "/s of one core", 80e3, 120e3, topics, lower=False),
    Row("direct", "direct", "ping-pong, 100 clients", "/s of one core", 110e3, 140e3, direct,
        lower=False),
    Row("storm", "storm", "connect, one broadcast, close, one after another: CPU per session", "us",
        120, 90, storm),
    Row("memory-websocket", "memory, WebSocket", "10,000 idle clients: growth per client", "bytes",
        4096, 1024, memory_websocket),
    Row("tls-fanout", "TLS fan-out", "750 WebSocket clients, one publisher, 200/s: CPU, of that "
        "without TLS", "x", 1.5, 1.2, tls_fanout),
    Row("tls-fanout-busy", "TLS fan-out, busy", "the same, 2,000/s", "x", 2, 1.2, tls_fanout_busy),
    Row("tls-handshake", "TLS handshake", "full, TLS 1.3, P-256: CPU, of that of openssl s_server",
        "x", 1.3, 1, tls_handshake, beside="openssl s_server"),
    Row("memory-tls", "memory, TLS", "5,000 idle WebSocket clients: growth per client", "bytes",
        12 * 1024, None, memory_tls),
    Row("memory-process", "memory, process", "nothing connected: resident", "bytes", 24 * 1024**2,
        12 * 1024**2, memory_process),
    Row("grpc-fanout", "gRPC fan-out", "100 streams on 100 connections, 20,000/s", "/s of one core",
        1e6, 2e6, grpc_fanout, lower=False),
    Row("grpc-sparse", "gRPC fan-out, sparse", "the same, 200/s: CPU per delivery", "us", 30,
        15, grpc_sparse, beside=GRPC_LIBRARY),
    Row("grpc-after-idle", "gRPC after idle", "one event every 1.5 s: p99.9", "ms", 5, 1,
        grpc_after_idle, quick=False, beside=GRPC_LIBRARY),
    Row("memory-grpc", "memory, gRPC", "5,000 streams: per connection and stream",
        "bytes", 50 * 1024, 30 * 1024, memory_grpc_connection,
        beside=GRPC_LIBRARY),
    Row("memory-grpc-stream", "memory, gRPC", "5,000 streams on 100 connections: per further stream",
        "bytes", 8 * 1024, 4 * 1024, memory_grpc_stream, quick=False, beside=GRPC_LIBRARY),
    Row("slow-consumers", "slow consumers", "1,000 clients, 5 % never read, 5 % read 10 KB/s; 1 KB at "
        "500/s: healthy p99, of that without them", "x", 1.2, 1.05, slow_consumers),
    Row("cores", "cores", "fan-out, 750 clients, 600/s, with 1 and 2 shards", "x", 1.6, 1.9, cores,
        lower=False),
    Row("soak", "soak", "10 min, both transports, joins and leaves, slow ones: WebSocket p99.9", "ms",
        None, 20, soak, quick=False),
    Row("not-busy", "latency when not busy", "100 clients, 20/s: p99", "ms", 3, 1,
        not_busy),
    *CLUSTER_ROWS,
]


def merge(measured):
    """The middle of each figure over several runs."""
    return {name: middle([one[name] for one in measured]) for name in measured[0]}
