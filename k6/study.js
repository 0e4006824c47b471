// The study's three scenarios on k6/ws, as in the study. sleep() in a handler stops a user's
// reading, so these users are slow consumers. They measure connecting and being served, not
// delivery (delivery.js measures that).
//
// Environment: WS_URL, TIME, USERS, MESSAGES, OUT; see README.md in this folder.
import { check, sleep } from 'k6';
import { Counter } from 'k6/metrics';
import ws from 'k6/ws';
import { byScenario, scenarios, usersTag } from './lib/scenarios.js';
import { connectLimit, moreMessages, pause, wsUrl } from './lib/settings.js';
import { summary, trendStats } from './lib/summary.js';

const sent = new Counter('messages_sent');
const answered = new Counter('direct_answered');
const refused = new Counter('messages_refused');

export const options = {
  scenarios: scenarios(),
  summaryTrendStats: trendStats,
  thresholds: {
    checks: ['rate==1'],
    messages_refused: ['count==0'],
    ws_connecting: [`p(95)<${connectLimit}`],
    ...byScenario(['ws_connecting']),
  },
};

function send(socket, action) {
  socket.send(JSON.stringify({
    user_id: String(__VU), action_type: action, body: String(Date.now()), data: null,
  }));
  sent.add(1, { action });
}

// One iteration: waits, connects, and lets `talk` do the rest until it has closed the socket.
function session(talk) {
  sleep(pause);
  const response = ws.connect(wsUrl, { tags: { users: usersTag() } }, talk);
  check(response, { 'the upgrade answered 101': (r) => r && r.status === 101 });
}

// Three direct messages: one at once, one after each of the first two answers.
export function constVUWith3DirectMessages() {
  let answers = 0;
  session((socket) => {
    socket.on('open', () => {
      send(socket, 'direct');
      sleep(pause);
    });
    socket.on('message', (text) => {
      const { action_type: action } = JSON.parse(text);
      if (action === 'error') refused.add(1);
      if (action !== 'direct') return;
      answered.add(1);
      sleep(pause);
      answers += 1;
      if (answers < 3) {
        send(socket, 'direct');
      } else {
        socket.close();
      }
    });
    // If no answer comes, the check below fails.
    socket.setTimeout(() => socket.close(), 10000);
  });
  check(answers, { 'every direct message was answered': (n) => n === 3 });
}

// One broadcast, a hundred more, one every 0.7 s, and a last one. Nothing is read meanwhile.
export function rampUp50With100Messages() {
  session((socket) => {
    socket.on('open', () => {
      send(socket, 'broadcast');
      sleep(pause);
      for (let i = 0; i < moreMessages; i += 1) {
        send(socket, 'broadcast');
        sleep(pause);
      }
      send(socket, 'broadcast');
      socket.close();
    });
  });
}

export function rampUp50WithSingleMessage() {
  session((socket) => {
    socket.on('open', () => {
      send(socket, 'broadcast');
      sleep(pause);
      socket.close();
    });
  });
}

export function handleSummary(data) {
  return summary('study', data, [
    { title: 'Connecting, by users', unit: 'ms', metric: 'ws_connecting' },
  ]);
}
