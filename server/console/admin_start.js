// The administrators' page: looks at the server every few seconds, and asks for a token where the
// server does.
class AdminPage {
  static kPeriod = 3000;  // milliseconds between looks

  constructor() {
    this.calls = new AdminCalls();
    this.nodes = new Nodes(this.calls, () => this.beginAnew());
    this.actions = new Actions(this.calls, {
      filter: () => this.sessions.filter,
      nodes: this.nodes,
      done: () => this.look(),
    });
    const scope = () => this.nodes.scope;
    this.sessions = sessionListing(this.calls, scope, (session) => this.actions.choose(session));
    this.topics = topicListing(this.calls, scope);
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

  get listings() { return [this.sessions, this.topics]; }

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
    this.nodes.forget();
    for (const listing of this.listings) {
      listing.begin();
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
      showHead(info);
      byId('login').hidden = true;
      this.set(true, info.draining ? 'draining' : 'live');
      await this.nodes.look(info);
      if (token !== this.calls.token) return;
      await Promise.all([this.askNode(info), ...this.listings.map((listing) => this.askList(listing))]);
    } catch (error) {
      if (token !== this.calls.token) return;
      if (asksForToken(error)) {
        this.askForToken(error.message);
        return this.set(false, 'The server asks for a token');
      }
      this.set(false, error.code ? error.message : `${error.message}. Trying again.`);
    }
  }

  // The facts are those of the node that the actions are about. `info`: of the one that is asked.
  async askNode(info) {
    const {here, target} = this.nodes;
    if (target !== here) {
      try {
        info = await this.calls.call('GetServerInfo', {node: target});
      } catch (error) {
        if (!AdminPage.isOfOtherNodes(error)) throw error;
        return;
      }
      if (target !== this.nodes.target) return;
    }
    if (this.levelOf !== target) byId('log-level').elements.level.value = info.logLevel;
    this.levelOf = target;
    showServer(info);
  }

  async askList(listing) {
    try {
      await listing.look();
    } catch (error) {
      if (!this.nodes.here || !AdminPage.isOfOtherNodes(error)) throw error;
      listing.note(error.message);
    }
  }

  // A node does not answer, has gone, or Redis has: the server itself is there.
  static isOfOtherNodes(error) { return ['unavailable', 'not_found'].includes(error.code); }

  // The lists are about other nodes now.
  beginAnew() {
    for (const listing of this.listings) listing.begin();
    this.look();
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
