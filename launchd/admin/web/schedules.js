// Schedules: when what runs next, and the ledger of what became of each fire.
import { at, get } from "./api.js";
import { MOST_PAGES, pages, resource, schedules, status } from "./data.js";
import { h, soft } from "./dom.js";
import { badge, button, empty, facts, faint, jobHref, json, levelOf, link, list, more, panel, scheduleLink, shortId, state, table } from "./parts.js";
import { clock, count, duration, time } from "./time.js";

const PAGE = 50;
const spec = (one) => [h("code", null, one.cron ?? (one.every ? `every ${one.every}` : "–")), one.day_match === "and" ? faint(" both days must match") : null];
const last = (one) => (one.last ? h("span", { class: "row" }, state(one.last.outcome), time(one.last.fire_time, "ago", { class: "faint" })) : faint("never"));
const paused = (one) => (one.paused ? badge("paused", "warn", one.note) : null);

const acts = (one) => [
  button("Trigger", "trigger", one.name, { class: "small", "aria-label": `Trigger ${one.name}` }),
  one.paused
    ? button("Resume", "resume-schedule", one.name, { class: "small", "aria-label": `Resume ${one.name}` })
    : button("Pause", "pause-schedule", one.name, { class: "small", "aria-label": `Pause ${one.name}` }),
];

const NAME = { name: "Schedule", class: "main", cell: (one) => [h("span", { class: "row" }, scheduleLink(one.name), paused(one)), h("span", { class: "under" }, one.paused && one.note ? one.note : one.description)] };
const NEXT = { name: "Next", class: "num when", cell: (one) => (one.paused ? faint("paused") : one.next[0] ? [time(one.next[0], "until"), h("span", { class: "under" }, clock(one.next[0]))] : faint("none")) };
const COLUMNS = [
  NAME, NEXT,
  { name: "When", class: "wide", cell: (one) => [...spec(one), h("span", { class: "under" }, one.timezone ?? "UTC")] },
  { name: "Last fire", class: "wide", cell: last },
  { name: "Task", class: "wide", cell: (one) => link(`#/jobs?${new URLSearchParams({ task: one.task })}`, soft(one.task)) },
  { name: "", class: "acts", cell: acts },
];

export const schedulesView = () => ({
  title: "Schedules",
  panels: [panel({
    title: "Schedules",
    of: [schedules()],
    lines: 8,
    tools: ({ items }) => faint(`${count(items.length)} in all`),
    draw: ({ items }) => (items.length ? table("Schedules", COLUMNS, items, (one) => one.name) : empty("No schedule is configured.")),
  })],
});

/** What fires next, whatever the schedule. */
export const firesPanel = () =>
  panel({
    title: "Next fires",
    of: [status()],
    area: "fires",
    lines: 5,
    tools: () => link("#/schedules", "Schedules"),
    draw: ({ next_fires: coming }) => (coming.length ? list(coming.slice(0, 6).map(comingRow)) : empty("Nothing is due: all schedules are paused or off.")),
  });
const comingRow = (one) => ({
  key: `${one.schedule} ${one.at}`,
  main: scheduleLink(one.schedule),
  side: [time(one.at), h("span", { class: "in" }, time(one.at, "until"))],
});

// --- one schedule ---

export function scheduleView(name, query) {
  const one = resource(`schedule:${name}`, () => get(at`/v1/schedules/${name}`), ["schedule", "fire", "config"], { live: 20, polling: 3 });
  const many = Math.min(Number(query.pages) || 1, MOST_PAGES);
  const ledger = resource(`fires:${name}:${many}`, () => pages(at`/v1/schedules/${name}/fires`, { limit: PAGE }, many), ["schedule", "fire", "job"], { live: 20, polling: 3 });
  return {
    title: name,
    back: ["#/schedules", "Schedules"],
    layout: "detail",
    panels: [
      panel({ title: "Schedule", main: true, of: [one], lines: 10, tools: (data) => [acts(data), button("Backfill", "backfill", name, { class: "small" })], draw: scheduleFacts }),
      panel({ title: "Next fires", of: [one], lines: 8, draw: ({ next }) => (next.length ? h("ol", { class: "times" }, next.map((instant) => h("li", { "data-key": instant }, time(instant), time(instant, "until", { class: "faint" })))) : empty("It does not fire again.")) }),
      panel({ title: "Ledger", of: [ledger], lines: 8, area: "full", tools: ({ items }) => faint(`the newest ${count(items.length)}`), draw: (data) => drawLedger(data, many) }),
    ],
  };
}

const scheduleFacts = (one) => [
  h("p", { class: "lead" }, one.description, ". ", paused(one), one.paused && one.note ? ` ${one.note}` : ""),
  facts([
    ["Task", link(`#/jobs?${new URLSearchParams({ schedule: one.name })}`, one.task)],
    ["When", spec(one)],
    ["Timezone", one.timezone],
    ["Catch-up", one.catchup],
    ["Overlap", one.overlap],
    ["Grace", one.misfire_grace_seconds === null ? null : duration(one.misfire_grace_seconds)],
    ["Jitter", one.jitter_seconds ? duration(one.jitter_seconds) : null],
    ["Last fire", last(one)],
  ]),
  one.args && Object.keys(one.args).length ? json(one.args, "Arguments") : null,
];

function drawLedger({ items, next }, many) {
  if (!items.length) return empty("It has not fired yet.");
  const strip = [...items].slice(0, 60).reverse();
  return [
    h("div", { class: "strip", role: "img", "aria-label": `The last ${strip.length} rows: ${tally(strip)}` },
      strip.map((row) => h("i", { class: levelOf(row.outcome), "data-key": row.fire_time, title: `${clock(row.fire_time)}: ${row.outcome.replaceAll("_", " ")}` }))),
    table("Ledger, newest first", LEDGER, items, (row) => row.fire_time),
    more(next, many),
  ];
}

function tally(rows) {
  const counts = {};
  for (const { outcome, count: times } of rows) counts[outcome] = (counts[outcome] ?? 0) + times;
  return Object.entries(counts).map(([outcome, times]) => `${count(times)} ${outcome.replaceAll("_", " ")}`).join(", ");
}

const LEDGER = [
  { name: "Due (UTC)", class: "num when", cell: (row) => [time(row.fire_time), row.count > 1 ? h("span", { class: "under" }, "to ", time(row.until)) : null] },
  { name: "Became", class: "tight", cell: (row) => [state(row.outcome), row.count > 1 ? h("span", { class: "under" }, `${count(row.count)} fires`) : null] },
  { name: "Reason", class: "wide clip main", cell: (row) => row.reason ?? faint("") },
  { name: "Job", class: "when", cell: (row) => (row.job_id ? link(jobHref(row.job_id), shortId(row.job_id)) : faint("–")) },
];
