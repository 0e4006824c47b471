"""The plots of a report, and the Prometheus queries for them.

The study's servers use the names without "crier_", and any server may have them. Rates and latencies in
plots are over 5 s.
"""

from dataclasses import dataclass, field

BROADCAST = "ws_broadcast_duration_seconds"
HANDLING = "ws_message_handling_duration_seconds"
DELIVERY = "crier_delivery_seconds"

# The names of the study's dashboards and of client libraries, which another server may have.
STUDY_NAMES = ["ws_connections", "all_ws_connections_total", "ws_conn_closed_errors_total",
               f"{BROADCAST}_bucket", f"{HANDLING}_bucket",
               "process_cpu_seconds_total", "process_resident_memory_bytes"]


def quantile(q, histogram, by=""):
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({q}, sum by ({labels}) (rate({histogram}_bucket[5s])))"


def rate(counter, by=""):
    labels = f" by ({by})" if by else ""
    return f"sum{labels} (rate({counter}[5s]))"


@dataclass(frozen=True)
class Panel:
    """A plot of lines: each query's series, named by the query's name and the series's transport.

    `growth`: the values count from the start of the run. `process`: where there are no metrics, the
    kernel says it. `websocket`: it says nothing of gRPC.
    """
    key: str
    title: str
    unit: str
    queries: dict
    growth: bool = False
    process: bool = False
    websocket: bool = False
    words: str = ""


LINES = [
    Panel("connections", "Connections now", "",
          {"WebSocket": "sum(ws_connections)", "gRPC": 'sum(crier_sessions{transport="grpc"})'}),
    Panel("memory", "Memory (resident)", "bytes", {"": "sum(process_resident_memory_bytes)"},
          process=True),
    Panel("cpu", "CPU (100 % is one core)", "share", {"": rate("process_cpu_seconds_total")},
          process=True),
    Panel("connections_total", "Connections in all", "",
          {"WebSocket": "sum(all_ws_connections_total)",
           "gRPC": 'sum(crier_sessions{transport="grpc"}) + '
                   'sum(crier_sessions_ended_total{transport="grpc"})'},
          growth=True),
    Panel("closed_errors", "Closed-connection errors", "",
          {"WebSocket": "sum(ws_conn_closed_errors_total)",
           "gRPC": 'sum(crier_sessions_ended_total{transport="grpc",outcome="connection_lost"})'},
          growth=True, words="Connections that ended without a close frame, since the start."),
    Panel("broadcast", "Broadcast latency", "s",
          {"p50": quantile(0.5, BROADCAST), "p95": quantile(0.95, BROADCAST)},
          words="From a broadcast's receipt until every session that could take it has been handed "
                "it, as measured by the server."),
    Panel("handling", "Handling latency", "s",
          {"p50": quantile(0.5, HANDLING), "p95": quantile(0.95, HANDLING)}, websocket=True,
          words="From a message's last byte until the message is handed on, including decoding."),
    Panel("delivery", "Delivery latency by transport", "s",
          {"p50": quantile(0.5, DELIVERY, "transport"), "p95": quantile(0.95, DELIVERY, "transport")},
          words="From a message's receipt until it is handed to the kernel, for a sample of the "
                "deliveries. Lagging sessions count too, so it is long if clients read late."),
    Panel("events_per_write", "Events per write", "",
          {"": f'{rate("crier_events_delivered_total", "transport")} / '
               f'{rate("crier_writes_total", "transport")}'},
          words="Answers to upgrades and close frames also count as writes, so the value can be below 1."),
    Panel("lagging", "Lagging sessions", "", {"": "sum by (transport) (crier_sessions_lagging)"},
          words="Sessions whose socket takes no more bytes."),
    Panel("messages_in", "Messages in", "per second",
          {"all": f'{rate("crier_messages_received_total")} or {rate(HANDLING + "_count")}',
           "broadcasts handled": rate(f"{BROADCAST}_count")}),
    Panel("events_out", "Events out", "per second",
          {"": rate("crier_events_delivered_total", "transport")}),
]


@dataclass(frozen=True)
class HeatPanel:
    """How the observations of a histogram spread over its buckets."""
    key: str
    title: str
    histogram: str
    websocket: bool = False
    words: str = field(default="Darker means a larger share of the observations at that moment.")


HEATMAPS = [
    HeatPanel("broadcast_heatmap", "Broadcast latency: all of it", BROADCAST),
    HeatPanel("handling_heatmap", "Handling latency: all of it", HANDLING, websocket=True),
]
ORDER = ["connections", "memory", "cpu", "connections_total", "closed_errors", "broadcast",
         "broadcast_heatmap", "handling", "handling_heatmap", "delivery", "events_per_write", "lagging",
         "messages_in", "events_out"]

# Counters whose growth over a run the tables show.
COUNTERS = {
    "connections_total": "all_ws_connections_total",
    "closed_errors": "ws_conn_closed_errors_total",
    "grpc_sessions": 'crier_sessions_ended_total{transport="grpc"}',
    "grpc_lost": 'crier_sessions_ended_total{transport="grpc",outcome="connection_lost"}',
    "handled": f"{HANDLING}_count",
    "handling_seconds": f"{HANDLING}_sum",
    "broadcasts": f"{BROADCAST}_count",
    "broadcast_seconds": f"{BROADCAST}_sum",
    "broadcasts_received": 'crier_messages_received_total{action="broadcast"}',
    "delivered": "crier_events_delivered_total",
    "skipped": "crier_events_skipped_total",
    "writes": "crier_writes_total",
}
HISTOGRAMS = {"broadcast": BROADCAST, "handling": HANDLING, "delivery": DELIVERY}
