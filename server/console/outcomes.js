// The outcomes of docs/protocol.md, section 6, in words: [name, close codes, what to do next].

const kOutcomes = [
  ['OK', [1000], ''],
  ['SHUTDOWN', [1001], 'Reconnect after a moment.'],
  ['PROTOCOL_ERROR', [1002], 'Trying again will not help.'],
  ['UNSUPPORTED_DATA', [1003], 'Trying again will not help: send text.'],
  ['INVALID_UTF8', [1007], 'Trying again will not help.'],
  ['INVALID_MESSAGE', [1002], 'Correct the frame and send it again.'],
  ['UNAUTHENTICATED', [4401], 'Reconnect with a valid token.'],
  ['TOKEN_EXPIRED', [4401], 'Reconnect with a new token.'],
  ['PERMISSION_DENIED', [4403], 'Trying again will not help.'],
  ['NO_RECIPIENT', [], ''],
  ['MESSAGE_TOO_BIG', [1009], 'Send a shorter message.'],
  ['TOO_MANY_TOPICS', [], 'Unsubscribe from another topic first.'],
  ['RATE_LIMITED', [4429], 'Send less often.'],
  ['TOO_MANY_SESSIONS', [4430], 'Reconnect after a moment.'],
  ['SLOW_CONSUMER', [4408], 'Reconnect, and resume from the last offset seen.'],
  ['IDLE_TIMEOUT', [4409], 'Reconnect now.'],
  ['DISCONNECTED_BY_ADMIN', [4410], 'The administrator\'s message says what to do.'],
  ['OVERLOADED', [1013], 'Try again after a moment.'],
  ['UNAVAILABLE', [], 'Send it again, with the same id.'],
  ['CONNECTION_LOST', [], 'Reconnect now.'],
  ['INTERNAL', [1011], 'Reconnect after a moment.'],
];

function advice(name) {
  return kOutcomes.find(([known]) => known === name)?.[2] ?? '';
}

// The end of a connection in words. `opened`: it had stood before. `token`: it had one.
function explainClose(code, reason, opened, token) {
  if (code === 1006 && !opened) {
    return 'No connection. Either the server does not answer, or it refused the WebSocket: it is ' +
        `full or stopping, ${token ? 'does not accept this token, ' : ''}does not speak this ` +
        'dialect, or does not accept pages from this origin (--allowed_origins). The browser does ' +
        'not say which.';
  }
  if (code === 1006) return 'The connection broke without a close frame.';
  const named = /^([A-Z_]+)\b/.exec(reason)?.[1];
  const [name, , todo] = kOutcomes.find(([known]) => known === named) ??
      kOutcomes.find(([, codes]) => codes.includes(code)) ?? ['', [], ''];
  const said = reason || name;
  return [`Closed with ${code}${said ? `, ${said}` : ''}.`, todo].filter(Boolean).join(' ');
}
