// One card: a title, the current figure, lines over the last minutes, and their legend.
//
// options: title; series: [{name, of(point) -> number or null}], three at most; figure(point), by
// default that of the series `main`, by default the first; format: one of `format`; least: what the
// axis reaches at least; note(point): a line of text; control: an element beside the title; below:
// what stands under all that ({node, show(point)}, below_plots.js).
class Plot {
  static kSpan = 180;  // seconds
  static kGutter = 52; // for the axis, in CSS pixels
  static kMargin = 16; // at the right: half of the word under the axis's end

  constructor(options) {
    Object.assign(this, options);
    // The series that the big figure is of needs no second one in the legend.
    this.main ??= this.figure ? -1 : 0;
    this.figure ??= this.series[this.main].of;
    this.canvas = make('canvas', {'aria-hidden': 'true'});
    this.chart = make('div', {class: 'chart', tabindex: '0', role: 'slider', 'aria-valuemin': '0',
                              'aria-label': `${this.title}, the last three minutes`}, this.canvas);
    this.big = make('p', {class: 'figure'});
    this.values = this.series.map(() => make('b'));
    this.legend = make('ul', {class: 'legend'}, ...this.series.map((series, i) => make('li', {},
        make('svg', {viewBox: '0 0 12 4', 'aria-hidden': 'true'},
             make('line', {x1: 0, y1: 2, x2: 12, y2: 2, stroke: `var(--${Plot.colour(i)})`,
                           'stroke-dasharray': Plot.kDashes[i].join(' ')})),
        series.name, i === this.main ? '' : this.values[i])));
    // The title says what the only line is.
    this.legend.hidden = this.series.length === 1;
    this.noteLine = make('p', {class: 'note'});
    const head = make('div', {class: 'card-head'}, make('h3', {}, this.title));
    if (this.control) head.append(this.control);
    this.card = make('article', {class: 'card'}, head, this.big, this.chart, this.legend,
                     this.noteLine);
    if (this.below) this.card.append(this.below.node);
  }

  // Not by colour alone.
  static kDashes = [[], [5, 2.5], [2, 2.5]];
  static colour(i) { return ['one', 'two', 'three'][i]; }

  // The figures of a point; `when`: that of a moment chosen, else those of now. No point: none.
  show(point, when) {
    const [figure, unit] = this.format(point ? this.figure(point) : null);
    this.big.replaceChildren(figure);
    if (unit) this.big.append(make('span', {}, unit));
    if (when) this.big.append(make('span', {class: 'when'}, when));
    this.series.forEach((series, i) => {
      this.values[i].textContent = inWords(this.format(point ? series.of(point) : null));
    });
    this.noteLine.textContent = point && this.note ? this.note(point) : '';
    this.below?.show(point);
  }

  // The same for those who do not see it.
  inWords(point) {
    const parts = this.series.map((series) => `${series.name} ${inWords(this.format(series.of(point)))}`);
    return `${clockTime(point.time)}: ${parts.join(', ')}`;
  }

  // The place of a moment, and the other way round, in CSS pixels. `end`: the moment at the right.
  x(time, end) {
    return this.right - (end - time) / (1000 * Plot.kSpan) * (this.right - Plot.kGutter);
  }
  timeAt(x, end) {
    return end - (this.right - x) / (this.right - Plot.kGutter) * 1000 * Plot.kSpan;
  }

  resize() {
    const {clientWidth, clientHeight} = this.canvas;
    const ratio = window.devicePixelRatio || 1;
    this.width = clientWidth;
    this.height = clientHeight;
    this.right = clientWidth - Plot.kMargin;
    this.canvas.width = Math.round(clientWidth * ratio);
    this.canvas.height = Math.round(clientHeight * ratio);
    this.context = this.canvas.getContext('2d');
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
  }

  draw({points, end, cursor, colours}) {
    if (!this.width) return;
    const values = this.series.map((series) => points.map(series.of));
    const peak = values.flat().reduce((most, value) => Math.max(most, value ?? 0), this.least);
    const ceiling = Plot.roundUp(peak);
    const [top, bottom] = [8, this.height - 18];
    const y = (value) => bottom - value / ceiling * (bottom - top);
    const c = this.context;
    c.clearRect(0, 0, this.width, this.height);
    this.drawAxes(c, {ceiling, y, bottom, end, colours});
    c.save();
    c.beginPath();
    c.rect(Plot.kGutter, 0, this.right - Plot.kGutter + 3, this.height);
    c.clip();
    for (let i = values.length - 1; i >= 0; --i) {
      this.drawLine(c, {points, values: values[i], y, bottom, end, colours, i});
    }
    if (cursor) this.drawCursor(c, {cursor, y, top, bottom, end, colours});
    c.restore();
  }

  drawAxes(c, {ceiling, y, bottom, end, colours}) {
    c.font = '11px system-ui, sans-serif';
    c.lineWidth = 1;
    c.strokeStyle = colours.grid;
    c.fillStyle = colours.soft;
    c.textAlign = 'right';
    c.textBaseline = 'middle';
    for (const value of [0, ceiling / 2, ceiling]) {
      const at = Math.round(y(value)) + 0.5;
      Plot.stroke(c, [[Plot.kGutter, at], [this.right, at]]);
      c.fillText(value ? inWords(this.format(value, true)) : '0', Plot.kGutter - 7, at);
    }
    c.textBaseline = 'alphabetic';
    c.textAlign = 'center';
    for (const minutes of [0, 1, 2, 3]) {
      const at = this.x(end - minutes * 60000, end);
      Plot.stroke(c, [[Math.round(at) + 0.5, bottom], [Math.round(at) + 0.5, bottom + 4]]);
      c.fillText(minutes ? `\u2212${minutes} min` : 'now', at, bottom + 15);
    }
  }

  drawLine(c, {points, values, y, bottom, end, colours, i}) {
    // Runs of points that belong together: a moment without a value, or a server that was gone,
    // leaves a hole.
    const runs = [[]];
    points.forEach((point, k) => {
      if (point.first || values[k] === null) runs.push([]);
      if (values[k] !== null) runs.at(-1).push([this.x(point.time, end), y(values[k])]);
    });
    c.strokeStyle = c.fillStyle = colours[Plot.colour(i)];
    c.lineWidth = 1.75;
    c.lineJoin = c.lineCap = 'round';
    for (const run of runs.filter((places) => places.length)) {
      if (i === 0) {
        c.globalAlpha = 0.12;
        c.beginPath();
        c.moveTo(run[0][0], bottom);
        for (const place of run) c.lineTo(...place);
        c.lineTo(run.at(-1)[0], bottom);
        c.fill();
        c.globalAlpha = 1;
      }
      c.setLineDash(Plot.kDashes[i]);
      Plot.stroke(c, run.length > 1 ? run : [run[0], run[0]]);
      c.setLineDash([]);
    }
  }

  drawCursor(c, {cursor, y, top, bottom, end, colours}) {
    const x = this.x(cursor.time, end);
    c.strokeStyle = colours.soft;
    c.lineWidth = 1;
    Plot.stroke(c, [[x, top], [x, bottom]]);
    this.series.forEach((series, i) => {
      const value = series.of(cursor);
      if (value === null) return;
      c.fillStyle = colours[Plot.colour(i)];
      c.beginPath();
      c.arc(x, y(value), 3.5, 0, 2 * Math.PI);
      c.fill();
    });
  }

  static stroke(c, places) {
    c.beginPath();
    c.moveTo(...places[0]);
    for (const place of places.slice(1)) c.lineTo(...place);
    c.stroke();
  }

  // To a number whose half is as round as itself.
  static roundUp(value) {
    const power = 10 ** Math.floor(Math.log10(value));
    return power * [1, 2, 4, 6, 8, 10].find((step) => step * power >= value * 0.9999);
  }
}
