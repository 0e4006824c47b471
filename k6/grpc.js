// The study's load over a gRPC bidirectional stream (crier.v1's Messaging/Connect), with users who
// stay to receive. Each iteration opens a new connection, like a new WebSocket.
//
// A session of crier continues after the client has closed its sending side, and k6 cannot cancel a
// stream. So a user leaves by closing its connection, which the script sees as CANCELLED.
//
// Environment: GRPC_ADDRESS, TIME, USERS, MESSAGES, SAMPLE, OUT; see README.md in this folder.
import { sleep } from 'k6';
import { Trend } from 'k6/metrics';
import grpc from 'k6/net/grpc';
import { Conversation, patience } from './lib/conversation.js';
import { byScenario, scenarios, usersTag } from './lib/scenarios.js';
import { connectLimit, deliveryLimit, grpcAddress, moreMessages, pause } from './lib/settings.js';
import { summary, trendStats } from './lib/summary.js';

const opening = new Trend('stream_opening', true);

export const options = {
  scenarios: scenarios(),
  summaryTrendStats: trendStats,
  thresholds: {
    checks: ['rate==1'],
    deliveries_lost: ['count==0'],
    messages_refused: ['count==0'],
    stream_opening: [`p(95)<${connectLimit}`],
    broadcast_delivery: [`p(95)<${deliveryLimit}`],
    direct_round_trip: [`p(95)<${deliveryLimit}`],
    ...byScenario(['stream_opening', 'broadcast_delivery']),
  },
};

const client = new grpc.Client();
client.load(['../proto'], 'crier/v1/messaging.proto');

// One iteration: sends `plan`, each after a pause, and stays until all of it has come back.
function session(plan, afterAnswer) {
  sleep(pause);
  const user = String(__VU);
  const tags = { users: usersTag() };
  const begin = Date.now();
  client.connect(grpcAddress, { plaintext: true });
  const stream = new grpc.Stream(client, 'crier.v1.Messaging/Connect', { tags });
  const conversation = new Conversation({
    plan,
    afterAnswer,
    tags,
    send: (action) => stream.write({
      publish: { userId: user, actionType: action, body: String(Date.now()) },
    }),
    leave: () => client.close(),
  });
  // If there is no welcome by now, there will be none.
  const unanswered = setTimeout(() => conversation.go(), patience);

  // Offsets are 64-bit numbers, which are strings in JSON.
  const onMessage = ({ actionType, body, userId, epoch, offset }) => {
    const clock = Number(body);
    if (actionType === 'BROADCAST') {
      conversation.broadcast({ clock, own: userId === user, epoch, offset: Number(offset) });
    } else {
      conversation.direct(clock);
    }
  };
  stream.on('data', ({ events = [] }) => {
    for (const { welcome, message, gap, error } of events) {
      if (message) {
        onMessage(message);
      } else if (welcome) {
        opening.add(Date.now() - begin, tags);
        clearTimeout(unanswered);
        conversation.begin();
      } else if (gap && !gap.mailbox) {
        conversation.gap(gap.epoch, Number(gap.first), Number(gap.last));
      } else if (error) {
        conversation.refused();
      }
    }
  });

  let status = grpc.StatusOK;
  stream.on('error', ({ code }) => {
    status = code;
  });
  stream.on('end', () => {
    const asAsked = conversation.left && [grpc.StatusOK, grpc.StatusCanceled].includes(status);
    if (!conversation.left) client.close();
    clearTimeout(unanswered);
    conversation.over(asAsked);
  });
}

export function constVUWith3DirectMessages() {
  session(Array(3).fill('DIRECT'), true);
}

export function rampUp50With100Messages() {
  session(Array(moreMessages + 2).fill('BROADCAST'), false);
}

export function rampUp50WithSingleMessage() {
  session(['BROADCAST'], false);
}

export function handleSummary(data) {
  return summary('grpc', data, [
    { title: 'Broadcast delivery, by users', unit: 'ms', metric: 'broadcast_delivery' },
    { title: 'Opening a stream, by users', unit: 'ms', metric: 'stream_opening' },
  ]);
}
