// What was sent and received, the newest last: the last 500 entries, each of bounded length, drawn a
// few times a second however fast they come.
//
// An entry: {time, sent, kind, words, soft, raw, trip, bad}: `words` what it says, `soft` who and
// where, `raw` the frame, `trip` a round trip in milliseconds.
class FrameLog {
  static kMost = 500;
  static kLongest = 4000;  // characters shown of a frame
  static kDelay = 80;      // milliseconds from an entry to its drawing

  constructor() {
    this.list = byId('log');
    this.entries = [];
    this.fresh = 0;     // entries at the end that are not drawn yet
    this.total = 0;
    this.paused = false;
    this.timer = 0;
    byId('filter').addEventListener('input', () => this.drawAll());
    byId('frames').addEventListener('change', () => this.showFrames());
    byId('clear').addEventListener('click', () => this.clear());
    byId('pause').addEventListener('click', () => this.pause(!this.paused));
    this.showFrames();
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
    this.entries.push(entry);
    if (this.entries.length > FrameLog.kMost) this.entries.shift();
    this.fresh = Math.min(this.fresh + 1, FrameLog.kMost);
    this.total++;
    if (!this.timer) this.timer = setTimeout(() => this.draw(), FrameLog.kDelay);
  }

  static cut(text) {
    return text.length <= FrameLog.kLongest ? text :
        `${text.slice(0, FrameLog.kLongest)}\u2026 (${text.length - FrameLog.kLongest} more)`;
  }

  clear() {
    this.entries = [];
    this.total = 0;
    this.drawAll();
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
    this.fresh = this.entries.length;
    const paused = this.paused;
    this.paused = false;  // what is asked for now is shown now
    this.draw();
    this.paused = paused;
    this.say();
  }

  draw() {
    clearTimeout(this.timer);
    this.timer = 0;
    this.say();
    if (this.paused || this.fresh === 0) return;
    const {list} = this;
    const filter = byId('filter').value.trim().toLowerCase();
    const shown = this.entries.slice(-this.fresh).filter((entry) => FrameLog.matches(entry, filter));
    list.append(...shown.map((entry) => FrameLog.row(entry)));
    while (list.children.length > FrameLog.kMost) list.firstChild.remove();
    this.fresh = 0;
    this.keepEnd();
    this.say();
  }

  say() {
    const waiting = this.paused && this.fresh ? ` ${this.fresh} wait.` : '';
    byId('log-note').textContent = this.total === 0
        ? 'Nothing yet. Connect, or just send: that connects too.'
        : `${format.count(this.total)[0]}${format.count(this.total)[1]} in all` +
          (this.total > FrameLog.kMost ? `, the last ${FrameLog.kMost} kept.` : '.') + waiting;
  }

  static matches(entry, filter) {
    return !filter || [entry.kind, entry.words, entry.soft, entry.raw].some(
        (text) => text.toLowerCase().includes(filter));
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
    const row = make('li', {}, make('time', {}, clockTime(entry.time, true)), kind, words,
                     make('span', {class: 'log-trip'}));
    if (entry.trip !== undefined) {
      row.lastChild.append(inWords(format.seconds(entry.trip / 1000)));
      row.lastChild.title = 'from sending to receiving, in this page';
    }
    if (entry.raw) row.append(make('code', {}, entry.raw));
    if (entry.sent) row.classList.add('sent');
    if (entry.bad) row.classList.add('bad');
    return row;
  }
}
