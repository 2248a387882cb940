import assert from "node:assert/strict";
import { test } from "node:test";

import { at, load } from "./modules.mjs";

const {
  ago, bytes, clock, count, countdown, counted, duration, isExact, isTime, netText, now, percent, roughly, setClock,
  stamp, two,
} = await load("time.js");
const NOON = "2026-11-26T12:00:00Z";
/** Each case is [input, expected output]. */
const each = (cases, convert) => assert.deepEqual(cases.map(([given]) => [given, convert(given)]), cases);

test("a duration has its two largest units", () => each([
  [0, "0 s"], [0.00004, "0 ms"], [0.0042, "4.2 ms"], [0.0099, "9.9 ms"], [0.01, "10 ms"], [0.82, "820 ms"],
  [0.9994, "999 ms"], [0.9995, "1.0 s"], [1, "1 s"], [4.2, "4.2 s"], [9.94, "9.9 s"], [9.95, "10 s"], [59.4, "59 s"],
  [59.5, "1 m 00 s"], [185, "3 m 05 s"], [3599.6, "1 h 00 m"], [7800, "2 h 10 m"], [86399, "23 h 59 m"],
  [86400, "1 d 0 h"], [273600, "3 d 4 h"], [1e9, "11574 d 1 h"],
], duration));

test("a duration that is missing or no number is a dash, a negative one is zero", () => each([
  [null, "–"], [undefined, "–"], [NaN, "–"], [Infinity, "–"], ["5", "–"], [-3, "0 s"], [-0.001, "0 s"],
], duration));

test("a running duration has whole seconds and never goes below zero", () => each([
  [-5, "0 s"], [0.9, "0 s"], [1.99, "1 s"], [61.9, "1 m 01 s"],
], counted));

test("a rough duration has its largest unit", () => each([
  [0.001, "1 ms"], [0.0001, "0 ms"], [0, "0 ms"], [0.5, "500 ms"], [0.96, "1 s"], [56, "56 s"], [58, "1 m"],
  [1800, "30 m"], [3599, "1 h"], [21600, "6 h"], [86399, "1 d"], [259200, "3 d"], [400 * 86400, "400 d"],
], roughly));

test("a clock shows today's times alone and other days with their date", (t) => {
  at(t, NOON);
  each([
    [NOON, "12:00:00"], ["2026-11-26T00:00:00Z", "00:00:00"], ["2026-11-26T23:59:59.9Z", "23:59:59"],
    ["2026-11-25T23:59:59Z", "25 Nov 23:59"], ["2026-11-27T00:00:00Z", "27 Nov 00:00"],
    ["2025-11-26T12:00:00Z", "26 Nov 2025 12:00"], ["2027-01-01T00:00:00Z", "1 Jan 2027 00:00"],
  ], (instant) => clock(instant));
  assert.equal(clock("2026-11-26T09:05:59Z", { seconds: false }), "09:05");
});

test("a stamp has a year only if it is not the current one", (t) => {
  at(t, NOON);
  each([[NOON, "26 Nov 12:00"], ["1957-10-04T19:28:34Z", "4 Oct 1957 19:28"], [0, "1 Jan 1970 00:00"]], stamp);
});

test("a time that cannot be read is shown as it is", () => {
  for (const format of [stamp, clock, countdown]) each([["unreadable", "unreadable"], ["", ""]], (one) => format(one));
  each([["unreadable", false], ["", false], [undefined, false], [NOON, true], ["2026-13-01T00:00:00Z", false]], isTime);
});

test("a countdown starts with T− or T+, and has days only if there are any", (t) => {
  at(t, NOON);
  each([
    [NOON, "T−00:00:00"], ["2026-11-26T12:00:01Z", "T−00:00:01"], ["2026-11-26T11:50:00Z", "T+00:10:00"],
    ["2026-11-28T16:11:09Z", "T−2 d 04:11:09"], ["2026-11-24T11:59:59Z", "T+2 d 00:00:01"],
    ["2026-11-26T12:00:00.4Z", "T−00:00:00"], ["2026-11-26T11:59:59.6Z", "T+00:00:01"],
    ["2126-11-26T12:00:00Z", "T−36524 d 00:00:00"],
  ], (instant) => countdown(instant));
  each([
    ["2026-11-28T16:11:09Z", "T−2 d 4 h"], ["2026-11-26T12:59:59Z", "T−0 h"], ["2026-11-26T09:00:00Z", "T+3 h"],
  ], (instant) => countdown(instant, { toTheHour: true }));
});

test("a distance in time says before or after", (t) => {
  at(t, NOON);
  each([
    [NOON, "just now"], ["2026-11-26T11:59:59.5Z", "just now"], ["2026-11-26T11:59:59Z", "1 s ago"],
    ["2026-11-26T11:56:55Z", "3 m 05 s ago"], ["2026-11-26T14:10:00Z", "in 2 h 10 m"],
    ["2026-11-26T12:00:00.5Z", "in 0 s"],
  ], ago);
});

test("a NET is never finer than its precision", (t) => {
  at(t, NOON);
  const net = "2077-02-05T13:14:15Z";
  each([
    ["second", "5 Feb 2077 13:14"], ["minute", "5 Feb 2077 13:14"], ["hour", "~5 Feb 2077 13:14"],
    ["day", "5 Feb 2077"], ["week", "week of 5 Feb 2077"], ["month", "Feb 2077"], ["quarter", "Q1 2077"],
    ["half", "H1 2077"], ["year", "2077"], ["decade", "2070s"], [null, "5 Feb 2077 13:14"],
  ], (precision) => netText({ net, net_precision: precision }));
  each([["second", "15:16:17"], [null, "15:16:17"], ["minute", "15:16"], ["hour", "~15:16"], ["day", "26 Nov 2026"]],
    (precision) => netText({ net: "2026-11-26T15:16:17Z", net_precision: precision }));
});

test("quarters, halves and decades begin and end with their first and last second", () => {
  const edges = ["01-01T00:00:00Z", "03-31T23:59:59Z", "04-01T00:00:00Z", "06-30T23:59:59Z", "07-01T00:00:00Z",
    "12-31T23:59:59Z"];
  const text = (precision, year) => edges.map((one) => netText({ net: `${year}-${one}`, net_precision: precision }));
  assert.deepEqual(text("quarter", 2029), ["Q1 2029", "Q1 2029", "Q2 2029", "Q2 2029", "Q3 2029", "Q4 2029"]);
  assert.deepEqual(text("half", 2029), ["H1 2029", "H1 2029", "H1 2029", "H1 2029", "H2 2029", "H2 2029"]);
  assert.deepEqual([...new Set(text("decade", 2029)), ...new Set(text("decade", 2030))], ["2020s", "2030s"]);
});

test("a NET that is missing or cannot be read says so and has no countdown", () => {
  each([[null, "unknown"], ["", "unknown"], [undefined, "unknown"], ["unreadable", "unreadable"]],
    (net) => netText({ net, net_precision: "day" }));
  each([[null, false], ["unreadable", false]], (net) => isExact({ net, net_precision: "second" }));
});

test("a countdown is for a NET that is known to the hour or finer", () => {
  const precisions = ["second", "minute", "hour", "day", "week", "month", "quarter", "half", "year", "decade"];
  const exact = precisions.filter((precision) => isExact({ net: NOON, net_precision: precision }));
  assert.deepEqual(exact, ["second", "minute", "hour"]);
  assert.equal(isExact({ net: NOON, net_precision: null }), true);
});

test("now follows the daemon's clock if it differs by more than the header's precision", (t) => {
  at(t, NOON);
  const here = Date.parse(NOON);
  const after = (header) => (setClock(header), now() - here);
  assert.equal(after("Thu, 26 Nov 2026 12:00:02 GMT"), 0);
  assert.equal(after("Thu, 26 Nov 2026 13:00:00 GMT"), 3600e3);
  assert.equal(clock("2026-11-26T13:00:00Z"), "13:00:00");
  assert.equal(after(null), 3600e3, "an answer without a Date changes nothing");
  assert.equal(after("no date"), 3600e3, "nor does one that cannot be read");
  assert.equal(after("Wed, 25 Nov 2026 12:00:00 GMT"), -86400e3);
  assert.equal(after("Thu, 26 Nov 2026 11:59:58 GMT"), 0);
});

test("counts have separators, and no number is a dash", () => each([
  [0, "0"], [999, "999"], [1234567, "1,234,567"], [-1000, "-1,000"], [null, "–"], [undefined, "–"], [NaN, "–"],
  [Infinity, "–"],
], count));

test("a share has one decimal, except zero and (nearly) all", () => each([
  [0, "0 %"], [0.0001, "0.0 %"], [1 / 3, "33.3 %"], [0.999, "99.9 %"], [1, "100 %"], [null, "–"], [NaN, "–"],
], percent));

test("bytes have a binary unit", () => each([
  [0, "0 B"], [0.4, "0 B"], [1, "1 B"], [1023, "1023 B"], [1024, "1.0 KiB"], [10 * 1024, "10 KiB"],
  [1.5 * 2 ** 20, "1.5 MiB"], [3 * 2 ** 30, "3.0 GiB"], [2 ** 40, "1.0 TiB"], [2 ** 60, "1048576 TiB"], [-1, "-1 B"],
  [null, "–"], [NaN, "–"],
], bytes));

test("two digits are padded and never rounded up", () => each([
  [0, "00"], [9.99, "09"], [59, "59"], [100, "100"],
], two));
