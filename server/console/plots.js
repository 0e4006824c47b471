// What each plot shows of a point of the feed (feed.js).

const perTransport = (name) => [
  {name: 'WebSocket', of: (point) => point[name].websocket},
  {name: 'gRPC', of: (point) => point[name].grpc},
];
const percentiles = (of) => ['p50', 'p95', 'p99'].map(
    (name) => ({name, of: (point) => of(point)[name]}));

function latencyPlot() {
  const control = make('select', {'aria-label': 'Transport'},
                       make('option', {value: ''}, 'all transports'),
                       make('option', {value: 'websocket'}, 'WebSocket'),
                       make('option', {value: 'grpc'}, 'gRPC'));
  const latency = (point) => point.latency[control.value];
  return new Plot({
    title: 'Delivery latency, p95', format: format.seconds, least: 2e-4, control,
    series: percentiles(latency), main: 1,
    note: (point) => latency(point).p95 === null ? 'no deliveries in the last 5 s'
                                                 : 'from receipt to the kernel',
  });
}

function trafficPlots() {
  return [
    new Plot({
      title: 'Live sessions', format: format.count, least: 2, series: perTransport('sessions'),
      figure: (point) => point.sessions.all,
      below: new ConnectionMeter(),
    }),
    new Plot({
      title: 'Deliveries', format: format.rate, least: 2, series: perTransport('deliveries'),
      figure: (point) => point.deliveries.all,
      note: (point) => point.first ? ''
          : `received ${rate(point.received)}, sent ${inWords(format.bytes(point.sent))}/s`,
    }),
    latencyPlot(),
    new Plot({
      title: 'Broadcast latency, p95', format: format.seconds, least: 2e-4,
      series: percentiles((point) => point.broadcast), main: 1,
      note: (point) => point.first ? '' : `to the last session; broadcasts ${rate(point.broadcasts)}`,
    }),
  ];
}

function costPlots() {
  return [
    new Plot({
      title: 'Lagging sessions', format: format.count, least: 2, series: perTransport('lagging'),
      figure: (point) => point.lagging.all,
      note: (point) => `${count(point.skipped)} events skipped, reported as gaps`,
    }),
    new Plot({
      title: 'Memory', format: format.bytes, least: 2e6,
      series: [{name: 'resident', of: (point) => point.memory},
               {name: 'topic logs', of: (point) => point.logs}],
      note: (point) => `${count(point.topics)} topic${point.topics === 1 ? '' : 's'}`,
    }),
    new Plot({
      title: 'CPU, of one core', format: format.percent, least: 2,
      series: [{name: 'CPU', of: (point) => point.cpu}],
      note: (point) => point.perDelivery === null ? ''
          : `${inWords(format.seconds(point.perDelivery))} per delivery`,
    }),
    new Plot({
      title: 'Events per write', format: format.ratio, least: 2,
      series: [{name: 'events per write', of: (point) => point.batch}],
      note: () => 'more than 1: events sent as a batch',
    }),
  ];
}

function errorPlot() {
  return new Plot({
    title: 'Errors and refusals', format: format.rate, least: 1,
    series: [{name: 'frames refused', of: (point) => point.refusalRate},
             {name: 'sessions failed', of: (point) => point.failureRate},
             {name: 'connections refused', of: (point) => point.turnedAwayRate}],
    figure: (point) => point.first ? null
        : point.refusalRate + point.failureRate + point.turnedAwayRate,
    below: new OutcomeTable(),
  });
}

// In the order of the page.
function makePlots() {
  return [...trafficPlots(), ...costPlots(), errorPlot()];
}
