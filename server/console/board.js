// All plots together: they show the same minutes and the same moment.
class Board {
  static kPoints = 200; // a little more than a plot's width, for the line that leaves it
  static kSlide = 350;  // milliseconds in which a new point moves in

  constructor(place, plots) {
    this.plots = plots;
    this.points = [];
    this.cursor = null;  // the point that was asked for; null: now
    this.gone = false;
    this.end = performance.now();
    this.stillness = window.matchMedia('(prefers-reduced-motion: reduce)');
    window.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      this.colours = null;
      this.draw();
    });
    place.replaceChildren(...plots.map((plot) => plot.card));
    const observer = new ResizeObserver(() => {
      for (const plot of plots) plot.resize();
      this.draw();
    });
    observer.observe(place);
    for (const plot of plots) this.listen(plot);
    document.addEventListener('pointerdown', (event) => {
      if (!event.target.closest('.chart')) this.choose(null);
    });
    this.show();
  }

  add(point) {
    this.gone = false;
    this.points.push(point);
    if (this.points.length > Board.kPoints) this.points.shift();
    if (this.cursor && !this.points.includes(this.cursor)) this.cursor = this.points[0];
    this.show();
    this.moveTo(point.time);
  }

  // The server does not answer: time goes on without figures.
  leaveGap() {
    this.gone = true;
    this.show();
    this.moveTo(performance.now());
  }

  moveTo(end) {
    const from = this.end, begin = performance.now();
    cancelAnimationFrame(this.frame);
    // Over a long pause there is nothing to follow with the eyes.
    if (this.stillness.matches || document.hidden || end - from > 3000) {
      this.end = end;
      return this.draw();
    }
    const step = (now) => {
      const part = Math.min(1, Math.max(0, now - begin) / Board.kSlide);
      this.end = from + (end - from) * (1 - (1 - part) ** 3);
      this.draw();
      if (part < 1) this.frame = requestAnimationFrame(step);
    };
    this.frame = requestAnimationFrame(step);
  }

  draw() {
    this.colours ??= Board.readColours();
    const begin = this.end - 1000 * (Plot.kSpan + 5);
    const points = this.points.filter((point) => point.time >= begin);
    for (const plot of this.plots) {
      plot.draw({points, end: this.end, cursor: this.cursor, colours: this.colours});
    }
  }

  static readColours() {
    const style = getComputedStyle(document.documentElement);
    return Object.fromEntries(['one', 'two', 'three', 'grid', 'soft'].map(
        (name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  }

  // The figures: of the chosen moment, else of now.
  show() {
    const point = this.cursor ?? (this.gone ? null : this.points.at(-1));
    const index = this.points.indexOf(this.cursor ?? this.points.at(-1));
    for (const plot of this.plots) {
      plot.show(point, this.cursor ? `at ${clockTime(this.cursor.time)}` : '');
      // Who listens to a plot is told of the moment chosen, and not each second of another.
      if (plot.chart === document.activeElement && !plot.moved) continue;
      plot.moved = false;
      plot.chart.setAttribute('aria-valuemax', Math.max(0, this.points.length - 1));
      plot.chart.setAttribute('aria-valuenow', Math.max(0, index));
      plot.chart.setAttribute('aria-valuetext', point ? plot.inWords(point) : 'no figures');
    }
  }

  choose(point) {
    if (point === this.cursor) return;
    this.cursor = point;
    this.show();
    this.draw();
  }

  listen(plot) {
    const atPointer = (event) => {
      const time = plot.timeAt(event.offsetX, this.end);
      this.choose(this.points.reduce((best, point) =>
          !best || Math.abs(point.time - time) < Math.abs(best.time - time) ? point : best, null));
    };
    plot.canvas.addEventListener('pointerdown', atPointer);
    plot.canvas.addEventListener('pointermove', atPointer);
    // A finger leaves when it is lifted, and then its owner reads.
    plot.canvas.addEventListener('pointerleave', (event) => {
      if (event.pointerType !== 'touch') this.choose(null);
    });
    plot.chart.addEventListener('blur', () => this.choose(null));
    plot.chart.addEventListener('keydown', (event) => {
      const last = this.points.length - 1;
      const at = this.cursor ? this.points.indexOf(this.cursor) : last;
      const to = {ArrowLeft: at - 1, ArrowDown: at - 1, ArrowRight: at + 1, ArrowUp: at + 1,
                  PageDown: at - 10, PageUp: at + 10, Home: 0, End: last + 1,
                  Escape: last + 1}[event.key];
      if (to === undefined || last < 0) return;
      event.preventDefault();
      plot.moved = true;
      this.choose(to > last ? null : this.points[Math.max(0, to)]);
    });
  }
}
