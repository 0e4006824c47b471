// Calls of crier.v1.Admin on the server that the page came from (docs/admin.md).

// What the server, or the way to it, says against a call. `code`: of the Connect protocol; empty: no
// answer came.
class CallError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

class AdminCalls {
  static kPatience = 15000;  // milliseconds

  constructor() {
    this.token = '';  // in memory only
  }

  // The answer, an object; or throws a CallError.
  async call(method, request = {}) {
    const headers = {'Content-Type': 'application/json'};
    if (this.token) headers.Authorization = `Bearer ${this.token}`;
    let answer, text;
    try {
      answer = await fetch(`crier.v1.Admin/${method}`, {
        method: 'POST', headers, body: JSON.stringify(request), cache: 'no-store',
        credentials: 'omit', signal: AbortSignal.timeout(AdminCalls.kPatience)});
      text = await answer.text();
    } catch (error) {
      throw new CallError('', error.name === 'TimeoutError' ? 'The server took too long to answer'
                                                            : 'The server does not answer');
    }
    let body = null;
    try {
      body = JSON.parse(text);
    } catch {
      // What is in front of the server has answered, or the server itself, that this is no call.
    }
    if (answer.ok && body) return body;
    throw new CallError(body?.code ?? 'unknown', body?.message ??
        `HTTP ${answer.status}: ${text.trim().slice(0, 300)}`);
  }
}

// The token may be missing, wrong, over, or of somebody else.
function asksForToken(error) {
  return ['unauthenticated', 'permission_denied'].includes(error.code);
}
