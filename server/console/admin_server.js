// What GetServerInfo says.

// "9.123456s" as seconds.
const secondsOf = (duration) => parseFloat(duration ?? '0');

// The server's clock in milliseconds, by what it said last: ours may be another.
let clockOffset = 0;
const serverTime = () => Date.now() - clockOffset;

function definition(list, entries) {
  const shown = [...list.querySelectorAll('dd')].map((node) => node.textContent);
  if (shown.length === entries.length && entries.every(([, text], i) => text === shown[i])) return;
  list.replaceChildren(...entries.flatMap(
      ([name, text]) => [make('dt', {}, name), make('dd', {}, text)]));
}

// Of the server that answers the page.
function showHead(info) {
  clockOffset = Date.now() - Date.parse(info.startedAt) - 1000 * secondsOf(info.uptime);
  byId('version').textContent = info.version;
  byId('uptime').textContent = `, up ${format.duration(secondsOf(info.uptime))}`;
}

// Of that, or of another node.
function showServer(info) {
  const limits = info.limits ?? {};
  const limit = (value) => Number(value ?? 0) ? count(Number(value)) : 'no limit';
  definition(byId('facts'), [
    ...(info.node ? [['Node', info.node]] : []),
    ['Sessions', count(Number(info.sessions ?? 0))],
    ['Connections', `${count(Number(info.connections ?? 0))} of ${limit(limits.maxConnections)}`],
    ['Started', new Date(info.startedAt).toLocaleString()],
    ['Shards', String(info.shards)],
    ['Log level', info.logLevel],
    ['HTTP', info.httpListen || 'off'],
    ['gRPC', info.grpcListen || 'off'],
    ['Admin', info.adminListen || 'off'],
    ['Memory budget', inWords(format.bytes(Number(limits.memoryBudget ?? 0)))],
    ['Longest body', inWords(format.bytes(Number(limits.maxBodyBytes ?? 0)))],
    ['Topics at most', limit(limits.maxTopics)],
  ]);
  definition(byId('flags'), Object.entries(info.flags ?? {}).sort(([a], [b]) => a < b ? -1 : 1)
      .map(([name, value]) => [`--${name}`, value === '' ? '(empty)' : value]));
}
