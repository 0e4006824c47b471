// What was sent and received, the newest last, drawn a few times a second however fast it comes.
// Keeps the newest 500 entries of the page's own and the newest 500 others, so that others never
// sweep away what answers this page; shows 500 at most.
//
// An entry: {time, session, sent, mine, kind, words, soft, raw, trip, bad}: `words` what it says,
// `soft` who and where, `raw` the frame, `trip` a round trip in milliseconds.
class FrameLog {
  static kMost = 500;
  static kLongest = 4000;  // characters shown of a frame
  static kDelay = 80;      // milliseconds from an entry to its drawing

  constructor() {
    this.list = byId('log');
    this.forget();
    this.paused = false;
    this.timer = 0;
    byId('filter').addEventListener('input', () => this.drawAll());
    byId('mine').addEventListener('change', () => this.drawAll());
    byId('frames').addEventListener('change', () => this.showFrames());
    byId('clear').addEventListener('click', () => this.clear());
    byId('pause').addEventListener('click', () => this.pause(!this.paused));
    this.showFrames();
    this.say();
    // Whoever is at the end stays there, and whoever reads further up is left in peace.
    this.atEnd = true;
    this.list.addEventListener('scroll', () => {
      const {scrollHeight, scrollTop, clientHeight} = this.list;
      this.atEnd = scrollHeight - scrollTop - clientHeight < 40;
    });
    new ResizeObserver(() => this.keepEnd()).observe(this.list);
  }

  keepEnd() {
    if (this.atEnd) this.list.scrollTop = this.list.scrollHeight;
  }

  add(entry) {
    for (const part of ['words', 'raw', 'soft']) entry[part] = FrameLog.cut(entry[part] ?? '');
    entry.number = ++this.total;
    const kept = entry.mine ? this.mine : this.others;
    kept.push(entry);
    if (kept.length > FrameLog.kMost) kept.shift();
    if (entry.mine) this.totalMine++;
    if (!this.timer) this.timer = setTimeout(() => this.draw(), FrameLog.kDelay);
  }

  static cut(text) {
    return text.length <= FrameLog.kLongest ? text :
        `${text.slice(0, FrameLog.kLongest)}\u2026 (${text.length - FrameLog.kLongest} more)`;
  }

  clear() {
    this.forget();
    this.drawAll();
  }

  forget() {
    this.mine = [];
    this.others = [];
    this.total = this.totalMine = 0;
    this.drawn = 0;  // the number of the last entry that was drawn, or left out by the filter
  }

  pause(paused) {
    this.paused = paused;
    byId('pause').setAttribute('aria-pressed', paused);
    byId('pause').textContent = paused ? 'Go on' : 'Pause';
    this.draw();
  }

  showFrames() {
    this.list.classList.toggle('bare', !byId('frames').checked);
    this.keepEnd();
  }

  drawAll() {
    this.list.replaceChildren();
    this.drawn = 0;
    const paused = this.paused;
    this.paused = false;  // what is asked for now is shown now
    this.draw();
    this.paused = paused;
  }

  draw() {
    clearTimeout(this.timer);
    this.timer = 0;
    if (!this.paused && this.drawn < this.total) {
      const {list} = this;
      list.append(...this.undrawn().map((entry) => FrameLog.row(entry)));
      while (list.children.length > FrameLog.kMost) list.firstChild.remove();
      this.drawn = this.total;
      this.keepEnd();
    }
    this.say();
  }

  // What is kept, not drawn yet, and asked for; the oldest first.
  undrawn() {
    const words = byId('filter').value.trim().toLowerCase();
    return [...this.mine, ...(byId('mine').checked ? [] : this.others)]
        .filter((entry) => entry.number > this.drawn && FrameLog.matches(entry, words))
        .sort((a, b) => a.number - b.number).slice(-FrameLog.kMost);
  }

  say() {
    const mineOnly = byId('mine').checked;
    const entries = this.total === 1 ? '1 entry' : `${count(this.total)} entries`;
    const parts = [mineOnly ? `${count(this.totalMine)} of ${entries} are yours` : entries];
    if ((mineOnly ? this.totalMine : this.total) > FrameLog.kMost) {
      parts.push(`the newest ${FrameLog.kMost} shown`);
    }
    if (this.paused && this.drawn < this.total) {
      parts.push(`${count(this.total - this.drawn)} not shown yet`);
    }
    byId('log-note').textContent = this.total ? `${parts.join(', ')}.` :
        'Nothing yet. Connect, or just send: that connects too. ' +
        'A frame is the JSON text of one WebSocket message.';
  }

  static matches(entry, words) {
    return !words || [entry.kind, entry.words, entry.soft, entry.raw].some(
        (text) => text.toLowerCase().includes(words));
  }

  static row(entry) {
    const kind = make('span', {class: 'log-kind'});
    if (entry.sent !== undefined) {
      kind.append(make('i', {'aria-hidden': 'true'}, entry.sent ? '\u2191 ' : '\u2193 '),
                  make('span', {class: 'unseen'}, entry.sent ? 'sent ' : 'received '));
    }
    kind.append(entry.kind);
    const words = make('span', {class: 'log-words'}, entry.words);
    if (entry.soft) words.append(make('em', {}, `${entry.words ? '  ' : ''}${entry.soft}`));
    const who = make('span', {class: `who who-${entry.session}`},
                     make('span', {class: 'unseen'}, 'session '), String(entry.session));
    const row = make('li', {}, make('time', {}, clockTime(entry.time, true)), who, kind, words,
                     make('span', {class: 'log-trip'}));
    if (entry.trip !== undefined) {
      row.lastChild.append(inWords(format.seconds(entry.trip / 1000)));
      row.lastChild.title = 'round trip: from sending to receiving, in this page';
    }
    if (entry.raw) row.append(make('code', {}, entry.raw));
    if (entry.sent) row.classList.add('sent');
    if (entry.bad) row.classList.add('bad');
    return row;
  }
}
