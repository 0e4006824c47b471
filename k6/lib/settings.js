// The settings from the environment: where the server is, and how much shorter or smaller a run is.

function factor(name) {
  const text = __ENV[name];
  if (text === undefined || text === '') return 1;
  const value = Number(text);
  if (!(value > 0)) {
    throw new Error(`${name} is a factor, so a number above 0 (0.1 is a tenth), not "${text}"`);
  }
  return value;
}

function count(name, otherwise, least = 1) {
  const text = __ENV[name];
  if (text === undefined || text === '') return otherwise;
  const value = Number(text);
  if (!Number.isInteger(value) || value < least) {
    throw new Error(`${name} has to be a whole number from ${least}, not "${text}"`);
  }
  return value;
}

export const wsUrl = __ENV.WS_URL || 'ws://127.0.0.1:8000/ws';
export const grpcAddress = __ENV.GRPC_ADDRESS || '127.0.0.1:50051';

// Factors on every duration and on every number of users.
export const time = factor('TIME');
export const users = factor('USERS');

// How many more messages a user of the second scenario sends. A user sends one every 0.7 s, so a
// shorter run needs fewer, or none of its iterations would end.
export const moreMessages = count('MESSAGES', Math.max(3, Math.round(100 * Math.min(1, time))));

// One in this many deliveries is timed, because a runner keeps every value of a trend in memory.
export const sampleEvery = count('SAMPLE', 10);

// The thresholds on latency, in milliseconds.
export const connectLimit = count('CONNECT_P95_MS', 100);
export const deliveryLimit = count('DELIVERY_P95_MS', 500);

// The folder of the summary, and the runner that made it.
export const outFolder = __ENV.OUT || '.';
export const runner = __ENV.RUNNER || 'not said (set RUNNER)';

// The study's pause, in seconds.
export const pause = 0.7;
