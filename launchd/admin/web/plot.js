// Scales, paths and lanes of the charts and the timeline, as numbers and texts. Pure: no document is needed, so Node
// can test this module. A chart is HEIGHT units high and WIDTH units wide, and stretches with its box.
import { count, duration, roughly } from "./time.js";

export const HEIGHT = 100;
export const WIDTH = 1000;
const MINUTE = 60e3, HOUR = 60 * MINUTE, DAY = 24 * HOUR;
// The possible distances between the marks of a time axis, in milliseconds, and the largest number of marks.
const STEPS = [
  MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE,
  HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY,
];
const MOST_MARKS = 6;
// The possible marks of an axis of durations, in seconds.
const DURATIONS = [0.001, 0.01, 0.1, 1, 10, 60, 600, 3600, 36000, 360000];
const missing = (value) => value === null || value === undefined;

/** The smallest of 1, 2, 5, 10, 20 … that is not below the value. */
export function ceiling(value) {
  if (!(value > 0)) return 1;
  const step = 10 ** Math.floor(Math.log10(value));
  return step * ([1, 2, 5].find((one) => one * step >= value * 0.9999) ?? 10);
}

/** The round times between two times, in milliseconds. */
export function marks(from, to) {
  const step = STEPS.find((one) => (to - from) / one <= MOST_MARKS) ?? STEPS.at(-1);
  const found = [];
  for (let at = Math.ceil(from / step) * step; at < to; at += step) found.push(at);
  return found;
}

/** A linear scale from zero to at least the largest value: {place(value), marks: [[place, text]]}. */
export function countScale(values) {
  const top = ceiling(Math.max(0, ...values));
  const whole = top > 1 ? [top / 2, top] : [top];
  return { place: (value) => value / top * HEIGHT, marks: whole.map((value) => [value / top * HEIGHT, count(value)]) };
}

/**
 * A logarithmic scale, that shows milliseconds and hours in one chart: {place(value), marks}. A duration
 * of zero lies at the bottom.
 */
export function durationScale(values) {
  const timed = values.filter((value) => value > 0);
  const least = Math.min(...timed), most = Math.max(...timed);
  const low = timed.length ? DURATIONS.findLast((one) => one <= least) ?? DURATIONS[0] : 0.1;
  const high = DURATIONS.find((one) => one >= most && one > low) ?? (timed.length ? Math.max(most, low * 10) : 10);
  const place = (value) => Math.max(Math.log(Math.max(value, low) / low) / Math.log(high / low), 0) * HEIGHT;
  const between = DURATIONS.filter((one) => one > low && one <= high);
  return { place, marks: between.map((one) => [place(one), roughly(one)]) };
}

/** The SVG path of a line that is broken where values are missing; a value between two gaps is a dot. */
export function linePath(values, place, gap) {
  let path = "", down = false;
  values.forEach((value, at) => {
    if (missing(value)) {
      down = false;
      return;
    }
    path += `${down ? "L" : "M"}${((at + 0.5) * gap).toFixed(1)} ${(HEIGHT - place(value)).toFixed(1)}`;
    if (!down && missing(values[at + 1])) path += "h.01";
    down = true;
  });
  return path;
}

/** Stacked bars of lines {name, level, values}, as attributes of rectangles. */
export function stackBars(lines, place, gap) {
  const below = lines[0].values.map(() => 0);
  return lines.flatMap((one) => one.values.flatMap((value, at) => {
    if (!value) return [];
    const height = place(value);
    below[at] += height;
    return [{
      class: one.level, x: (at * gap + gap * 0.1).toFixed(2), width: (gap * 0.8).toFixed(2),
      y: (HEIGHT - below[at]).toFixed(2), height: height.toFixed(2), "data-key": `${one.name}${at}`,
    }];
  }));
}

/** Put runs {from, to} into as few lanes as possible without overlap; with `most` lanes in use, the last is shared. */
export function lanes(runs, most) {
  const ends = [];
  return [...runs].sort((a, b) => a.from - b.from).map((run) => {
    let lane = ends.findIndex((end) => end <= run.from);
    if (lane < 0) lane = Math.min(ends.length, most - 1);
    ends[lane] = run.to;
    return { ...run, lane };
  });
}

export const sum = (points, name) => points.reduce((total, one) => total + (one[name] ?? 0), 0);
export const most = (points, read) => Math.max(0, ...points.map((one) => read(one) ?? 0));
/** The number of jobs that finished within all points. */
export const finished = (points) => sum(points, "succeeded") + sum(points, "failed") + sum(points, "other");

/** The largest p95 of a duration ("run", "wait") as a sentence. */
export const longest = (points, name) =>
  points.some((one) => Number.isFinite(one[name]?.p95))
    ? `highest p95: ${duration(most(points, (one) => one[name]?.p95))}`
    : "no data";
