import assert from "node:assert/strict";
import { test } from "node:test";

import { load } from "./modules.mjs";

const {
  ceiling, countScale, durationScale, finished, HEIGHT, lanes, linePath, longest, marks, most, stackBars, sum,
} = await load("plot.js");
const HOUR = 3600e3;

test("the top of an axis is 1, 2 or 5 times a power of ten", () => {
  const cases = [
    [0, 1], [-7, 1], [NaN, 1], [undefined, 1], [1, 1], [1.1, 2], [2, 2], [3, 5], [6, 10], [10, 10], [11, 20],
    [999, 1000], [1001, 2000], [0.3, 0.5], [1e12 + 1, 1e12], [1.2e12, 2e12],
  ];
  assert.deepEqual(cases.map(([value]) => [value, ceiling(value)]), cases);
});

test("the marks of a time axis are round, few and within it", () => {
  const from = Date.parse("2026-11-26T13:07:31Z");
  const text = (ms) => new Date(ms).toISOString().slice(5, 16);
  const within = (hours) => marks(from, from + hours * HOUR).map(text);
  assert.deepEqual(within(0.25), ["11-26T13:10", "11-26T13:15", "11-26T13:20"]);
  assert.deepEqual(within(1), ["13:10", "13:20", "13:30", "13:40", "13:50", "14:00"].map((one) => `11-26T${one}`));
  assert.deepEqual(within(24).slice(0, 2), ["11-26T18:00", "11-27T00:00"]);
  for (const hours of [0.25, 1, 6, 24, 7 * 24]) {
    const found = within(hours).length;
    assert.ok(found >= 2 && found <= 7, `${found} marks in ${hours} h`);
  }
});

test("an axis that is empty or reversed has no marks", () => {
  assert.deepEqual([marks(0, 0), marks(HOUR, 0)], [[], []]);
  assert.deepEqual(marks(0, 60e3), [0], "the end has no mark: the word now is there");
});

test("a scale of counts begins at zero and has a mark half way", () => {
  const scale = countScale([3, 1, 4]);
  assert.deepEqual([0, 2.5, 5].map(scale.place), [0, HEIGHT / 2, HEIGHT]);
  assert.deepEqual(scale.marks, [[HEIGHT / 2, "2.5"], [HEIGHT, "5"]]);
  for (const nothing of [[], [0], [0, 0]]) assert.deepEqual(countScale(nothing).marks, [[HEIGHT, "1"]]);
});

test("a scale of durations shows milliseconds and hours apart", () => {
  const scale = durationScale([0.004, 7000, null, undefined, 0]);
  assert.deepEqual([0, -1].map(scale.place), [0, 0]);
  assert.equal(scale.place(0.001), 0);
  assert.equal(Math.round(scale.place(36000)), HEIGHT);
  assert.ok(scale.place(0.004) > 0 && scale.place(0.004) < scale.place(1) && scale.place(1) < scale.place(7000));
  const words = scale.marks.map(([, text]) => text);
  assert.deepEqual(words, ["10 ms", "100 ms", "1 s", "10 s", "1 m", "10 m", "1 h", "10 h"]);
});

test("a scale of durations has a place for every value: none, one, equal and extreme ones", () => {
  for (const values of [[], [null], [0], [5], [1, 1, 1], [0.0000001], [1e9], [0.0000001, 1e9]]) {
    const scale = durationScale(values);
    const places = [...values.map((value) => scale.place(value ?? 0)), ...scale.marks.map(([place]) => place)];
    for (const place of places) {
      assert.ok(place >= 0 && place <= HEIGHT + 1e-9, `a place of [${values}] is ${place}`);
    }
  }
});

test("a line is broken where values are missing, and one between gaps is a dot", () => {
  const path = (...values) => linePath(values, (value) => value, 10);
  assert.equal(path(), "");
  assert.equal(path(null, undefined), "");
  assert.equal(path(30), "M5.0 70.0h.01");
  assert.equal(path(0, 100), "M5.0 100.0L15.0 0.0");
  assert.equal(path(1, 2, null, 3, undefined, 4, 5), "M5.0 99.0L15.0 98.0M35.0 97.0h.01M55.0 96.0L65.0 95.0");
  assert.equal(path(7, 7, 7), "M5.0 93.0L15.0 93.0L25.0 93.0");
});

test("bars stand on each other, and nothing is drawn for zero or a missing value", () => {
  const lines = [
    { name: "good", level: "ok", values: [1, 0, null] }, { name: "bad", level: "bad", values: [2, 3, undefined] }];
  const bars = stackBars(lines, (value) => value * 10, 100);
  assert.deepEqual(bars.map((one) => [one.class, one.x, one.y, one.height]), [
    ["ok", "10.00", "90.00", "10.00"], ["bad", "10.00", "70.00", "20.00"], ["bad", "110.00", "70.00", "30.00"]]);
  assert.equal(new Set(bars.map((one) => one["data-key"])).size, 3);
  assert.deepEqual(stackBars([{ name: "none", level: "off", values: [] }], Number, 1), []);
});

test("runs in one lane never overlap while there are lanes", () => {
  const runs = [[5, 9], [0, 4], [3, 6], [4, 5], [0, 0]].map(([from, to]) => ({ from, to }));
  const placed = lanes(runs, 8);
  assert.deepEqual(placed.map(({ from, to, lane }) => [from, to, lane]),
    [[0, 4, 0], [0, 0, 1], [3, 6, 1], [4, 5, 0], [5, 9, 0]]);
  assert.deepEqual(lanes([], 8), []);
});

test("runs share the last lane if none is free", () => {
  const same = Array.from({ length: 5 }, () => ({ from: 0, to: 10 }));
  assert.deepEqual(lanes(same, 3).map((run) => run.lane), [0, 1, 2, 2, 2]);
  assert.deepEqual(lanes([...same, { from: 10, to: 11 }], 3).at(-1).lane, 0, "a lane that is free again is used");
  assert.deepEqual(lanes(same, 1).map((run) => run.lane), [0, 0, 0, 0, 0]);
});

test("sums and largest values ignore missing values", () => {
  const points = [{ failed: 1, succeeded: 2, other: 3 }, { failed: null }, {}];
  assert.deepEqual([sum(points, "failed"), sum([], "failed"), finished(points)], [1, 0, 6]);
  assert.deepEqual([most(points, (one) => one.succeeded), most([], Number)], [2, 0]);
});

test("the summary names the largest p95, or says that there is no data", () => {
  assert.equal(longest([{ run: { p95: 2 } }, { run: null }, { run: { p95: 61 } }], "run"), "highest p95: 1 m 01 s");
  for (const points of [[], [{}], [{ run: null }], [{ run: { p95: null } }]]) {
    assert.equal(longest(points, "run"), "no data");
  }
  assert.equal(longest([{ run: { p95: 0 } }], "run"), "highest p95: 0 s");
});
