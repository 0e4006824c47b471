// The nodes of the server's cluster: what each has and does, and which of them the page is about. A
// server without a cluster has no such table.
class Nodes {
  static kLeast = 1000;  // milliseconds that a rate is over

  // changed(): the page is about other nodes now.
  constructor(calls, changed) {
    this.calls = calls;
    this.changed = changed;
    this.rows = new Rows(byId('nodes'), {
      key: (node) => node.name,
      cells: (node) => Nodes.cells(node),
      made: (row, node) => this.made(row, node),
      changed: (row, node) => this.draw(row, node),
    });
    byId('all-nodes').addEventListener('click', () => this.choose(''));
    this.forget();
  }

  forget() {
    this.here = '';         // the node that answers; empty: there is no cluster
    this.away = false;      // Redis is, so other nodes cannot be asked
    this.chosen = '';       // the one that the page is about alone
    this.known = new Map(); // by name: what a node has said, and its rates so far
    this.rows.show([]);
    for (const id of ['nodes-sum', 'nodes-troubles', 'shown-nodes', 'target']) byId(id).textContent = '';
    byId('all-nodes').hidden = true;
  }

  // A request's `node`: of those that the page is about.
  get scope() { return this.away ? '.' : this.chosen; }
  // The node that what is done to one node is done to.
  get target() { return this.chosen || this.here; }
  // " on all nodes": where the page is about that.
  get where() {
    if (!this.here) return '';
    return this.scope ? ` on node ${this.target}` : ' on all nodes';
  }

  choose(name) {
    this.chosen = name === this.chosen ? '' : name;
    this.show();
    this.changed();
  }

  // What GetServerInfo has said comes first. Throws as AdminCalls.call.
  async look(info) {
    this.here = info.node ?? '';
    document.body.classList.toggle('cluster', this.here !== '');
    if (!this.here) return;
    const {scope, calls: {token}} = this;
    const {answer, away} = await this.ask();
    if (token !== this.calls.token) return;
    if (away !== this.away) announce(away ? 'Redis is away' : 'Redis is back');
    this.away = away;
    this.silent = answer.silentNodes ?? 0;
    const nodes = answer.nodes ?? [];
    for (const node of nodes) this.note(node);
    const there = new Set(nodes.map((node) => node.node));
    for (const [name, known] of this.known) {
      known.silent = there.has(name) ? '' : away ? 'cannot be asked' : 'does not answer';
      // It is one of those that are silent, or it has gone.
      if (known.silent && !away && !this.silent) this.known.delete(name);
    }
    if (away || !this.known.has(this.chosen)) this.chosen = '';
    this.show();
    if (scope !== this.scope) this.changed();
  }

  async ask() {
    try {
      return {answer: await this.calls.call('ListNodes'), away: false};
    } catch (error) {
      if (error.code !== 'unavailable') throw error;
      return {answer: await this.calls.call('ListNodes', {node: '.'}), away: true};
    }
  }

  // What a node says of itself, and how much it did in a second since it was asked last.
  note(node) {
    const stats = node.stats ?? {};
    const number = (name) => Number(stats[name] ?? 0);
    const known = this.known.get(node.node) ?? {name: node.node, messages: [], deliveries: []};
    this.known.set(node.node, known);
    const at = Date.parse(stats.at);
    const counts = {at, messages: number('messagesReceived'), deliveries: number('eventsDelivered')};
    known.counts ??= counts;
    if (at - known.counts.at >= Nodes.kLeast) {
      const seconds = (at - known.counts.at) / 1000;
      for (const name of ['messages', 'deliveries']) {
        known[name].push(Math.max(0, counts[name] - known.counts[name]) / seconds);
        if (known[name].length > Spark.kPoints) known[name].shift();
      }
      known.counts = counts;
    }
    Object.assign(known, {
      asked: Boolean(node.asked),
      draining: Boolean(node.draining),
      sessions: number('websocketSessions') + number('grpcSessions'),
      memory: number('memoryBytes'),
      budget: number('memoryBudget'),
      up: (at - Date.parse(node.startedAt)) / 1000,
      version: node.version,
    });
  }

  // --- What is shown.

  show() {
    const nodes = [...this.known.values()].sort((a, b) => a.name < b.name ? -1 : 1);
    const most = (values) => Math.max(1, ...values);
    // One scale for all nodes, so that they can be compared.
    this.tops = {sessions: most(nodes.map((node) => node.sessions)),
                 messages: most(nodes.flatMap((node) => node.messages)),
                 deliveries: most(nodes.flatMap((node) => node.deliveries))};
    this.rows.show(nodes);
    byId('all-nodes').hidden = !this.chosen;
    byId('shown-nodes').textContent = this.chosen ? `Below: node ${this.chosen} alone.` : '';
    byId('target').textContent = this.target === this.here
        ? `Node ${this.target}, which answers this page. Others can be chosen above.`
        : `Node ${this.target}, which is chosen above.`;
    byId('nodes-sum').textContent = Nodes.sum(nodes);
    byId('nodes-troubles').textContent = this.troubles();
  }

  static sum(nodes) {
    const there = nodes.filter((node) => !node.silent);
    const sum = (of) => there.reduce((all, node) => all + (of(node) ?? 0), 0);
    const sessions = sum((node) => node.sessions);
    const parts = [nodesInWords(there.length), `${count(sessions)} session${sessions === 1 ? '' : 's'}`];
    if (there.some((node) => node.messages.length)) {
      parts.push(`messages ${rate(sum((node) => node.messages.at(-1)))}`,
                 `deliveries ${rate(sum((node) => node.deliveries.at(-1)))}`);
    }
    return parts.join(', ');
  }

  troubles() {
    if (this.away) {
      return 'Redis is away. So the other nodes cannot be asked, and this page is about the node alone ' +
          'that answers it. Publishing is refused until Redis is back.';
    }
    if (!this.silent) return '';
    return this.silent === 1
        ? '1 node does not answer. Its sessions are missing below, and its part of the topics.'
        : `${this.silent} nodes do not answer. Their sessions are missing below, and their part of the topics.`;
  }

  static cells(node) {
    const name = make('span', {}, node.name);
    for (const words of [node.asked && 'this one', node.draining && 'drains', node.silent]) {
      if (words) name.append(' ', make('em', {}, words));
    }
    const up = node.silent ? kNone[0] : format.duration(Math.max(0, node.up));
    return [name, null, null, null, null, up, node.version, null];
  }

  made(row, node) {
    const meter = (label) => make('meter', {min: '0', 'aria-label': label});
    const drawings = [meter('Sessions, beside the other nodes'), new Spark(), new Spark(),
                      meter('Memory, of the budget')];
    row.drawn = drawings.map((drawing, i) => {
      const words = make('span');
      row.children[i + 1].append(make('div', {class: 'drawn'}, drawing.node ?? drawing, words));
      return {words, drawing};
    });
    const button = make('button', {type: 'button', class: 'plain small',
                                   'aria-label': `Only node ${node.name}`}, 'Only this');
    button.addEventListener('click', () => this.choose(node.name));
    row.lastChild.append(button);
  }

  draw(row, node) {
    const [sessions, messages, deliveries, memory] = row.drawn;
    sessions.words.textContent = count(node.sessions);
    Nodes.fill(sessions.drawing, node.sessions, this.tops.sessions);
    for (const [part, name] of [[messages, 'messages'], [deliveries, 'deliveries']]) {
      part.words.textContent = inWords(format.rate(node.silent ? null : node[name].at(-1) ?? null));
      part.drawing.show(node[name], this.tops[name]);
    }
    const kept = inWords(format.bytes(node.memory));
    memory.words.textContent =
        node.budget ? `${kept}, ${Math.round(100 * node.memory / node.budget)}%` : kept;
    memory.words.title = `${kept} of a budget of ${inWords(format.bytes(node.budget))}`;
    Nodes.fill(memory.drawing, node.memory, node.budget);
    // From there on somebody should know.
    memory.drawing.high = 0.9 * node.budget;
    row.classList.toggle('gone', Boolean(node.silent));
    const button = row.lastChild.firstChild;
    button.setAttribute('aria-pressed', node.name === this.chosen);
    button.disabled = this.away;
  }

  static fill(meter, value, most) {
    meter.max = most || 1;
    meter.value = value;
  }
}
