// The page: plots that follow the feed, and a conversation.

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
