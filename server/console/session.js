// One WebSocket of the page, with the form that opens it and what its frames are answered by.
//
// on.entry(session, entry): something for the log, as FrameLog.add takes it, with the event's user.
// on.change(session): its user, its dialect or its state is another.
class Session {
  static kPending = 200;         // frames that an answer may still be matched to
  static kLongestWait = 10000;   // milliseconds between attempts to reconnect

  constructor(number, on) {
    this.number = number;
    this.on = on;
    this.socket = null;
    this.waiting = [];     // frames to send once the connection stands
    this.pending = [];     // sent, and what would answer them
    this.reconnectAt = 0;  // 0: not lost, or not to reconnect
    this.attempts = 0;
    this.form = byId('session-form').content.firstElementChild.cloneNode(true);
    this.form.id = `session-${number}`;
    this.form.setAttribute('aria-label', `Session ${number}`);
    this.part('who').textContent = number;
    this.form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.idle ? this.connect() : this.leave();
    });
    this.form.addEventListener('input', () => this.on.change(this));
  }

  part(name) { return this.form.querySelector(`.${name}`); }
  get user() { return userOfToken(this.token) || this.part('user').value; }
  set user(name) { this.part('user').value = name; }
  get token() { return this.part('token').value.trim(); }
  get dialect() { return dialects[this.part('dialect').value]; }
  get idle() { return !this.socket && !this.reconnectAt; }

  // --- The connection.

  connect() {
    // Beside the page, wherever a proxy has put that.
    const url = new URL('ws', location.href);
    url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
    const {token, dialect} = this;
    // The token itself is never part of the URL, which others may log.
    if (this.user && !token) url.search = `?user_id=${encodeURIComponent(this.user)}`;
    const bearer = token && !dialect.auth ? [`crier.bearer.${token}`] : [];
    let socket;
    try {
      socket = new WebSocket(url, [...dialect.subprotocols, ...bearer]);
    } catch {
      this.reconnectAt = 0;
      return this.note('closed', 'This is no token: it has characters that none has.', true);
    }
    this.socket = socket;
    let opened = false;
    socket.onopen = () => {
      opened = true;
      this.opened();
    };
    socket.onmessage = (event) => this.receive(event.data);
    socket.onclose = (event) => this.closed(event, opened);
    this.showState('connecting');
  }

  opened() {
    this.reconnectAt = this.attempts = 0;
    if (this.token && this.dialect.auth) {
      this.socket.send(JSON.stringify(this.dialect.auth(this.token)));
    }
    this.showState(`connected${this.user ? ` as ${this.user}` : ''}`);
    this.note('connected', this.part('dialect').selectedOptions[0].text);
    announce('Connected.');
    for (const frame of this.waiting.splice(0)) this.sendNow(frame);
  }

  closed({code, reason}, opened) {
    this.socket = null;
    this.pending = [];
    for (const {text} of this.waiting.splice(0)) this.note('not sent', text, true);
    const words = this.leaving ? `You disconnected (${code}).` : explainClose(code, reason, opened, this.token);
    const again = !this.leaving && (opened ? [1001, 1006].includes(code) : this.reconnectAt > 0);
    // Told once, not at each attempt.
    if (!this.reconnectAt) {
      this.note('closed', words, !this.leaving);
      announce(words);
    }
    this.leaving = false;
    this.reconnectAt = again
        ? performance.now() + Math.min(Session.kLongestWait, 1000 * 2 ** this.attempts++) : 0;
    this.showState(again ? 'connection lost; reconnects when the server is back' : 'not connected');
  }

  leave() {
    if (this.socket) {
      this.leaving = true;
      this.socket.close(1000);
    } else {
      this.reconnectAt = 0;
      this.showState('not connected');
    }
  }

  // The server has just answered.
  serverIsThere() {
    if (this.reconnectAt && !this.socket && performance.now() >= this.reconnectAt) this.connect();
  }

  showState(text) {
    const {idle} = this;
    this.part('session-state').textContent = text;
    this.form.classList.toggle('up', this.socket?.readyState === WebSocket.OPEN);
    this.part('connect').textContent = idle ? 'Connect' : 'Disconnect';
    this.part('connect').classList.toggle('plain', !idle);
    for (const name of ['dialect', 'user', 'token']) this.part(name).disabled = !idle;
    this.on.change(this);
  }

  // --- Sending. A frame: {text, kind, words, soft, answers}, `answers` as below.

  send(frame) {
    if (this.socket?.readyState === WebSocket.OPEN) return this.sendNow(frame);
    this.waiting.push(frame);
    if (!this.socket) this.connect();
  }

  sendNow(frame) {
    const time = performance.now();
    this.socket.send(frame.text);
    this.on.entry(this, {time, sent: true, mine: true, kind: frame.kind, words: frame.words,
                         soft: frame.soft, raw: frame.text});
    this.pending.push({time, answers: frame.answers});
    if (this.pending.length > Session.kPending) this.pending.shift();
  }

  // The kinds of event that will answer, each with what has to be equal.
  static answers({action, to, topic, body, id}) {
    const answers = {error: id ? {id} : {}};
    const named = id ? {id} : {};
    if (action === 'broadcast') answers.broadcast = {body, topic, ...named};
    if (action === 'direct' && !to) answers.direct = {body, ...named};
    if (action === 'ping') answers.ping = answers.pong = named;
    if (action === 'pong') answers.pong = named;
    if (action === 'presence') answers.presence = {topic, ...named};
    if (id && !['ping', 'pong', 'presence'].includes(action)) answers.ack = {id};
    return answers;
  }

  // --- Receiving.

  receive(text) {
    const time = performance.now();
    let events;
    try {
      events = this.dialect.events(JSON.parse(text));
    } catch {
      events = [{kind: 'unreadable', body: 'This frame is not JSON.', bad: true}];
    }
    events.forEach((event, i) => {
      const place = [];
      if (event.user && !event.note) place.push(`from ${event.user}`);
      if (event.topic) place.push(`in ${event.topic}`);
      if (event.kind === 'error') place.push(advice(event.data));
      const trip = this.roundTrip(event, time);
      this.on.entry(this, {time, sent: false, kind: event.kind, words: String(event.body ?? ''),
                           soft: place.join(' '), trip, bad: event.bad, user: event.user,
                           mine: event.kind !== 'broadcast' || trip !== undefined,
                           raw: events.length === 1 || i === 0 ? text
                                                               : `(${i + 1} of the same frame)`});
      if (event.kind === 'error') announce(`Refused: ${event.body}`);
    });
  }

  // Since the oldest frame that this event answers; undefined: none is known.
  roundTrip(event, time) {
    const i = this.pending.findIndex(({answers}) => answers[event.kind] &&
        Object.entries(answers[event.kind]).every(
            ([name, value]) => (event[name] ?? '') === value));
    if (i < 0) return undefined;
    const sent = this.pending[i];
    delete sent.answers[event.kind];
    const rest = Object.keys(sent.answers);
    if (event.kind === 'error' || rest.every((kind) => kind === 'error')) this.pending.splice(i, 1);
    return time - sent.time;
  }

  note(kind, words, bad = false) {
    this.on.entry(this, {time: performance.now(), mine: true, kind, words, bad});
  }
}

// The user that a token (RFC 7519) names; empty: it is none, or names none.
function userOfToken(token) {
  try {
    const claims = atob(token.split('.')[1].replace(/-/g, '+').replace(/_/g, '/'));
    const bytes = Uint8Array.from(claims, (char) => char.charCodeAt(0));
    return String(JSON.parse(new TextDecoder().decode(bytes)).sub ?? '');
  } catch {
    return '';
  }
}
