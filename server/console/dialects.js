// The two dialects that a page can speak (docs/protocol.md, section 4). For each: the subprotocol;
// frame(fields), the object to send; events(object), what a frame from the server holds; auth(token),
// the first frame where a token cannot be a subprotocol beside the dialect's.
//
// fields: action, and what kFields says that the action takes; empty ones are left out.
// An event: {kind, user, topic, body, data, id, bad}, the kind as in the plain dialect.

const kFields = {
  broadcast: ['topic', 'body', 'id', 'data'],
  direct: ['to', 'body', 'id'],
  ping: ['id'],
  pong: ['id'],
  subscribe: ['topic', 'id'],
  unsubscribe: ['topic', 'id'],
  presence: ['topic', 'id'],
};

// What the action takes of the fields, without empty ones; a body is sent even so.
function givenFields(fields) {
  return Object.fromEntries(kFields[fields.action]
      .filter((name) => fields[name] || name === 'body')
      .map((name) => [name, fields[name] ?? '']));
}

const plainDialect = {
  subprotocols: [],
  auth: (token) => ({action_type: 'auth', body: token}),
  frame: (fields) => ({action_type: fields.action, ...givenFields(fields)}),
  events(frame) {
    const kind = String(frame.action_type);
    const words = {
      ack: () => ackWords(frame.offset, frame.recipients, frame.data === 'duplicate'),
      presence: () => presenceWords(frame.body, frame.users),
      presence_change: () => changeWords(frame.body, frame.joined_count, frame.joined,
                                         frame.left_count, frame.left),
      gap: () => gapWords(...String(frame.body).split('-'), frame.data, !('topic' in frame)),
      drain: () => drainWords(Number(frame.body) / 1000),
      error: () => `${frame.data}: ${frame.body}`,
    }[kind];
    return [{kind, user: frame.user_id, topic: frame.topic, body: words ? words() : frame.body,
             data: frame.data, id: frame.id, note: Boolean(words),
             bad: kind === 'error' || kind === 'gap'}];
  },
};

const protoJsonDialect = {
  subprotocols: ['crier.v1.json'],
  frame(fields) {
    const given = givenFields(fields);
    if (['subscribe', 'unsubscribe', 'ping', 'presence'].includes(fields.action)) {
      return {[fields.action]: given};
    }
    return {publish: {actionType: fields.action.toUpperCase(), ...given}};
  },
  events: (frame) => (frame.events ?? []).map((event) => {
    const [kind, value] = Object.entries(event)[0] ?? ['empty', {}];
    return protoJsonEvent(kind, value);
  }),
};

function protoJsonEvent(kind, value) {
  const event = {kind, user: value.userId, topic: value.topic, body: value.body, data: value.data,
                 id: value.id, note: kind !== 'message', bad: kind === 'error' || kind === 'gap'};
  switch (kind) {
    case 'message':
      event.kind = String(value.actionType ?? 'message').toLowerCase();
      break;
    case 'welcome':
      event.body = [`session ${value.sessionId}`,
                    value.userId ? `user ${value.userId}` : 'no user', value.server].join(', ');
      break;
    case 'ack':
      event.body = ackWords(value.offset, value.recipients, value.duplicate);
      break;
    case 'presence':
      event.body = presenceWords(value.sessions ?? '0', value.users);
      break;
    case 'presenceChange':
      event.kind = 'presence_change';
      event.body = changeWords(value.sessions ?? '0', value.joinedCount, value.joined,
                               value.leftCount, value.left);
      break;
    case 'gap':
      event.body = gapWords(value.first, value.last, value.reason, value.mailbox);
      break;
    case 'error':
      event.data = value.outcome;
      event.body = `${value.outcome}: ${value.message}`;
      break;
    case 'drain':
      event.body = drainWords(parseFloat(value.reconnectAfter ?? '0s'));
      break;
  }
  return event;
}

function ackWords(offset, recipients, duplicate) {
  const parts = [];
  if (duplicate) parts.push('duplicate: this id was published before');
  if (Number(offset)) parts.push(`offset ${offset}`);
  // Sessions, or nodes of a cluster.
  if (Number(recipients)) parts.push(`for ${recipients} recipient${Number(recipients) > 1 ? 's' : ''}`);
  return parts.join(', ') || 'done';
}

function presenceWords(sessions, users = []) {
  const one = Number(sessions) === 1;
  return `${sessions} session${one ? ' follows' : 's follow'}` +
      (users.length ? `: ${users.join(', ')}` : '');
}

// Of a crowd there are no names.
function changeWords(sessions, joinedCount = 0, joined = [], leftCount = 0, left = []) {
  const named = (count, did, users) => Number(count) === 0 ? [] :
      [`${count} ${did}` + (users.length ? `: ${users.join(', ')}` : '')];
  return [...named(joinedCount, 'came', joined), ...named(leftCount, 'went', left),
          presenceWords(sessions)].join('; ');
}

function drainWords(seconds) {
  return `The server is about to stop; reconnect after ${seconds}s.`;
}

function gapWords(first = '0', last = '0', reason = '', mailbox = false) {
  return `events ${first} to ${last}${mailbox ? ' of the mailbox' : ''} were skipped: ${reason}`;
}

const dialects = {plain: plainDialect, 'crier.v1.json': protoJsonDialect};
