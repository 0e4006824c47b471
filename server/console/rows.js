// The rows of a table. A row that stays is changed in place, so that a pointer or the focus in it does
// not lose it.
//
// on: key(entry); cells(entry), a string or a node for each column, null for one that is made once;
// made(row, entry), of a new row; changed(row, entry), of every one.
class Rows {
  constructor(table, on) {
    this.on = on;
    this.rows = new Map();
    this.body = table.querySelector('tbody');
    this.columns = [...table.querySelectorAll('th')].map((head) => head.className);
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
  }
}
