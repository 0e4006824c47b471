// The study's three scenarios, with its names: how many virtual users are active at which time.
import exec from 'k6/execution';
import { time, users } from './settings.js';

const upTo200 = [20, 40, 60, 80, 100, 150, 200];
const upTo750 = [...upTo200, 250, 300, 350, 400, 450, 500, 550, 600, 650, 700, 750];
const stageSeconds = 30;

const seconds = (value) => `${Math.max(1, Math.round(value * time * 1000))}ms`;
const number = (value) => Math.max(1, Math.round(value * users));

function ramp(startSeconds, targets) {
  return {
    executor: 'ramping-vus',
    startTime: seconds(startSeconds),
    startVUs: number(5),
    stages: targets.map((target) => ({ duration: seconds(stageSeconds), target: number(target) })),
    gracefulRampDown: '30s',
    gracefulStop: '30s',
  };
}

const plans = {
  constVUWith3DirectMessages: {
    executor: 'constant-vus', vus: number(80), duration: seconds(45), gracefulStop: '30s',
  },
  rampUp50With100Messages: ramp(2 * 60, upTo200),
  rampUp50WithSingleMessage: ramp(5 * 60, upTo750),
};
const targets = {
  constVUWith3DirectMessages: [80],
  rampUp50With100Messages: upTo200,
  rampUp50WithSingleMessage: upTo750,
};

// The option `scenarios`: for each scenario the script's exported function of the same name.
export function scenarios() {
  const all = {};
  for (const name of Object.keys(plans)) all[name] = { ...plans[name], exec: name };
  return all;
}

// The number of users that the current stage of this scenario rises to, as a tag. So a summary can
// distinguish figures at 200 users from figures at 750.
export function usersTag() {
  const { name, startTime } = exec.scenario;
  const stage = Math.floor((Date.now() - startTime) / (stageSeconds * 1000 * time));
  const of = targets[name];
  return String(number(of[Math.max(0, Math.min(stage, of.length - 1))]));
}

// Thresholds that always hold, for each metric by scenario and by the largest scenario's stages. A
// summary has figures for a tag's value only if a threshold asks for them.
export function byScenario(metrics) {
  const asked = {};
  for (const metric of metrics) {
    for (const name of Object.keys(targets)) asked[`${metric}{scenario:${name}}`] = ['max>=0'];
    for (const target of upTo750) {
      asked[`${metric}{scenario:rampUp50WithSingleMessage,users:${number(target)}}`] = ['max>=0'];
    }
  }
  return asked;
}
