// The page: eight plots that follow the feed, and a conversation.

const perTransport = (name) => [
  {name: 'WebSocket', of: (point) => point[name].websocket},
  {name: 'gRPC', of: (point) => point[name].grpc},
];
const percentile = (name, of) => ({name, of: (point) => of(point)[name]});

function latencyPlot() {
  const control = make('select', {'aria-label': 'Transport'},
                       make('option', {value: ''}, 'both'),
                       make('option', {value: 'websocket'}, 'WebSocket'),
                       make('option', {value: 'grpc'}, 'gRPC'));
  const latency = (point) => point.latency[control.value];
  return new Plot({
    title: 'Delivery latency, p95', format: format.seconds, least: 2e-4, control,
    series: ['p50', 'p95', 'p99'].map((name) => percentile(name, latency)),
    figure: (point) => latency(point).p95,
    note: (point) => latency(point).p95 === null ? 'nothing sampled in the last 5 s'
                                                 : 'from receipt to the kernel',
  });
}

function makePlots() {
  const count = (value) => inWords(format.count(value));
  const rate = (value) => inWords(format.rate(value));
  const broadcast = (point) => point.broadcast;
  return [
    new Plot({
      title: 'Live connections', format: format.count, least: 2, series: perTransport('sessions'),
      figure: (point) => point.sessions.all,
      note: (point) => `${count(point.accepted)} WebSockets so far, ${count(point.broken)} broken off`,
    }),
    new Plot({
      title: 'Deliveries', format: format.rate, least: 2, series: perTransport('deliveries'),
      figure: (point) => point.deliveries.all,
      note: (point) => point.first ? ''
          : `${rate(point.received)} received, ${inWords(format.bytes(point.sent))}/s sent`,
    }),
    latencyPlot(),
    new Plot({
      title: 'Broadcast to the last session, p95', format: format.seconds, least: 2e-4,
      series: ['p50', 'p95', 'p99'].map((name) => percentile(name, broadcast)),
      figure: (point) => point.broadcast.p95,
      note: (point) => point.first ? '' : `${rate(point.broadcasts)} broadcasts`,
    }),
    new Plot({
      title: 'Lagging sessions', format: format.count, least: 2, series: perTransport('lagging'),
      figure: (point) => point.lagging.all,
      note: (point) => `${count(point.skipped)} events skipped so far, each told`,
    }),
    new Plot({
      title: 'Memory', format: format.bytes, least: 2e6,
      series: [{name: 'resident', of: (point) => point.memory},
               {name: 'logs', of: (point) => point.logs}],
      note: (point) => `${count(point.topics)} topic${point.topics === 1 ? '' : 's'}`,
    }),
    new Plot({
      title: 'CPU, of one core', format: format.percent, least: 2,
      series: [{name: 'process', of: (point) => point.cpu}],
      note: (point) => point.perDelivery === null ? ''
          : `${inWords(format.seconds(point.perDelivery))} per delivery`,
    }),
    new Plot({
      title: 'Events per write', format: format.ratio, least: 2,
      series: [{name: 'batch', of: (point) => point.batch}],
      note: (point) => point.first ? '' : `${rate(point.writes)} writes`,
    }),
  ];
}

class Headline {
  static kSpoken = 30000;  // milliseconds between summaries for those who hear the page

  constructor() {
    this.up = null;
    this.spokenAt = -Infinity;
  }

  point(point) {
    this.set(true, 'live');
    byId('uptime').textContent = `, up ${format.duration(point.uptime)}`;
    byId('version').textContent = point.server.replace('crier/', '');
    const now = performance.now();
    if (now - this.spokenAt < Headline.kSpoken) return;
    this.spokenAt = now;
    announce(`${point.sessions.all} live connections, ` +
        `${inWords(format.rate(point.deliveries.all ?? 0))} deliveries, ` +
        `${point.lagging.all} lagging, memory ${inWords(format.bytes(point.memory))}.`);
  }

  gone(reason) {
    this.reason = reason || 'The server does not answer';
    if (this.up !== false) announce(`${this.reason}. Trying again until it does.`);
  }

  wait(seconds) {
    this.set(false, `${this.reason}. Trying again in ${seconds} s.`);
    byId('uptime').textContent = '';
  }

  set(up, text) {
    if (up && this.up === false) this.spokenAt = -Infinity;
    this.up = up;
    byId('state').className = `state ${up ? 'up' : 'gone'}`;
    byId('state-text').textContent = text;
    byId('retry').hidden = up;
  }
}

document.title = `crier \u00b7 ${location.host}`;
const conversation = new Conversation();
const board = new Board(byId('plots'), makePlots());
const headline = new Headline();
const feed = new Feed({
  point(point) {
    board.add(point);
    headline.point(point);
    conversation.serverIsThere();
  },
  gone(reason) {
    headline.gone(reason);
  },
  wait(seconds) {
    headline.wait(seconds);
    board.leaveGap();
  },
});
byId('plots').addEventListener('change', () => {
  board.show();
  board.draw();
});
byId('retry').addEventListener('click', () => feed.ask());
feed.ask();
