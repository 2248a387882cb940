// Words and colours of states, addresses of things, lines of logs: text of the page that is not a time. Pure: no
// document is needed, so Node can test this module.
import { clock, count } from "./time.js";

const LEVELS = {
  running: "accent", succeeded: "ok", failed: "bad", quarantined: "bad", expired: "warn", skipped: "warn",
  cancelled: "off", queued: "off",
  started: "accent", requeued: "accent", retried: "warn", interrupted: "warn", rescued: "bad",
  cancel_requested: "warn", terminate_requested: "warn",
  healthy: "ok", degraded: "warn", unhealthy: "bad",
  closed: "ok", half_open: "warn", open: "bad",
  go: "ok", tbc: "warn", tbd: "off", hold: "bad", in_flight: "accent", success: "ok", partial_failure: "warn",
  failure: "bad",
  fired: "ok", backfilled: "accent", coalesced: "warn", missed: "bad", overlap_skipped: "warn", paused: "off",
};
const WORDS = {
  go: "Go", tbc: "to be confirmed", tbd: "to be determined", in_flight: "in flight", partial_failure: "partial failure",
  closed: "OK", half_open: "retrying", open: "backing off", off: "disabled", overlap_skipped: "overlap",
};
const WAITS = {
  run_at: "not due yet", retry: "waiting for retry", overlap: "waiting for the previous run",
  lock: "waiting for lock", rate_limit: "waiting for the rate limit", queue_paused: "queue paused",
  slots: "waiting for a slot",
};

/** An identifier of the API as words: "cancel_requested" is "cancel requested". */
export const spaced = (name) => String(name).replaceAll("_", " ");
export const levelOf = (name) => LEVELS[name] ?? "off";
export const wordOf = (name) => WORDS[name] ?? spaced(name ?? "–");
/** The reason why a queued job does not run yet. */
export const waitOf = (reason) => WAITS[reason] ?? spaced(reason);

export const jobHref = (id) => `#/jobs/${encodeURIComponent(id)}`;
export const scheduleHref = (name) => `#/schedules/${encodeURIComponent(name)}`;

/** The end of an id: its random part, which differs between jobs. */
export const shortId = (id) => String(id).slice(-8);

const INSTANT = /(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)/;
/** A text of the daemon cut at its times: every second part is a time. */
export const splitTimes = (text) => String(text ?? "").split(INSTANT);

const plain = (value) => (typeof value === "string" ? value : JSON.stringify(value));
// Fields of each line that the page of its job shows anyway.
const SHOWN = new Set(["task", "queue", "schedule"]);
/** A line of a job's log: time, level, event and fields. */
export function logLine({ at, level, event, fields }) {
  const more = Object.entries(fields).filter(([name]) => !SHOWN.has(name));
  return [clock(at), level.padEnd(7), event, ...more.map(([name, value]) => `${name}=${plain(value)}`)].join("  ");
}

/** A count of outcomes in words: "3 fired, 1 missed". */
export function tally(rows) {
  const counts = {};
  for (const { outcome, count: times } of rows) counts[outcome] = (counts[outcome] ?? 0) + times;
  return Object.entries(counts).map(([outcome, times]) => `${count(times)} ${spaced(outcome)}`).join(", ");
}
