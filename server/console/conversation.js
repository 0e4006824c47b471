// The page's own session: one WebSocket, the form that sends, and the log of both ways.
class Conversation {
  static kPending = 200;         // frames that an answer may still be matched to
  static kLongestWait = 10000;   // milliseconds between attempts to come back

  constructor() {
    this.log = new FrameLog();
    this.socket = null;
    this.waiting = [];     // frames to send once the connection stands
    this.pending = [];     // sent, and what would answer them
    this.comeBackAt = 0;   // 0: not lost, or not wanted back
    this.attempts = 0;
    byId('session').addEventListener('submit', (event) => {
      event.preventDefault();
      this.socket || this.comeBackAt ? this.leave() : this.connect();
    });
    byId('compose').addEventListener('submit', (event) => {
      event.preventDefault();
      this.send();
    });
    for (const form of ['session', 'compose']) {
      for (const event of ['input', 'change']) {
        byId(form).addEventListener(event, () => this.compose());
      }
    }
    byId('by-hand').addEventListener('change', () => this.changeHands());
    byId('raw').addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.send();
    });
    this.compose();
  }

  get dialect() { return dialects[byId('dialect').value]; }

  // --- The connection.

  connect() {
    const user = byId('user').value;
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
    const query = user ? `?user_id=${encodeURIComponent(user)}` : '';
    const socket = new WebSocket(`${scheme}://${location.host}/ws${query}`, this.dialect.subprotocols);
    this.socket = socket;
    let opened = false;
    socket.onopen = () => {
      opened = true;
      this.opened(user);
    };
    socket.onmessage = (event) => this.receive(event.data);
    socket.onclose = (event) => this.closed(event, opened);
    this.showState('connecting');
  }

  opened(user) {
    this.comeBackAt = this.attempts = 0;
    this.showState(`connected${user ? ` as ${user}` : ''}`);
    this.note('connected', byId('dialect').selectedOptions[0].text);
    announce('Connected.');
    for (const frame of this.waiting.splice(0)) this.sendFrame(frame);
  }

  closed({code, reason}, opened) {
    this.socket = null;
    this.pending = [];
    for (const {text} of this.waiting.splice(0)) this.note('not sent', text, true);
    const words = this.leaving ? `You left (${code}).` : explainClose(code, reason, opened);
    const again = !this.leaving && (opened ? [1001, 1006].includes(code) : this.comeBackAt > 0);
    // Told once, not at each attempt.
    if (!this.comeBackAt) {
      this.note('closed', words, !this.leaving);
      announce(words);
    }
    this.leaving = false;
    this.comeBackAt = again
        ? performance.now() + Math.min(Conversation.kLongestWait, 1000 * 2 ** this.attempts++) : 0;
    this.showState(again ? 'lost; comes back when the server does' : 'not connected');
  }

  leave() {
    if (this.socket) {
      this.leaving = true;
      this.socket.close(1000);
    } else {
      this.comeBackAt = 0;
      this.showState('not connected');
    }
  }

  // The server has just answered.
  serverIsThere() {
    if (this.comeBackAt && !this.socket && performance.now() >= this.comeBackAt) this.connect();
  }

  showState(text) {
    const idle = !this.socket && !this.comeBackAt;
    byId('session-state').textContent = text;
    byId('connect').textContent = idle ? 'Connect' : 'Disconnect';
    byId('connect').classList.toggle('plain', !idle);
    byId('dialect').disabled = byId('user').disabled = !idle;
  }

  // --- Sending.

  fields() {
    return Object.fromEntries(['action', 'to', 'topic', 'body', 'id', 'data'].map(
        (name) => [name, byId(name).value]));
  }

  // Shows what the action takes, and the frame that will be sent.
  compose() {
    const fields = this.fields();
    const taken = kFields[fields.action];
    for (const label of document.querySelectorAll('[data-field]')) {
      label.hidden = !taken.includes(label.dataset.field);
    }
    byId('topic').placeholder = fields.action === 'broadcast' || fields.action === 'presence'
        ? 'everybody\'s' : 'its name';
    byId('preview').textContent = JSON.stringify(this.dialect.frame(fields));
  }

  changeHands() {
    const byHand = byId('by-hand').checked;
    for (const id of ['fields', 'preview', 'preview-label']) byId(id).hidden = byHand;
    for (const id of ['raw-label', 'raw-help']) byId(id).hidden = !byHand;
    if (!byHand) return;
    byId('raw').value = byId('preview').textContent;
    byId('raw').focus();
  }

  send() {
    const fields = this.fields();
    const frame = byId('by-hand').checked
        ? {text: byId('raw').value, kind: 'by hand', words: '', answers: {}}
        : {text: JSON.stringify(this.dialect.frame(fields)), kind: fields.action,
           ...Conversation.describe(fields), answers: Conversation.answers(fields)};
    if (this.socket?.readyState === WebSocket.OPEN) {
      this.sendFrame(frame);
    } else {
      this.waiting.push(frame);
      if (!this.socket) this.connect();
    }
    byId('body').select();
  }

  sendFrame(frame) {
    const time = performance.now();
    this.socket.send(frame.text);
    this.log.add({time, sent: true, kind: frame.kind, words: frame.words, soft: frame.soft,
                  raw: frame.text});
    this.pending.push({time, answers: frame.answers});
    if (this.pending.length > Conversation.kPending) this.pending.shift();
  }

  static describe({action, to, topic, body}) {
    const taken = kFields[action];
    const place = [];
    if (to && taken.includes('to')) place.push(`to ${to}`);
    if (topic && taken.includes('topic')) place.push(`in ${topic}`);
    return {words: taken.includes('body') ? body : '', soft: place.join(' ')};
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
      events = [{kind: 'unreadable', body: '', bad: true}];
    }
    events.forEach((event, i) => {
      const place = [];
      if (event.user && !event.note) place.push(`from ${event.user}`);
      if (event.topic) place.push(`in ${event.topic}`);
      if (event.kind === 'error') place.push(advice(event.data));
      this.log.add({time, sent: false, kind: event.kind, words: String(event.body ?? ''),
                    soft: place.join(' '), trip: this.roundTrip(event, time), bad: event.bad,
                    raw: events.length === 1 || i === 0 ? text : `(${i + 1} of the same frame)`});
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
    this.log.add({time: performance.now(), kind, words, bad});
  }
}
