// What stands under a plot: {node, show(point)}; no point: no figures.

// Connections beside how many there may be.
class ConnectionMeter {
  constructor() {
    this.words = make('p', {class: 'note'});
    this.meter = make('meter', {min: '0', 'aria-label': 'Connections, of those that may be open'});
    this.node = make('div', {class: 'meter'}, this.words, this.meter);
  }

  show(point) {
    this.words.textContent = point
        ? `${count(point.connections)} of ${count(point.limit)} possible connections` : '';
    this.meter.max = point?.limit || 1;
    // From there on somebody should know.
    this.meter.high = 0.9 * this.meter.max;
    this.meter.value = point?.connections ?? 0;
  }
}

// How often each outcome came since the server started.
class OutcomeTable {
  static kReasons = {total: 'server full', per_address: 'too many from one address',
                     descriptors: 'no descriptor left'};

  constructor() {
    this.table = make('dl');
    this.node = make('div', {class: 'outcomes'}, make('p', {}, 'Since the server started:'),
                     this.table);
  }

  show(point) {
    const outcome = (label) => label.toUpperCase();
    const reason = (label) => OutcomeTable.kReasons[label] ?? label;
    const groups = [['Frames refused', point?.refusals, outcome],
                    ['Sessions ended', point?.endings, outcome],
                    ['Connections refused', point?.turnedAway, reason]];
    this.table.replaceChildren(...groups.flatMap(([title, counts, words]) => [
      make('dt', {}, title), make('dd', {}, ...OutcomeTable.list(counts, words))]));
  }

  // The most frequent first.
  static list(counts, words) {
    if (!counts) return [kNone[0]];
    const some = Object.entries(counts).filter(([, count]) => count > 0)
        .sort(([, a], [, b]) => b - a);
    if (!some.length) return ['none'];
    return some.map(([label, count]) => make('span', {}, words(label), ' ',
                                             make('b', {}, inWords(format.count(count)))));
  }
}
