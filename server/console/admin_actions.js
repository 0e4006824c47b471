// What administrators do: each form makes one call, and what became of it is shown below. What
// cannot be taken back is asked about first.
class Actions {
  static kKept = 50;

  // filter(): that of the sessions shown. nodes: Nodes. done(): something has changed.
  constructor(calls, {filter, nodes, done}) {
    this.calls = calls;
    this.filter = filter;
    this.nodes = nodes;
    this.done = done;
    this.on('disconnect', (fields) => this.disconnect(fields));
    this.on('publish', (fields) => this.publish(fields));
    this.on('log-level', (fields) => this.setLogLevel(fields));
    this.on('drain', () => this.drain());
    for (const id of ['disconnect', 'publish']) {
      byId(id).addEventListener('change', () => Actions.showFields(byId(id)));
      Actions.showFields(byId(id));
    }
  }

  on(id, act) {
    const form = byId(id);
    form.addEventListener('submit', async (event) => {
      event.preventDefault();
      if (form.dataset.busy) return;
      form.dataset.busy = 'yes';
      try {
        const text = await act(fieldsOf(form));
        if (text) this.note(text);
      } catch (error) {
        this.note(`${event.submitter?.textContent ?? 'The action'} failed: ${error.message}`, true);
      }
      delete form.dataset.busy;
      this.done();
    });
  }

  // The fields that go with what is chosen.
  static showFields(form) {
    const chosen = [...form.querySelectorAll('select')].map((select) => select.value);
    for (const label of form.querySelectorAll('[data-for]')) {
      label.hidden = !chosen.includes(label.dataset.for);
      label.querySelector('input').disabled = label.hidden;
      label.querySelector('input').required =
          !label.hidden && ['sessionId', 'userId', 'DIRECT'].includes(label.dataset.for);
    }
  }

  // Fills in the form for one session.
  choose(session) {
    const form = byId('disconnect');
    form.elements.which.value = 'sessionId';
    Actions.showFields(form);
    form.elements.sessionId.value = session.sessionId;
    form.scrollIntoView({block: 'nearest'});
    form.querySelector('button').focus();
  }

  async disconnect({which, sessionId, userId, detail, advice, seconds}) {
    const {where, scope} = this.nodes;
    const sessions = {sessionId: {sessionId}, userId: {userId}, filter: {filter: this.filter()},
                      all: {all: true}}[which];
    const named = {sessionId: `session ${sessionId}`, userId: `all sessions of ${userId}${where}`,
                   filter: `all sessions with ${Actions.describe(this.filter())}${where}`,
                   all: `all sessions${where || ' of this server'}`}[which];
    if (which === 'filter' && !Object.keys(this.filter()).length) {
      throw new Error('no filter is set above; choose "all sessions" for all');
    }
    if (!await Actions.sure(`Disconnect ${named}?`, 'Disconnect')) return '';
    // One session is on one node only, whichever that is.
    const request = {...sessions, detail, advice, node: which === 'sessionId' ? '' : scope};
    if (seconds !== undefined) request.retryAfter = `${seconds}s`;
    const {disconnected = '0', silentNodes} = await this.calls.call('Disconnect', request);
    const silent = silentNodes ? ` No answer came from ${nodesInWords(silentNodes)}.` : '';
    return `Disconnected ${named}: ${disconnected} session${disconnected === '1' ? '' : 's'}.${silent}`;
  }

  async publish(message) {
    const {recipients = '0', offset} = await this.calls.call('Publish', {message});
    byId('publish').elements.body.select();
    const place = message.actionType === 'DIRECT' ? `to ${message.to}`
        : message.topic ? `in ${message.topic}` : 'to all sessions';
    // A cluster counts nodes.
    const counted = this.nodes.here ? 'node' : 'recipient';
    return `Published ${place}${offset ? `, offset ${offset}` : ''}: ` +
        `${recipients} ${counted}${recipients === '1' ? '' : 's'}.`;
  }

  async setLogLevel({level}) {
    const {here, target} = this.nodes;
    const {previous} = await this.calls.call('SetLogLevel', {level, node: target});
    return `Log level${here ? ` of node ${target}` : ''}: ${level}; it was ${previous}.`;
  }

  async drain() {
    const {here, target} = this.nodes;
    const {flags = {}} = await this.calls.call('GetServerInfo', {node: target});
    const over = flags.drain_time ? ` over ${flags.drain_time}` : '';
    const [what, stops, others] = here ? [`node ${target}`, 'the node', ' The other nodes go on.']
                                       : [location.host, 'the server', ''];
    if (!await Actions.sure(`Drain ${what}? It closes all sessions${over}, and then ${stops} stops.` +
                            `${others} This cannot be taken back.`, 'Drain')) return '';
    const {drainTime} = await this.calls.call('Drain', {node: target});
    return `${here ? `Node ${target}` : 'The server'} drains over ${drainTime}, and then stops.`;
  }

  static describe(filter) {
    const names = {userId: 'user', address: 'address', topic: 'topic', transport: 'transport'};
    return Object.entries(filter).map(
        ([name, value]) => value === true ? name : `${names[name]} ${value}`).join(', ');
  }

  // Whether they mean it. Escape, and a click on "Cancel", say no.
  static sure(text, yes) {
    const dialog = byId('confirm');
    byId('confirm-text').textContent = text;
    byId('confirm-yes').textContent = yes;
    dialog.returnValue = 'no';
    dialog.showModal();
    byId('confirm-no').focus();
    return new Promise((resolve) => {
      dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), {once: true});
    });
  }

  note(text, bad = false) {
    byId('done').prepend(make('li', {}, make('time', {}, clockTime(performance.now())),
                              make('span', bad ? {class: 'bad'} : {}, text)));
    while (byId('done').children.length > Actions.kKept) byId('done').lastChild.remove();
    byId('done-note').hidden = true;
    announce(text);
  }
}
