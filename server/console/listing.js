// A table of what a method lists, page by page, with its filter. Looks again every few seconds; a row
// that stays is changed in place, so that a pointer or the focus in it does not lose it.
//
// on: method, its name; request(filter), of the fields that are set; list(answer), the entries;
// key(entry); cells(entry), a string or a node for each column, null for one that is made once;
// made(row, entry), of a new row; changed(row, entry), of every one.
class Listing {
  static kPageSize = 100;

  constructor(place, calls, on) {
    this.place = place;
    this.calls = calls;
    this.on = on;
    this.rows = new Map();
    this.tokens = [''];  // of the pages up to the one shown
    this.next = '';
    this.filter = {};
    this.body = place.querySelector('tbody');
    this.columns = [...place.querySelectorAll('th')].map((head) => head.className);
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

  // Throws as AdminCalls.call.
  async look() {
    const {tokens} = this;
    const answer = await this.calls.call(this.on.method, {
      ...this.on.request(this.filter), pageSize: Listing.kPageSize, pageToken: tokens.at(-1)});
    if (tokens !== this.tokens) return;  // another page was asked for meanwhile
    this.next = answer.nextPageToken ?? '';
    this.show(this.on.list(answer));
    this.showPages();
  }

  show(entries) {
    const left = new Set(this.rows.keys());
    entries.forEach((entry, i) => {
      const key = this.on.key(entry);
      left.delete(key);
      let row = this.rows.get(key);
      if (!row) {
        row = make('tr', {}, ...this.columns.map((name) => make('td', name ? {class: name} : {})));
        this.rows.set(key, row);
        this.on.made?.(row, entry);
      }
      this.on.cells(entry).forEach((cell, column) => {
        const {children: cells} = row;
        if (cell === null || cells[column].textContent === (cell.textContent ?? cell)) return;
        cells[column].replaceChildren(cell);
        cells[column].title = cells[column].textContent;
      });
      this.on.changed?.(row, entry);
      if (this.body.children[i] !== row) this.body.insertBefore(row, this.body.children[i] ?? null);
    });
    for (const key of left) {
      this.rows.get(key).remove();
      this.rows.delete(key);
    }
    const more = this.next ? ', and more' : '';
    this.note(this.tokens.length > 1 ? `page ${this.tokens.length}: ${entries.length}${more}`
                                     : `${entries.length}${more}`);
  }

  showPages() {
    this.back.disabled = this.tokens.length < 2;
    this.forth.disabled = !this.next;
    this.part('pages').hidden = this.back.disabled && this.forth.disabled;
  }

  note(text) { this.part('note').textContent = text; }
}

// What is set in a form: {name: text}, and true for a box that is ticked.
function fieldsOf(form) {
  return Object.fromEntries([...form.elements]
      .filter((field) => field.name && !field.disabled && (field.type === 'checkbox' ? field.checked : field.value))
      .map((field) => [field.name, field.type === 'checkbox' ? true : field.value]));
}
