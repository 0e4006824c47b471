// The summary as one self-contained HTML page: tables, and plots as SVG.
import { byUsers, figures, thresholds } from './summary.js';

const escape = (value) => String(value)
  .replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');

const style = `
:root { color-scheme: light dark; --line: #8884; --a: #1f77b4; --b: #ff7f0e; --c: #d62728; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
td, th { border-bottom: 1px solid var(--line); padding: .25rem .5rem; text-align: left; vertical-align: top; }
td:nth-child(2) { font-variant-numeric: tabular-nums; }
svg { width: 100%; height: auto; } svg text { font: 12px system-ui, sans-serif; fill: currentColor; }
.failed { color: #d62728; font-weight: bold; }
`;

const stats = [['med', 'var(--a)'], ['p(95)', 'var(--b)'], ['p(99)', 'var(--c)']];

// A round number, at least `value`: 1, 2 or 5 times a power of ten.
function niceCeiling(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * [1, 2, 5, 10].find((step) => step * power >= value);
}

// Lines over the number of users.
function linePlot({ title, unit }, points) {
  const width = 720;
  const height = 260;
  const [left, right, top, bottom] = [50, 60, 10, 40];
  const most = niceCeiling(Math.max(1e-3, ...points.map((point) => point['p(99)'])));
  const widest = Math.max(...points.map((point) => point.users));
  const x = (value) => left + ((width - left - right) * value) / widest;
  const y = (value) => height - bottom - ((height - top - bottom) * value) / most;
  const parts = [];
  for (let i = 0; i <= 4; i += 1) {
    const value = (most * i) / 4;
    parts.push(`<line x1="${left}" x2="${width - right}" y1="${y(value)}" y2="${y(value)}" stroke="var(--line)"/>`
      + `<text x="${left - 6}" y="${y(value) + 4}" text-anchor="end">${Number(value.toPrecision(3))}</text>`);
  }
  for (const { users } of points) {
    parts.push(`<text x="${x(users)}" y="${height - bottom + 16}" text-anchor="middle">${users}</text>`);
  }
  parts.push(`<text x="${(left + width - right) / 2}" y="${height - 6}" text-anchor="middle">users</text>`);
  let labelFloor = height; // labels at the lines' ends do not cover each other
  for (const [stat, colour] of stats) {
    const path = points.map((point) => `${x(point.users).toFixed(1)},${y(point[stat]).toFixed(1)}`);
    const end = points[points.length - 1];
    const labelY = Math.min(y(end[stat]) + 4, labelFloor - 14);
    labelFloor = labelY;
    parts.push(`<polyline points="${path.join(' ')}" fill="none" stroke="${colour}" stroke-width="2"/>`
      + `<text x="${x(end.users) + 6}" y="${labelY}" style="fill:${colour}">${stat}</text>`);
  }
  const told = points.map((point) => `${point.users} users: p(95) ${point['p(95)'].toFixed(1)} ${unit}`).join(', ');
  return `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escape(`${title}: ${told}`)}">${parts.join('')}</svg>`;
}

// Bars of a trend's figures, for each of the scenarios.
function barPlot({ title, unit, metric }, metrics) {
  const rows = [];
  for (const name of Object.keys(metrics)) {
    const match = /^(\w+)\{scenario:(\w+)\}$/.exec(name);
    if (!match || match[1] !== metric || !(metrics[name].values.count > 0)) continue;
    for (const [stat, colour] of stats) {
      rows.push({ label: `${match[2]} ${stat}`, value: metrics[name].values[stat], colour });
    }
  }
  if (rows.length === 0) return '';
  const [width, left, line] = [720, 290, 20];
  const most = Math.max(1e-3, ...rows.map((row) => row.value));
  const bars = rows.map((row, i) => {
    const length = (width - left - 80) * (row.value / most);
    return `<text x="${left - 6}" y="${i * line + 15}" text-anchor="end">${escape(row.label)}</text>`
      + `<rect x="${left}" y="${i * line + 4}" width="${length.toFixed(1)}" height="${line - 7}" fill="${row.colour}"/>`
      + `<text x="${left + length + 6}" y="${i * line + 15}">${row.value.toFixed(1)} ${unit}</text>`;
  });
  return `<svg viewBox="0 0 ${width} ${rows.length * line}" role="img" aria-label="${escape(title)}">${bars.join('')}</svg>`;
}

function plot(one, metrics) {
  const points = byUsers(metrics, one.metric);
  const lines = points.length > 1 ? linePlot(one, points) : '';
  const drawn = lines + barPlot(one, metrics);
  return `<h2>${escape(one.title)}</h2>${drawn || '<p>Nothing was measured.</p>'}`;
}

const row = (cells) => `<tr>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`;

function checksOf(group) {
  return [...(group.checks || []), ...(group.groups || []).flatMap(checksOf)];
}

export function page(facts, data, plots) {
  const { metrics } = data;
  const plain = Object.keys(metrics).filter((name) => !name.includes('{')).sort();
  const held = thresholds(metrics).map(([metric, condition, holds]) => row([
    escape(metric), escape(condition), holds ? 'holds' : '<span class="failed">failed</span>']));
  const checks = checksOf(data.root_group).map(({ name, passes, fails }) => row([
    escape(name), String(passes), fails > 0 ? `<span class="failed">${fails}</span>` : '0']));
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escape(facts.script)}</title><style>${style}</style>
<h1>${escape(facts.script)}</h1>
<p>Run by ${escape(facts.runner)}, ${escape(facts.started)} to ${escape(facts.ended)}; durations times ${facts.time_factor}, users times ${facts.users_factor}.
Latencies are the runner's: its own event loop is in them.</p>
${plots.map((one) => plot(one, metrics)).join('\n')}
<h2>Thresholds</h2><table><tr><th>metric<th>condition<th></tr>${held.join('')}</table>
<h2>Checks</h2><table><tr><th>check<th>passed<th>failed</tr>${checks.join('')}</table>
<h2>Metrics</h2><table>${plain.map((name) => row([escape(name), escape(figures(metrics[name]))])).join('')}</table>
</html>
`;
}
