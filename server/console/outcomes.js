// The outcomes of docs/protocol.md, section 6, in words: [name, close codes, what to do].

const kOutcomes = [
  ['OK', [1000], ''],
  ['SHUTDOWN', [1001], 'Come back after a moment.'],
  ['PROTOCOL_ERROR', [1002], 'Trying again will not help.'],
  ['UNSUPPORTED_DATA', [1003], 'Trying again will not help: send text.'],
  ['INVALID_UTF8', [1007], 'Trying again will not help.'],
  ['INVALID_MESSAGE', [1002], 'Mend the frame.'],
  ['UNAUTHENTICATED', [4401], 'Come back with a valid token.'],
  ['TOKEN_EXPIRED', [4401], 'Come back with a new token.'],
  ['PERMISSION_DENIED', [4403], 'Trying again will not help.'],
  ['NO_RECIPIENT', [], ''],
  ['MESSAGE_TOO_BIG', [1009], 'Send less at once.'],
  ['TOO_MANY_TOPICS', [], 'Unsubscribe from others first.'],
  ['RATE_LIMITED', [4429], 'Send less often.'],
  ['TOO_MANY_SESSIONS', [4430], 'Come back after a moment.'],
  ['SLOW_CONSUMER', [4408], 'Come back, with the last offset seen.'],
  ['IDLE_TIMEOUT', [4409], 'Come back at once.'],
  ['DISCONNECTED_BY_ADMIN', [4410], 'Do as the administrator said.'],
  ['CONNECTION_LOST', [], 'Come back at once.'],
  ['INTERNAL', [1011], 'Come back after a moment.'],
];

function advice(name) {
  return kOutcomes.find(([known]) => known === name)?.[2] ?? '';
}

// The end of a connection in words. `opened`: it had stood before.
function explainClose(code, reason, opened) {
  if (code === 1006 && !opened) {
    return 'No connection. Either nobody answers, or the upgrade was refused: the server is full or ' +
        'stopping, does not speak this dialect, or does not take pages of this origin ' +
        '(--allowed_origins). A browser does not say which.';
  }
  if (code === 1006) return 'The connection broke without a close frame.';
  const named = /^([A-Z_]+)\b/.exec(reason)?.[1];
  const [name, , todo] = kOutcomes.find(([known]) => known === named) ??
      kOutcomes.find(([, codes]) => codes.includes(code)) ?? ['', [], ''];
  const said = reason || name;
  return [`Closed with ${code}${said ? `, ${said}` : ''}.`, todo].filter(Boolean).join(' ');
}
