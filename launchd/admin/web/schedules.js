// Schedules: the list with the next run of each, and the page of one with its history.
import { get } from "./api.js";
import { time } from "./clocks.js";
import { pages, schedules, status } from "./data.js";
import { h, soft } from "./dom.js";
import { at } from "./http.js";
import {
  badge, button, empty, facts, faint, json, link, list, more, panel, scheduleLink, state, table,
} from "./parts.js";
import { MOST_PAGES, resource } from "./resource.js";
import { clock, count, duration } from "./time.js";
import { jobHref, levelOf, shortId, spaced, tally } from "./words.js";

const PAGE = 50;
const expression = (one) => [
  h("code", null, one.cron ?? (one.every ? `every ${one.every}` : "–")),
  one.day_match === "and" ? faint(" both days must match") : null,
];
const last = (one) => (one.last
  ? h("span", { class: "row" }, state(one.last.outcome), time(one.last.fire_time, "ago", { class: "faint" }))
  : faint("never"));
const paused = (one) => (one.paused ? badge("paused", "warn", one.note) : null);
const noteOf = (one) => (one.paused && one.note ? one.note : null);

function acts({ name, paused: resting }) {
  const label = (verb) => ({ class: "small", "aria-label": `${verb} ${name}` });
  return [
    button("Trigger", "trigger", name, label("Trigger")),
    resting
      ? button("Resume", "resume-schedule", name, label("Resume"))
      : button("Pause", "pause-schedule", name, label("Pause")),
  ];
}

function nextCell({ paused: resting, next: [first] }) {
  if (resting) return faint("paused");
  return first ? [time(first, "until"), h("span", { class: "under" }, clock(first))] : faint("none");
}
const nameCell = (one) => [
  h("span", { class: "row" }, scheduleLink(one.name), paused(one)),
  h("span", { class: "under" }, noteOf(one) ?? one.description),
];
const COLUMNS = [
  { name: "Schedule", class: "main", cell: nameCell },
  { name: "Next run", class: "num when", cell: nextCell },
  { name: "Timing", class: "wide",
    cell: (one) => [...expression(one), h("span", { class: "under" }, one.timezone ?? "UTC")] },
  { name: "Last run", class: "wide", cell: last },
  { name: "Task", class: "wide",
    cell: (one) => link(`#/jobs?${new URLSearchParams({ task: one.task })}`, soft(one.task)) },
  { name: "", class: "acts", cell: acts },
];

export const schedulesView = () => ({
  title: "Schedules",
  panels: [panel({
    title: "Schedules",
    of: [schedules()],
    lines: 8,
    tools: ({ items }) => faint(`${count(items.length)} in total`),
    draw: ({ items }) => (items.length
      ? table("Schedules", COLUMNS, items, (one) => one.name) : empty("No schedules are configured.")),
  })],
});

const NONE_DUE = "No run is due. Every schedule is paused or disabled.";
/** The next runs of all schedules. */
export const firesPanel = () =>
  panel({
    title: "Next runs",
    of: [status()],
    area: "fires",
    lines: 5,
    tools: () => link("#/schedules", "Schedules"),
    draw: ({ next_fires: coming }) => (coming.length ? list(coming.slice(0, 6).map(comingRow)) : empty(NONE_DUE)),
  });
const comingRow = (one) => ({
  key: `${one.schedule} ${one.at}`,
  main: scheduleLink(one.schedule),
  side: [time(one.at), h("span", { class: "in" }, time(one.at, "until"))],
});

// --- one schedule ---

export function scheduleView(name, query) {
  const periods = { live: 20, polling: 3 }, topics = ["schedule", "fire", "config"];
  const one = resource(`schedule:${name}`, () => get(at`/v1/schedules/${name}`), topics, periods);
  const many = Math.min(Number(query.pages) || 1, MOST_PAGES);
  const load = () => pages(at`/v1/schedules/${name}/fires`, { limit: PAGE }, many);
  const ledger = resource(`fires:${name}:${many}`, load, ["schedule", "fire", "job"], periods);
  const tools = (data) => [acts(data), button("Backfill", "backfill", name, { class: "small" })];
  return {
    title: name,
    back: ["#/schedules", "Schedules"],
    layout: "detail",
    panels: [
      panel({ title: "Schedule", main: true, of: [one], lines: 10, tools, draw: scheduleFacts }),
      panel({ title: "Next runs", of: [one], lines: 8, draw: drawNext }),
      panel({ title: "History", of: [ledger], lines: 8, area: "full",
        tools: ({ items }) => (items.length ? faint(`newest ${count(items.length)}`) : null),
        draw: (data) => drawLedger(data, many) }),
    ],
  };
}

const scheduleFacts = (one) => [
  h("p", { class: "lead" }, one.description, ". ", paused(one), noteOf(one) ? ` ${one.note}` : ""),
  facts([
    ["Task", link(`#/jobs?${new URLSearchParams({ schedule: one.name })}`, one.task)],
    ["Timing", expression(one)],
    ["Timezone", one.timezone],
    ["Catch-up", one.catchup],
    ["Overlap", one.overlap],
    ["Grace period", one.misfire_grace_seconds === null ? null : duration(one.misfire_grace_seconds)],
    ["Jitter", one.jitter_seconds ? duration(one.jitter_seconds) : null],
    ["Last run", last(one)],
  ]),
  one.args && Object.keys(one.args).length ? json(one.args, "Arguments") : null,
];

function drawNext({ next }) {
  if (!next.length) return empty("No more runs.");
  return h("ol", { class: "times" }, next.map((instant) =>
    h("li", { "data-key": instant }, time(instant), time(instant, "until", { class: "faint" }))));
}

const STRIP = 60;
function drawLedger({ items, next }, many) {
  if (!items.length) return empty("No runs yet.");
  const strip = items.slice(0, STRIP).reverse();
  const mark = ({ outcome, fire_time: due }) =>
    h("i", { class: levelOf(outcome), "data-key": due, title: `${clock(due)}: ${spaced(outcome)}` });
  return [
    h("div", { class: "strip", role: "img", "aria-label": `The last ${strip.length} rows: ${tally(strip)}` },
      strip.map(mark)),
    table("History, newest first", LEDGER, items, (row) => row.fire_time),
    more(next, many),
  ];
}

const dueCell = (row) =>
  [time(row.fire_time), row.count > 1 ? h("span", { class: "under" }, "to ", time(row.until)) : null];
const outcomeCell = (row) =>
  [state(row.outcome), row.count > 1 ? h("span", { class: "under" }, `${count(row.count)} runs`) : null];
const LEDGER = [
  { name: "Due (UTC)", class: "num when", cell: dueCell },
  { name: "Outcome", class: "tight", cell: outcomeCell },
  { name: "Reason", class: "wide clip main", cell: (row) => row.reason ?? faint("") },
  { name: "Job", class: "when",
    cell: (row) => (row.job_id ? link(jobHref(row.job_id), shortId(row.job_id)) : faint("–")) },
];
