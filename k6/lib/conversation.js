// One session of a user of delivery.js and grpc.js, on any transport. The user sends its messages,
// stays to receive, counts the deliveries that it is owed, and leaves when all of its own messages
// have come back.
import { check } from 'k6';
import { Counter, Trend } from 'k6/metrics';
import { pause, sampleEvery } from './settings.js';

const roundTrip = new Trend('direct_round_trip', true);
const ownBroadcast = new Trend('broadcast_round_trip', true);
const delivery = new Trend('broadcast_delivery', true);
const sent = new Counter('messages_sent');
const refused = new Counter('messages_refused');
const expected = new Counter('deliveries_expected');
const received = new Counter('deliveries_received');
const skipped = new Counter('deliveries_skipped');
const lost = new Counter('deliveries_lost');

// How long a user waits for its own messages to come back, in milliseconds.
export const patience = 10000;

// The offsets show which deliveries are owed. A topic's events are numbered without holes, so
// between the first and the last event that a user saw, only events named by a gap may be missing.
class Ledger {
  constructor() {
    this.epoch = undefined;
    this.next = undefined; // the offset that is due
    this.inOrder = true;
    this.gaps = 0;
  }

  // All from `first` to `last` was delivered, or named by a gap.
  note(epoch, first, last) {
    if (this.epoch !== epoch || this.next === undefined) {
      this.epoch = epoch;
      this.next = first;
    }
    if (first < this.next) this.inOrder = false;
    if (first > this.next) lost.add(first - this.next);
    expected.add(Math.max(0, last - this.next + 1));
    this.next = Math.max(this.next, last + 1);
  }

  gap(epoch, first, last) {
    this.gaps += 1;
    skipped.add(last - first + 1);
    this.note(epoch, first, last);
  }
}

// `plan`: the actions to send, each after a pause. With `afterAnswer`, each also waits for the
// previous answer. `send(action)` sends one, `leave()` ends the session; `tags` are for the
// latencies.
export class Conversation {
  constructor({ plan, afterAnswer, send, leave, tags }) {
    Object.assign(this, { plan, afterAnswer, send, leave, tags });
    this.ledger = new Ledger();
    this.seen = 0; // broadcasts
    this.sent = 0;
    this.back = 0; // of the own messages
    this.begun = false;
    this.rested = false; // the pause after the last message is over
    this.left = false;
    this.timers = [];
  }

  begin() {
    this.begun = true;
    this.sendNext();
  }

  // A direct message came back that was sent at `clock`, in milliseconds.
  direct(clock) {
    roundTrip.add(Date.now() - clock, this.tags);
    this.back += 1;
    if (this.afterAnswer && this.sent < this.plan.length) this.rest();
    this.leaveWhenDone();
  }

  // A broadcast came that was sent at `clock`; without an offset, of a server that has none, it is
  // measured, but nothing is owed that could be counted.
  broadcast({ clock, own, epoch, offset }) {
    const age = Date.now() - clock;
    received.add(1);
    this.seen += 1;
    if (this.seen % sampleEvery === 0) delivery.add(age, this.tags);
    if (offset !== undefined) this.ledger.note(epoch, offset, offset);
    if (!own) return;
    this.back += 1;
    ownBroadcast.add(age, this.tags);
    this.leaveWhenDone();
  }

  gap(epoch, first, last) {
    this.ledger.gap(epoch, first, last);
  }

  refused() {
    refused.add(1);
  }

  // The session is over. `clean` says whether it ended correctly.
  over(clean) {
    this.left = true;
    this.timers.forEach(clearTimeout);
    check(this, {
      'connected': (c) => c.begun,
      'all that was sent came back, or a gap says why not': ({ back, plan, ledger }) => (
        back >= plan.length || ledger.gaps > 0),
      'broadcasts came in order': ({ ledger }) => ledger.inOrder,
      'the session ended as its user asked': () => clean,
    });
  }

  sendNext() {
    if (this.left) return;
    if (this.sent === this.plan.length) {
      this.rested = true;
      this.after(patience, () => this.go());
      this.leaveWhenDone();
      return;
    }
    const action = this.plan[this.sent];
    this.sent += 1;
    this.send(action);
    sent.add(1, { action });
    if (!this.afterAnswer || this.sent === this.plan.length) this.rest();
  }

  rest() {
    this.after(pause * 1000, () => this.sendNext());
  }

  after(milliseconds, then) {
    this.timers.push(setTimeout(then, milliseconds));
  }

  leaveWhenDone() {
    if (this.rested && this.back >= this.plan.length) this.go();
  }

  go() {
    if (this.left) return;
    this.left = true;
    this.leave();
  }
}
