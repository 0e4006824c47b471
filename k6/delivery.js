// The study's load with users who stay to receive: the same scenarios on k6/websockets, whose event
// loop keeps reading while a user waits. Measures round trips and broadcast delivery, and counts
// the messages that were sent, owed and received.
//
// Environment: WS_URL, TIME, USERS, MESSAGES, SAMPLE, OUT; see README.md in this folder.
import { sleep } from 'k6';
import { Trend } from 'k6/metrics';
import { WebSocket } from 'k6/websockets';
import { Conversation } from './lib/conversation.js';
import { byScenario, scenarios, usersTag } from './lib/scenarios.js';
import { connectLimit, deliveryLimit, moreMessages, pause, wsUrl } from './lib/settings.js';
import { summary, trendStats } from './lib/summary.js';

const toServer = new Trend('direct_to_server', true);
const fromServer = new Trend('direct_from_server', true);

export const options = {
  scenarios: scenarios(),
  summaryTrendStats: trendStats,
  thresholds: {
    checks: ['rate==1'],
    deliveries_lost: ['count==0'],
    messages_refused: ['count==0'],
    ws_connecting: [`p(95)<${connectLimit}`],
    broadcast_delivery: [`p(95)<${deliveryLimit}`],
    direct_round_trip: [`p(95)<${deliveryLimit}`],
    ...byScenario(['ws_connecting', 'broadcast_delivery']),
  },
};

// One iteration: sends `plan`, each after a pause, and stays until all of it has come back.
function session(plan, afterAnswer) {
  sleep(pause);
  const user = String(__VU);
  const tags = { users: usersTag() };
  const socket = new WebSocket(wsUrl, null, { tags });
  const conversation = new Conversation({
    plan,
    afterAnswer,
    tags,
    send: (action) => socket.send(JSON.stringify({
      user_id: user, action_type: action, body: String(Date.now()), data: null,
    })),
    leave: () => socket.close(),
  });

  socket.onopen = () => conversation.begin();
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    const clock = Number(message.body);
    switch (message.action_type) {
      case 'broadcast': {
        const { epoch, offset } = message;
        conversation.broadcast({ clock, own: message.user_id === user, epoch, offset });
        break;
      }
      case 'direct': {
        // The server's receive time in nanoseconds since 1970, if it sends one.
        const serverClock = Number(message.data) / 1e6;
        if (serverClock > 0) {
          toServer.add(serverClock - clock, tags);
          fromServer.add(Date.now() - serverClock, tags);
        }
        conversation.direct(clock);
        break;
      }
      case 'gap': {
        // "FIRST-LAST". Without an epoch, the gap is in the mailbox.
        const [first, last] = message.body.split('-').map(Number);
        if (message.epoch !== undefined) conversation.gap(message.epoch, first, last);
        break;
      }
      case 'error':
        conversation.refused();
        break;
      default:
    }
  };
  // Not every runner says whether there was a close frame. If it does not, count it as seen.
  socket.onclose = ({ wasClean }) => conversation.over(conversation.left && wasClean !== false);
}

export function constVUWith3DirectMessages() {
  session(Array(3).fill('direct'), true);
}

export function rampUp50With100Messages() {
  session(Array(moreMessages + 2).fill('broadcast'), false);
}

export function rampUp50WithSingleMessage() {
  session(['broadcast'], false);
}

export function handleSummary(data) {
  return summary('delivery', data, [
    { title: 'Broadcast delivery, by users', unit: 'ms', metric: 'broadcast_delivery' },
    { title: 'Connecting, by users', unit: 'ms', metric: 'ws_connecting' },
  ]);
}
