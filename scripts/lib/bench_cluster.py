"""The rows of a cluster: two nodes that share topics through Redis, beside Centrifugo with its Redis
engine under the same load. Nodes and Redis share the server's core.
"""

import re
import subprocess
import sys
from contextlib import contextmanager

import machine
from bench_lab import DEADLINE, GENERATOR_CORE, BenchError
from bench_row import Row
from bench_swarm import Centrifugo, Redis, centrifugo_program, swarm
from crierd_process import shown

BESIDE = "Centrifugo"
EVENT = 120  # bytes of a message with a body of 64, as nodes send it
TOPICS = 200_000


def note(words):
    print(words, file=sys.stderr, flush=True)


@contextmanager
def _nodes(lab, centrifugo=False):
    """(redis, node to publish to, node to follow on), and their addresses."""
    with Redis() as redis:
        lab.note(redis.command)
        if centrifugo:
            with Centrifugo(redis) as first, Centrifugo(redis) as second:
                lab.note(first.command)
                yield redis, first, second, first.address, second.address
            return
        flag = f"--cluster_url={redis.url}"
        with lab.server(flag) as first, lab.server(flag) as second:
            yield redis, first, second, first.http, second.http


def _has_centrifugo():
    if centrifugo_program():
        return True
    note("    no centrifugo here (on PATH, or CENTRIFUGO=FILE): what stands beside is left out")
    return False


def _remote(lab, clients, rate, seconds, centrifugo=False):
    """What clients of one node get of what is published on the other; `each`: that node's CPU in
    microseconds per delivery."""
    with _nodes(lab, centrifugo) as (redis, first, second, publish_to, follow_on):
        result = swarm(lab, [follow_on], clients, publish_to, rate, lab.seconds(seconds),
                       [first.pid, second.pid, redis.pid], centrifugo=centrifugo)
    result["each"] = 1e6 * result["cpu"][1] / result["received"]
    return result


def _latency(result):
    return {name: result[name] for name in ("p50", "p99", "max")}


def _beside(ours, theirs):
    return {"floor": theirs, "ratio": ours / theirs}


def latency(lab):
    ours = _remote(lab, 100, 20, 8)
    figures = {"cluster-latency": ours["p99"], **_latency(ours)}
    if _has_centrifugo():
        figures |= _beside(ours["p99"], _remote(lab, 100, 20, 8, centrifugo=True)["p99"])
    return figures


def _local(lab):
    """CPU in microseconds per delivery of a node that is alone. It has the publisher too."""
    with lab.server() as server:
        result = swarm(lab, [server.http], 500, server.http, 200, lab.seconds(5), [server.pid])
    return 1e6 * result["cpu"][0] / result["received"]


def deliver(lab):
    # In turn, because what else runs on the machine changes both.
    alone = [_local(lab)]
    ours = [_remote(lab, 500, 200, 5), _remote(lab, 500, 200, 5)]
    alone.append(_local(lab))
    each = sum(one["each"] for one in ours) / 2
    figures = {"cluster-deliver": 2 * each / sum(alone), "cpu": each, "local": sum(alone) / 2,
               "rate": ours[0]["received"] / ours[0]["seconds"], **_latency(ours[0])}
    note(f"    {each:.3g} us per remote delivery, {sum(alone) / 2:.3g} us where it is alone")
    if _has_centrifugo():
        theirs = _remote(lab, 500, 200, 5, centrifugo=True)
        note(f"    {BESIDE}: p99 {theirs['p99']:.3g} ms")
        figures |= _beside(each, theirs["each"])
    return figures


def _seen_publish(lab, redis, node, publish_to, ids, centrifugo):
    """The words of a call that publishes, as a node sends it: seen by MONITOR."""
    with subprocess.Popen(["redis-cli", "-p", str(redis.port), "monitor"], stdout=subprocess.PIPE,
                          text=True, errors="replace") as monitor:
        swarm(lab, [publish_to], 0, publish_to, 50, 2, [node.pid], ids=ids, centrifugo=centrifugo)
        monitor.terminate()
        seen = monitor.stdout.read()
    lines = [line for line in seen.splitlines() if '"evalsha"' in line.lower() and "@" in line]
    if not lines:
        raise BenchError("MONITOR has seen no publish")
    return re.findall(r'"((?:[^"\\]|\\.)*)"', lines[-1])


def _publish_cost(lab, ids=False, centrifugo=False):
    """Redis's CPU in microseconds per publish, many calls at a time, of a topic that nobody follows;
    and what each of the commands in it takes."""
    count = lab.seconds(5) * 40_000
    with _nodes(lab, centrifugo) as (redis, node, _, publish_to, _):
        words = ["x" * EVENT if "@" in word else word
                 for word in _seen_publish(lab, redis, node, publish_to, ids, centrifugo)]
        if ids:
            words[5] = f"id:{3 * '__rand_int__'}"  # the third key; 36 digits at random
        redis.ask("config", "resetstat")
        before = _cpu(redis)
        command = ["taskset", "--cpu-list", GENERATOR_CORE, "redis-benchmark", "-p", redis.port, "-n",
                   count, "-c", 20, "-P", 50, "-r", 100_000, "-q", *words]
        lab.note(shown([part or "''" for part in map(str, command)]).replace(str(redis.port), "PORT"))
        subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL,
                       timeout=10 * DEADLINE)
        costs = redis.command_costs()
        if not count <= costs["evalsha"][0] < count + 100:
            raise BenchError(f"of {count} publishes Redis ran {costs['evalsha'][0]}")
        return 1e6 * (_cpu(redis) - before) / count, costs


def _cpu(process):
    return machine.usage(process.pid)[0]


def publish(lab):
    with_id, costs = _publish_cost(lab, ids=True)
    without, _ = _publish_cost(lab)
    for name, (calls, each) in sorted(costs.items(), key=lambda cost: -cost[1][0] * cost[1][1]):
        if calls > 1000:
            note(f"    {name}: {calls} calls, {each} us each (wall time)")
    note(f"    {with_id:.3g} us with an id, {without:.3g} us without")
    figures = {"cluster-publish": 1e6 / with_id, "cpu": with_id, "without id": without}
    if _has_centrifugo():
        theirs, _ = _publish_cost(lab, centrifugo=True)
        figures |= _beside(with_id, theirs)
    return figures


def publish_node(lab):
    """The node's part of a publish with an id, up to its answer."""
    seconds = lab.seconds(5)

    def cost(centrifugo):
        with _nodes(lab, centrifugo) as (redis, node, _, publish_to, _):
            result = swarm(lab, [publish_to], 0, publish_to, 5000, seconds, [node.pid, redis.pid],
                           ids=True, centrifugo=centrifugo)
        note(f"    Redis at this rate: {1e6 * result['cpu'][1] / result['sent']:.3g} us")
        return 1e6 * result["cpu"][0] / result["sent"]
    ours = cost(False)
    figures = {"cluster-publish-node": ours, "cpu": ours}
    if _has_centrifugo():
        figures |= _beside(ours, cost(True))
    return figures


def idle_topics(lab):
    """Channels of topics that nodes subscribe to where many topics are published to and nobody follows one."""
    count = TOPICS if lab.scale >= 1 else int(TOPICS * lab.scale)
    with _nodes(lab) as (redis, node, _, publish_to, _):
        begin = int(redis.info("memory", "used_memory"))
        resident = machine.usage(node.pid)[1]
        swarm(lab, [publish_to], 0, publish_to, 8000, count // 8000, [node.pid], ids=True,
              topics=count)
        topics = int(redis.ask("eval", "return #redis.call('KEYS', '*topic:*')", 0))
        channels = redis.ask("pubsub", "channels", "*follow:bench*").split()
        note(f"    {topics} topics; {len(channels)} channels; "
             f"{(int(redis.info('memory', 'used_memory')) - begin) / topics:.0f} bytes of Redis each, "
             f"with an id each; the node grew by "
             f"{(machine.usage(node.pid)[1] - resident) / topics:.0f} bytes each")
    return {"cluster-idle-topics": len(channels), "topics": topics}


CLUSTER_ROWS = [
    Row("cluster-latency", "cluster, latency", "two nodes, published on one to 100 clients of the "
        "other, 20/s: p99", "ms", 5, None, latency, beside=BESIDE),
    Row("cluster-publish", "cluster, publish", "one Redis, bodies of 64 bytes, with ids: CPU of Redis",
        "/s of one core", 60e3, None, publish, lower=False, beside=BESIDE),
    Row("cluster-publish-node", "cluster, publish, node", "the same at 5,000/s: CPU of the node per "
        "publish", "us", None, None, publish_node, beside=BESIDE),
    Row("cluster-deliver", "cluster, deliver", "500 clients, 200/s from another node: the node's CPU, "
        "of that of a node that is alone", "x", 1.2, None, deliver, beside=BESIDE),
    Row("cluster-idle-topics", "cluster, idle topics", f"{TOPICS:,} topics that nobody follows: "
        "those that nodes subscribe to", "topics", 0, None, idle_topics),
]
