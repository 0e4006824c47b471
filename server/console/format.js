// Numbers as people read them. Each takes a number or null and gives [figure, unit]; `short`: as an
// axis has room for.

const kNone = ['\u2013', ''];
const grouped = new Intl.NumberFormat('en', {maximumFractionDigits: 0});

// Three figures, without zeros that say nothing.
function threeFigures(value) {
  if (value >= 100) return grouped.format(value);
  return String(Number(value.toPrecision(3)));
}

// As many figures as an estimate, or what never stands still, is good for.
function fewFigures(value) {
  if (value >= 10) return grouped.format(value);
  return String(Number(value.toFixed(value < 1 ? 2 : 1)));
}

function large(value, unit, short) {
  if (value >= 1e6) return [threeFigures(value / 1e6), `M${unit}`];
  if (value >= (short ? 1e4 : 1e6)) return [threeFigures(value / 1e3), `k${unit}`];
  return [grouped.format(value), unit];
}

const format = {
  count: (value, short) => value === null ? kNone : large(value, '', short),
  rate(value, short) {
    if (value === null) return kNone;
    if (value > 0 && value < 10) return [String(Number(value.toFixed(1))), '/s'];
    return large(value, '/s', short);
  },
  ratio: (value) => value === null ? kNone : [fewFigures(value), ''],
  percent: (value) => value === null ? kNone : [fewFigures(value), '%'],
  seconds(value) {
    if (value === null) return kNone;
    if (value < 1e-3) return [fewFigures(value * 1e6), '\u00b5s'];
    if (value < 1) return [fewFigures(value * 1e3), 'ms'];
    return [fewFigures(value), 's'];
  },
  bytes(value) {
    if (value === null) return kNone;
    if (value < 1e3) return [grouped.format(value), 'B'];
    if (value < 1e6) return [threeFigures(value / 1e3), 'kB'];
    if (value < 1e9) return [threeFigures(value / 1e6), 'MB'];
    return [threeFigures(value / 1e9), 'GB'];
  },
  duration(seconds) {
    if (seconds < 60) return `${Math.floor(seconds)} s`;
    if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
    if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${Math.floor(seconds % 3600 / 60)} min`;
    return `${Math.floor(seconds / 86400)} d ${Math.floor(seconds % 86400 / 3600)} h`;
  },
};

// "4.2 ms"; rates without the space.
function inWords([figure, unit]) {
  return unit && /^[a-zA-Z\u00b5%]/.test(unit) ? `${figure} ${unit}` : figure + unit;
}

const count = (value) => inWords(format.count(value));
const rate = (value) => inWords(format.rate(value));

// The time of day of a moment in performance.now()'s milliseconds.
function clockTime(moment, withMilliseconds = false) {
  const date = new Date(performance.timeOrigin + moment);
  const two = (number) => String(number).padStart(2, '0');
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':');
  return withMilliseconds ? `${time}.${String(date.getMilliseconds()).padStart(3, '0')}` : time;
}
