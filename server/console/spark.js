// A small line without axes: how a number has changed, the newest value at the right. The figure itself
// stands beside it.
class Spark {
  static kPoints = 40;
  static kWidth = 72;
  static kHeight = 18;

  constructor() {
    this.line = make('polyline', {fill: 'none'});
    this.node = make('svg', {class: 'spark', viewBox: `0 0 ${Spark.kWidth} ${Spark.kHeight}`,
                             'aria-hidden': 'true'}, this.line);
  }

  // `top`: the value that the whole height stands for.
  show(values, top) {
    const y = (value) => Spark.kHeight - 1.5 - (Spark.kHeight - 3) * value / (top || 1);
    const x = (i) => Spark.kWidth - 1.5 - (values.length - 1 - i) * (Spark.kWidth - 3) / (Spark.kPoints - 1);
    const points = values.map((value, i) => `${x(i).toFixed(1)},${y(value).toFixed(1)}`);
    this.line.setAttribute('points', points.join(' '));
  }
}
