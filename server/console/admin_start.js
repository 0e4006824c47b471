// The administrators' page: looks at the server every few seconds, and asks for a token where the
// server does.
class AdminPage {
  static kPeriod = 3000;  // milliseconds between looks

  constructor() {
    this.calls = new AdminCalls();
    this.actions = new Actions(this.calls, {
      filter: () => this.sessions.filter,
      done: () => this.look(),
    });
    this.sessions = sessionListing(this.calls, (session) => this.actions.choose(session));
    this.topics = topicListing(this.calls);
    this.up = null;
    byId('login').addEventListener('submit', (event) => {
      event.preventDefault();
      this.useToken(byId('token').value.trim());
    });
    byId('forget').addEventListener('click', () => this.useToken(''));
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden) this.look();
    });
    this.look();
  }

  useToken(token) {
    // What a header can hold (RFC 6750, section 2.1).
    if (token && !/^[\w.~+/=-]+$/.test(token)) {
      byId('login-why').textContent = 'This is no token: it has characters that none has.';
      return;
    }
    this.calls.token = token;
    this.waitsForToken = false;
    byId('token').value = '';
    byId('forget').hidden = !token;
    // Nothing that one token was shown stays for who comes after.
    for (const listing of [this.sessions, this.topics]) {
      listing.next = '';
      listing.show([]);
      listing.note('');
    }
    for (const id of ['facts', 'flags', 'done']) byId(id).replaceChildren();
    this.look();
  }

  // Now, and from then on by itself. One look at a time.
  async look() {
    clearTimeout(this.timer);
    if (this.looking) {
      this.again = true;
      return;
    }
    this.looking = true;
    this.again = false;
    // A page that nobody sees asks for nothing.
    if (!document.hidden && !this.waitsForToken) await this.ask();
    this.looking = false;
    if (this.again) return this.look();
    this.timer = setTimeout(() => this.look(), AdminPage.kPeriod);
  }

  async ask() {
    const {token} = this.calls;
    try {
      const info = await this.calls.call('GetServerInfo');
      if (token !== this.calls.token) return;
      const known = Boolean(this.info);
      this.info = info;
      this.actions.drainTime = info.flags?.drain_time ?? '';
      if (!known) byId('log-level').elements.level.value = info.logLevel;
      showServer(info);
      byId('login').hidden = true;
      this.set(true, info.draining ? 'draining' : 'live');
      await Promise.all([this.sessions.look(), this.topics.look()]);
    } catch (error) {
      if (token !== this.calls.token) return;
      if (asksForToken(error)) {
        this.askForToken(error.message);
        return this.set(false, 'The server asks for a token');
      }
      this.set(false, error.code ? error.message : `${error.message}. Trying again.`);
    }
  }

  askForToken(why) {
    this.waitsForToken = true;
    byId('login-why').textContent = `The server says: ${why}.`;
    if (!byId('login').hidden) return;
    byId('login').hidden = false;
    byId('token').focus();
  }

  set(up, text) {
    if (this.up !== up) announce(text);
    this.up = up;
    byId('state').className = `state ${up ? 'up' : 'gone'}`;
    byId('state-text').textContent = text;
    if (!up) byId('uptime').textContent = '';
  }
}

document.title = `crier admin \u00b7 ${location.host}`;
const page = new AdminPage();
