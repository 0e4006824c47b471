// Asks /metrics each second and turns scrapes into points of time.
//
// on.point(point): a new one. on.gone(text): the server does not answer, and why. on.wait(seconds):
// until the next attempt, told each second while it is gone.
class Feed {
  static kPeriod = 1000;       // milliseconds
  static kPatience = 5000;     // for an answer
  static kLongestWait = 10000; // between attempts while the server is gone
  static kWindow = 5;          // scrapes that percentiles look back on

  constructor(on) {
    this.on = on;
    this.history = [];  // the last scrapes of this life of the server, the newest last
    this.failures = 0;
    this.timer = 0;
  }

  // Now, and from then on by itself.
  async ask() {
    if (this.asking) return;
    this.asking = true;
    clearTimeout(this.timer);
    const begin = performance.now();
    try {
      const answer = await fetch('metrics', {cache: 'no-store',
                                             signal: AbortSignal.timeout(Feed.kPatience)});
      if (!answer.ok) throw new Error(`/metrics is answered with ${answer.status}`);
      const scrape = new Scrape(await answer.text());
      if (!scrape.families.has('crier_sessions')) throw new Error('/metrics is not of a crier');
      this.failures = 0;
      this.take(scrape, answer.headers.get('Server') ?? '', performance.now());
      const spent = performance.now() - begin;
      this.asking = false;
      this.timer = setTimeout(() => this.ask(), Math.max(100, Feed.kPeriod - spent));
    } catch (error) {
      this.asking = false;
      this.history = [];
      const wait = Math.min(Feed.kLongestWait, Feed.kPeriod * 2 ** this.failures++);
      // A failed fetch says nothing that is worth repeating.
      this.on.gone(['TypeError', 'TimeoutError'].includes(error.name) ? '' : error.message);
      this.wait(performance.now() + wait);
    }
  }

  wait(until) {
    const left = until - performance.now();
    if (left <= 0) return this.ask();
    this.on.wait(Math.ceil(left / 1000));
    this.timer = setTimeout(() => this.wait(until), Math.min(left, 1000));
  }

  take(scrape, server, time) {
    const state = {
      time,
      scrape,
      start: scrape.sum('process_start_time_seconds'),
      latency: Object.fromEntries(['', 'websocket', 'grpc'].map((transport) => [
        transport, scrape.buckets('crier_delivery_seconds', transport ? {transport} : {})])),
      broadcast: scrape.buckets('ws_broadcast_duration_seconds'),
    };
    // Another process: its counters have begun anew.
    if (this.history.length && this.history[0].start !== state.start) this.history = [];
    const before = this.history.at(-1);
    this.history.push(state);
    if (this.history.length > Feed.kWindow + 1) this.history.shift();
    this.on.point(Feed.point(before, state, this.history[0], server));
  }

  // What a moment looks like. `before`: one scrape earlier, for rates; undefined: there is none.
  // `oldest`: the begin of the window for percentiles.
  static point(before, state, oldest, server) {
    const {scrape} = state;
    const seconds = before ? (state.time - before.time) / 1000 : 0;
    const rateOf = (sum) => before
        ? Math.max(0, sum(scrape) - sum(before.scrape)) / seconds : null;
    const rate = (name, labels) => rateOf((at) => at.sum(name, labels));
    const percentiles = (after, earlier) => {
      const buckets = bucketsBetween(earlier, after);
      return {p50: quantile(0.5, buckets), p95: quantile(0.95, buckets),
              p99: quantile(0.99, buckets)};
    };
    const delivered = rate('crier_events_delivered_total');
    const writes = rate('crier_writes_total');
    const cpu = rate('process_cpu_seconds_total');
    return {
      time: state.time,
      first: !before,  // nothing before it to be joined to
      server,
      uptime: (performance.timeOrigin + state.time) / 1000 - state.start,
      sessions: {websocket: scrape.sum('crier_sessions', {transport: 'websocket'}),
                 grpc: scrape.sum('crier_sessions', {transport: 'grpc'}),
                 all: scrape.sum('crier_sessions')},
      accepted: scrape.sum('all_ws_connections_total'),
      connections: scrape.sum('crier_connections'),
      limit: scrape.sum('crier_connections_limit'),
      deliveries: {websocket: rate('crier_events_delivered_total', {transport: 'websocket'}),
                   grpc: rate('crier_events_delivered_total', {transport: 'grpc'}),
                   all: delivered},
      received: rate('crier_messages_received_total'),
      sent: rate('crier_bytes_sent_total'),
      latency: Object.fromEntries(Object.entries(state.latency).map(
          ([transport, buckets]) => [transport, percentiles(buckets, oldest.latency[transport])])),
      broadcast: percentiles(state.broadcast, oldest.broadcast),
      broadcasts: rate('ws_broadcast_duration_seconds_count'),
      lagging: {websocket: scrape.sum('crier_sessions_lagging', {transport: 'websocket'}),
                grpc: scrape.sum('crier_sessions_lagging', {transport: 'grpc'}),
                all: scrape.sum('crier_sessions_lagging')},
      refusals: scrape.sums('crier_refusals_total', 'outcome'),
      endings: scrape.sums('crier_sessions_ended_total', 'outcome'),
      turnedAway: scrape.sums('crier_connections_refused_total', 'reason'),
      refusalRate: rate('crier_refusals_total'),
      failureRate: rateOf(Feed.failures),
      turnedAwayRate: rate('crier_connections_refused_total'),
      skipped: scrape.sum('crier_events_skipped_total'),
      memory: scrape.sum('process_resident_memory_bytes'),
      logs: scrape.sum('crier_log_bytes'),
      topics: scrape.sum('crier_topics'),
      cpu: cpu === null ? null : 100 * cpu,
      perDelivery: delivered > 0 ? cpu / delivered : null,
      batch: writes > 0 ? delivered / writes : null,
      writes,
    };
  }

  // Sessions that ended otherwise than by the client's leaving or the server's stopping.
  static failures(scrape) {
    const ended = (outcome) => scrape.sum('crier_sessions_ended_total', outcome);
    return ended() - ended({outcome: 'ok'}) - ended({outcome: 'shutdown'});
  }
}
