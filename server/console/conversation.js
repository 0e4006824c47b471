// The page's own sessions, one or two, the form that sends from either, and the log of both.
class Conversation {
  constructor() {
    this.log = new FrameLog();
    const on = {
      entry: (session, entry) => this.log.add({...entry, session: session.number,
          mine: entry.mine || this.isOurs(entry.user)}),
      change: () => this.showUsers(),
    };
    this.sessions = [new Session(1, on), new Session(2, on)];
    byId('sessions').append(...this.sessions.map(({form}) => form));
    byId('second').addEventListener('click', () => this.showSecond(!this.second));
    byId('compose').addEventListener('submit', (event) => {
      event.preventDefault();
      this.send();
    });
    for (const event of ['input', 'change']) {
      byId('compose').addEventListener(event, () => this.compose());
    }
    byId('by-hand').addEventListener('change', () => this.takeHands());
    byId('raw').addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.send();
    });
    this.showSecond(false);
  }

  // The session that sends.
  get from() { return this.sessions[this.second ? byId('from').selectedIndex : 0]; }

  isOurs(user) {
    return Boolean(user) && this.sessions.some((session) => !session.idle && session.user === user);
  }

  // The server has just answered.
  serverIsThere() {
    for (const session of this.sessions) session.serverIsThere();
  }

  // --- The second session.

  showSecond(shown) {
    const [one, two] = this.sessions;
    this.second = shown;
    two.form.hidden = byId('from-label').hidden = !shown;
    byId('talk').classList.toggle('pair', shown);
    byId('second').textContent = shown ? 'Remove the second session' : 'Add a second session';
    byId('second').setAttribute('aria-expanded', shown);
    if (shown) {
      // Names to try direct messages with, where none was chosen.
      if (one.idle) one.user ||= 'ada';
      two.user ||= one.user === 'bob' ? 'ada' : 'bob';
      two.part('user').focus();
    } else if (!two.idle) {
      two.leave();
    }
    this.showUsers();
  }

  showUsers() {
    if (!this.sessions) return;
    const from = byId('from'), chosen = Math.max(0, from.selectedIndex);
    from.replaceChildren(...this.sessions.map(
        ({number, user}) => make('option', {value: number}, `${number}: ${user || 'no user'}`)));
    from.selectedIndex = chosen;
    const users = this.sessions.filter(({form, user}) => !form.hidden && user);
    byId('users').replaceChildren(...users.map(({user}) => make('option', {value: user})));
    this.compose();
  }

  // --- Sending.

  fields() {
    return Object.fromEntries(['action', 'to', 'topic', 'body', 'id', 'data'].map(
        (name) => [name, byId(name).value]));
  }

  // Shows what the action takes, and the frame that will be sent.
  compose() {
    const fields = this.fields();
    const byHand = byId('by-hand').checked;
    const taken = ['action', 'more', ...kFields[fields.action]];
    for (const label of document.querySelectorAll('[data-field]')) {
      label.hidden = byHand || !taken.includes(label.dataset.field);
    }
    byId('preview').hidden = byHand;
    byId('raw-label').hidden = byId('raw-help').hidden = !byHand;
    byId('topic').placeholder = fields.action === 'broadcast' || fields.action === 'presence'
        ? 'all sessions' : 'name of the topic';
    byId('preview').textContent = JSON.stringify(this.from.dialect.frame(fields));
  }

  takeHands() {
    this.compose();
    if (!byId('by-hand').checked) return;
    byId('raw').value = byId('preview').textContent;
    byId('raw').focus();
  }

  send() {
    const fields = this.fields();
    this.from.send(byId('by-hand').checked
        ? {text: byId('raw').value, kind: 'by hand', words: '', answers: {}}
        : {text: JSON.stringify(this.from.dialect.frame(fields)), kind: fields.action,
           ...Conversation.describe(fields), answers: Session.answers(fields)});
    byId('body').select();
  }

  static describe({action, to, topic, body}) {
    const taken = kFields[action];
    const place = [];
    if (to && taken.includes('to')) place.push(`to ${to}`);
    if (topic && taken.includes('topic')) place.push(`in ${topic}`);
    return {words: taken.includes('body') ? body : '', soft: place.join(' ')};
  }
}
