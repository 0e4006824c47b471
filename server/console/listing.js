// A table of what a method lists, page by page, with its filter. Looks again every few seconds.
//
// on: method, its name; request(filter), of the fields that are set; list(answer), the entries;
// order(a, b) of two of them, by default as they come; and what Rows needs.
class Listing {
  static kPageSize = 100;
  // Milliseconds in which a page is filled: the server may give it in parts, in a cluster one for each
  // node.
  static kPatience = 5000;

  constructor(place, calls, on) {
    this.place = place;
    this.calls = calls;
    this.on = on;
    this.rows = new Rows(place, on);
    this.tokens = [''];  // of the pages up to the one shown
    this.next = '';
    this.filter = {};
    this.part('filter').addEventListener('submit', (event) => {
      event.preventDefault();
      this.filter = fieldsOf(this.part('filter'));
      this.go(['']);
    });
    const button = (text, tokens) => {
      const made = make('button', {type: 'button', class: 'plain small'}, text);
      made.addEventListener('click', () => this.go(tokens()));
      this.part('pages').append(made);
      return made;
    };
    this.back = button('Previous page', () => this.tokens.slice(0, -1));
    this.forth = button('Next page', () => [...this.tokens, this.next]);
    this.showPages();
  }

  part(name) { return this.place.querySelector(`[data-part=${name}]`); }

  go(tokens) {
    this.tokens = tokens;
    this.look().catch((error) => this.note(error.message));
  }

  // The next look is at the first page.
  begin() { this.tokens = ['']; }

  // Throws as AdminCalls.call.
  async look() {
    const {tokens} = this;
    const entries = new Map();
    let next = tokens.at(-1), silent = 0;
    const end = performance.now() + Listing.kPatience;
    do {
      const answer = await this.calls.call(this.on.method, {
        ...this.on.request(this.filter), pageSize: Listing.kPageSize - entries.size,
        pageToken: next});
      if (tokens !== this.tokens) return;  // another page was asked for meanwhile
      for (const entry of this.on.list(answer)) entries.set(this.on.key(entry), entry);
      silent = Math.max(silent, answer.silentNodes ?? 0);
      next = answer.nextPageToken ?? '';
    } while (next && entries.size < Listing.kPageSize && performance.now() < end);
    this.next = next;
    const shown = [...entries.values()];
    this.show(this.on.order ? shown.sort(this.on.order) : shown, silent);
    this.showPages();
  }

  show(entries, silent = 0) {
    this.rows.show(entries);
    const more = this.next ? ', and more' : '';
    const without = silent ? `, without those of ${nodesInWords(silent)}` : '';
    this.note(this.tokens.length > 1 ? `page ${this.tokens.length}: ${entries.length}${more}${without}`
                                     : `${entries.length}${more}${without}`);
  }

  showPages() {
    this.back.disabled = this.tokens.length < 2;
    this.forth.disabled = !this.next;
    this.part('pages').hidden = this.back.disabled && this.forth.disabled;
  }

  note(text) { this.part('note').textContent = text; }
}

const nodesInWords = (number) => `${number} ${number === 1 ? 'node' : 'nodes'}`;

// What is set in a form: {name: text}, and true for a box that is ticked.
function fieldsOf(form) {
  return Object.fromEntries([...form.elements]
      .filter((field) => field.name && !field.disabled && (field.type === 'checkbox' ? field.checked : field.value))
      .map((field) => [field.name, field.type === 'checkbox' ? true : field.value]));
}
