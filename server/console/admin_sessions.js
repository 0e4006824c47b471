// The sessions. Their order is that of their ids, node by node, so they stay where they are.

// scope(): a request's `node`. chosen(session): one that somebody wants to disconnect.
function sessionListing(calls, scope, chosen) {
  return new Listing(byId('sessions'), calls, {
    method: 'ListSessions',
    request: (filter) => ({filter, node: scope()}),
    list: (answer) => answer.sessions ?? [],
    key: (session) => session.sessionId,
    cells(session) {
      const open = (serverTime() - Date.parse(session.openedAt)) / 1000;
      const events = Number(session.mailboxEvents ?? 0);
      return [
        session.lagging ? `${session.sessionId}, lags` : session.sessionId,
        session.userId || quiet('no user'),
        session.address || quiet('not known'),
        session.transport === 'GRPC' ? 'gRPC' : 'WebSocket',
        format.duration(Math.max(0, open)),
        String(session.topics ?? 0),
        events ? `${events} (${inWords(format.bytes(Number(session.mailboxBytes ?? 0)))})` : '0',
        session.node ?? '',
        null,
      ];
    },
    made(row, session) {
      const button = make('button', {type: 'button', class: 'plain small',
                                     'aria-label': `Disconnect session ${session.sessionId}`},
                          'Disconnect\u2026');
      button.addEventListener('click', () => chosen(session));
      row.lastChild.append(button);
    },
    changed(row, session) {
      row.classList.toggle('lags', Boolean(session.lagging));
      row.title = session.lagging ? 'lags: its client takes no bytes' : '';
    },
  });
}

function quiet(text) { return make('em', {}, text); }
