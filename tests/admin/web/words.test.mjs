import assert from "node:assert/strict";
import { test } from "node:test";

import { at, load } from "./modules.mjs";

const { jobHref, levelOf, logLine, scheduleHref, shortId, spaced, splitTimes, tally, waitOf, wordOf } =
  await load("words.js");
const each = (cases, convert) => assert.deepEqual(cases.map(([given]) => [given, convert(given)]), cases);

test("a state has its word, and an unknown one its own name", () => {
  each([["running", "running"], ["tbc", "to be confirmed"], ["overlap_skipped", "overlap"], ["closed", "OK"],
    ["cancel_requested", "cancel requested"], ["new_state", "new state"], [null, "–"], [undefined, "–"]], wordOf);
  each([["failed", "bad"], ["succeeded", "ok"], ["new_state", "off"], [null, "off"], [undefined, "off"]], levelOf);
});

test("a reason to wait has its word, and an unknown one its own name", () => each([
  ["lock", "waiting for lock"], ["retry", "waiting for retry"], ["queue_paused", "queue paused"],
  ["slots", "waiting for a slot"], ["some_reason", "some reason"],
], waitOf));

test("an identifier reads as words", () => each([
  ["pause_queue", "pause queue"], ["a_b_c", "a b c"], ["", ""], [5, "5"],
], spaced));

test("an address of the page escapes the name in it", () => {
  assert.equal(jobHref("a/b?c#d"), "#/jobs/a%2Fb%3Fc%23d");
  assert.equal(scheduleHref("täglich um 4"), "#/schedules/t%C3%A4glich%20um%204");
});

test("a short id is the end of an id", () => each([
  ["0193f0c2-7e57-7000-8000-00000000abcd", "0000abcd"], ["abc", "abc"], ["", ""],
], shortId));

test("a text is cut at its times, which are every second part", () => each([
  ["due 2026-11-26T12:00:00Z, then 2026-11-27T12:00:00.123Z",
    ["due ", "2026-11-26T12:00:00Z", ", then ", "2026-11-27T12:00:00.123Z", ""]],
  ["2026-11-26T12:00:00Z", ["", "2026-11-26T12:00:00Z", ""]],
  ["2026-11-26 12:00", ["2026-11-26 12:00"]], ["", [""]], [null, [""]], [undefined, [""]], [5, ["5"]],
], splitTimes));

test("a line of a log has its time, level, event and the fields that the page does not show", (t) => {
  at(t, "2026-11-26T12:00:00Z");
  const shown = { task: "echo", queue: "default", schedule: "daily" };
  const fields = { ...shown, size: 3, name: "a b", more: { x: [null] }, none: null };
  assert.equal(logLine({ at: "2026-11-26T11:22:33Z", level: "info", event: "fetched", fields }),
    '11:22:33  info     fetched  size=3  name=a b  more={"x":[null]}  none=null');
  assert.equal(logLine({ at: "unreadable", level: "critical", event: "x", fields: {} }), "unreadable  critical  x");
});

test("outcomes are counted in words, the first seen first", () => {
  const rows = [["fired", 1], ["overlap_skipped", 1200], ["fired", 2]].map(([outcome, count]) => ({ outcome, count }));
  assert.equal(tally(rows), "3 fired, 1,200 overlap skipped");
  assert.equal(tally([]), "");
});
