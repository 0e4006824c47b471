// One scrape of /metrics (docs of Prometheus, "Exposition formats").
class Scrape {
  constructor(text) {
    this.families = new Map();
    for (const line of text.split('\n')) {
      const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/.exec(line);
      if (!match) continue;
      const labels = {};
      for (const [, name, value] of (match[2] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
        labels[name] = value;
      }
      const value = Number(match[3].replace('Inf', 'Infinity'));
      if (!this.families.has(match[1])) this.families.set(match[1], []);
      this.families.get(match[1]).push({labels, value});
    }
  }

  samples(name, labels) {
    const wanted = Object.entries(labels);
    return (this.families.get(name) ?? []).filter(
        (sample) => wanted.every(([label, value]) => sample.labels[label] === value));
  }

  // The sum over all samples that carry these labels.
  sum(name, labels = {}) {
    return this.samples(name, labels).reduce((sum, sample) => sum + sample.value, 0);
  }

  // The same for each value of one label: {value: sum}.
  sums(name, label) {
    const sums = {};
    for (const {labels, value} of this.samples(name, {})) {
      sums[labels[label]] = (sums[labels[label]] ?? 0) + value;
    }
    return sums;
  }

  // A histogram: its bounds, rising, with how many observations were at most so large.
  buckets(name, labels = {}) {
    const buckets = new Map();
    for (const {labels: {le}, value} of this.samples(`${name}_bucket`, labels)) {
      const bound = Number(le.replace('Inf', 'Infinity'));
      buckets.set(bound, (buckets.get(bound) ?? 0) + value);
    }
    return [...buckets].sort(([a], [b]) => a - b);
  }
}

// What came in between two states of one histogram.
function bucketsBetween(before, after) {
  return after.map(([bound, count], i) => [bound, count - (before[i]?.[1] ?? 0)]);
}

// As Prometheus's histogram_quantile estimates it: a straight line within the bucket, and the last
// finite bound for what lies above. Null where nothing was observed.
function quantile(q, buckets) {
  const total = buckets.at(-1)?.[1] ?? 0;
  if (total <= 0) return null;
  const rank = q * total;
  const i = buckets.findIndex(([, count]) => count >= rank);
  const [lower, below] = i > 0 ? buckets[i - 1] : [0, 0];
  const [upper, count] = buckets[i];
  if (upper === Infinity) return lower;
  return lower + (upper - lower) * (rank - below) / (count - below);
}
