// The output of a run: JSON for programs, a page with plots for people, a table on the terminal.
import { outFolder, moreMessages, runner, time, users } from './settings.js';
import { page } from './page.js';

// The option `summaryTrendStats` that the pages and tables here need.
export const trendStats = ['avg', 'min', 'med', 'p(90)', 'p(95)', 'p(99)', 'max', 'count'];

const significant = (value) => {
  if (!Number.isFinite(value)) return String(value);
  if (value !== 0 && Math.abs(value) < 10) return value.toPrecision(3);
  return String(Math.round(value));
};

// "ws_connecting{scenario:a}" and the like exist only for the plots.
const isPlain = (name) => !name.includes('{');

// A metric's figures in a line.
export function figures({ type, values }) {
  switch (type) {
    case 'counter': return `${values.count} (${significant(values.rate)}/s)`;
    case 'rate': return `${(100 * values.rate).toFixed(2)} % (${values.passes} of ${values.passes + values.fails})`;
    case 'gauge': return `${significant(values.value)} (at most ${significant(values.max)})`;
    default:
      return ['avg', 'med', 'p(95)', 'p(99)', 'max']
        .map((stat) => `${stat} ${significant(values[stat])}`).join('  ');
  }
}

// [metric, condition, holds] for each threshold that can fail.
export function thresholds(metrics) {
  const all = [];
  for (const name of Object.keys(metrics).filter(isPlain)) {
    const of = metrics[name].thresholds || {};
    for (const condition of Object.keys(of)) all.push([name, condition, of[condition].ok]);
  }
  return all;
}

// The points of a plot: a metric's figures for each number of users of the largest scenario.
export function byUsers(metrics, metric) {
  const points = [];
  for (const name of Object.keys(metrics)) {
    const match = /^(\w+)\{scenario:rampUp50WithSingleMessage,users:(\d+)\}$/.exec(name);
    if (!match || match[1] !== metric || !(metrics[name].values.count > 0)) continue;
    points.push({ users: Number(match[2]), ...metrics[name].values });
  }
  return points.sort((a, b) => a.users - b.users);
}

function text(name, { metrics }) {
  const lines = [`${name}.js, runner: ${runner}, time x ${time}, users x ${users}`];
  for (const metric of Object.keys(metrics).filter(isPlain).sort()) {
    lines.push(`  ${metric.padEnd(28, '.')} ${figures(metrics[metric])}`);
  }
  for (const [metric, condition, holds] of thresholds(metrics)) {
    lines.push(`  ${holds ? 'holds ' : 'FAILED'} ${metric} ${condition}`);
  }
  return `${lines.join('\n')}\n`;
}

// The result of handleSummary. `plots`: [{title, unit, metric}].
export function summary(name, data, plots) {
  const facts = {
    script: `${name}.js`,
    runner,
    time_factor: time,
    users_factor: users,
    more_messages: moreMessages,
    ended: new Date().toISOString(),
    started: new Date(Date.now() - data.state.testRunDurationMs).toISOString(),
  };
  return {
    stdout: text(name, data),
    [`${outFolder}/${name}.json`]: `${JSON.stringify({ ...facts, ...data }, null, 1)}\n`,
    [`${outFolder}/${name}.html`]: page(facts, data, plots),
  };
}
