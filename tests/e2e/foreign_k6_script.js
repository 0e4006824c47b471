// A script by somebody who never saw crier's: k6/ws, the frames of the study, handlers of their own.
import { check } from 'k6';
import { Rate } from 'k6/metrics';
import ws from 'k6/ws';

const good = new Rate('good_answers');

export const options = {
  vus: 5,
  iterations: 20,
  thresholds: { checks: ['rate==1'], good_answers: ['rate==1'], ws_session_duration: ['p(95)<5000'] },
};

const url = __ENV.SERVER || 'ws://127.0.0.1:8000/ws';

export default function chat() {
  const me = 1000 * __VU + __ITER;
  const seen = { Direct: 0, BROADCAST: 0, ping: 0 };
  const response = ws.connect(url, { headers: { 'X-From': 'k6' } }, (socket) => {
    socket.on('open', () => {
      for (const action of Object.keys(seen)) {
        socket.send(JSON.stringify({ user_id: me, action_type: action, body: `${Date.now()}`, extra: [1] }));
      }
      socket.setInterval(() => socket.ping(), 100);
    });
    socket.on('message', (text) => {
      const answer = JSON.parse(text);
      good.add(['direct', 'broadcast', 'ping'].includes(answer.action_type));
      if (Number(answer.user_id) !== me) return;
      for (const action of Object.keys(seen)) {
        if (action.toLowerCase() === answer.action_type) seen[action] += 1;
      }
      if (Object.values(seen).every((n) => n === 1)) socket.close();
    });
    socket.on('error', () => good.add(false));
    socket.setTimeout(() => socket.close(), 4000);
  });
  check(response, { 'status is 101': (r) => r && r.status === 101 });
  check(seen, { 'each message came back once': (s) => Object.values(s).every((n) => n === 1) });
}
