// Queues with their slots, the timeline of runs, and the locks.
import { get } from "./api.js";
import { axis } from "./charts.js";
import { time } from "./clocks.js";
import { locks, status } from "./data.js";
import { h, s, soft } from "./dom.js";
import { badge, button, empty, faint, legend, link, list, meter, panel, switches, table } from "./parts.js";
import { lanes, marks, WIDTH } from "./plot.js";
import { resource } from "./resource.js";
import { clock, count, duration, now } from "./time.js";
import { jobHref, levelOf, shortId } from "./words.js";

// Up to this number, each slot is drawn as a dot.
const MOST_DOTS = 24;

function slots(queue) {
  const words = `${queue.running} of ${queue.concurrency} slots busy`;
  const picture = queue.concurrency > MOST_DOTS
    ? meter(queue.running, queue.concurrency, `${queue.name}: ${words}`)
    : h("span", { class: "dots", role: "img", "aria-label": words, title: words }, dots(queue));
  return h("span", { class: "slots" }, picture, h("span", { class: "num" }, `${queue.running}/${queue.concurrency}`));
}
const dots = ({ concurrency, running }) =>
  Array.from({ length: Math.max(concurrency, running) }, (_, at) => h("i", { class: at < running ? "busy" : null }));

function acts({ name, paused, concurrency, rate }) {
  const label = (verb) => ({ class: "small", "aria-label": `${verb} queue ${name}` });
  return [
    paused
      ? button("Resume", "resume-queue", name, label("Resume"))
      : button("Pause", "pause-queue", name, label("Pause")),
    button("Resize", "resize", { name, concurrency, rate }, label("Resize")),
  ];
}

const nameCell = (one) => [
  h("span", { class: "row" }, link(`#/jobs?${new URLSearchParams({ queue: one.name })}`, soft(one.name)),
    one.paused ? badge("paused", "warn", one.note) : null),
  one.note ? h("span", { class: "under" }, one.note) : null,
];
const oldest = (one) => (one.waiting ? duration(Math.floor(one.oldest_wait)) : faint("–"));
const BRIEF = [
  { name: "Queue", class: "main", cell: nameCell },
  { name: "Slots", class: "slot-column", cell: slots },
  { name: "Waiting", class: "num right short", cell: (one) => count(one.waiting) },
  { name: "Longest wait", class: "num right short wide", cell: oldest },
];
const WHOLE = [
  ...BRIEF,
  { name: "Rate limit", class: "wide num right", cell: (one) => one.rate ?? faint("none") },
  { name: "", class: "acts", cell: acts },
];
const queueTable = (columns) => ({ queues }) => table("Queues", columns, queues, (one) => one.name);

export const queuesPanel = () =>
  panel({ title: "Queues", of: [status()], area: "queues", lines: 7, tools: () => link("#/queues", "All"),
    draw: queueTable(BRIEF) });

export const queuesView = (_arg, query) => ({
  title: "Queues",
  panels: [
    panel({ title: "Queues", of: [status()], area: "full", lines: 8, draw: queueTable(WHOLE) }),
    timelinePanel(query.span),
    locksPanel(true),
  ],
});

// --- locks ---

const holder = (one) =>
  one.job_id ? link(jobHref(one.job_id), shortId(one.job_id)) : h("span", { class: "mono" }, one.owner);
function releaseCell({ name, owner, job_id, since }) {
  const props = { class: "danger small", "aria-label": `Release ${name}` };
  return button("Release", "release", { name, owner, job_id, since }, props);
}
const LOCKS = [
  { name: "Lock", class: "main mono",
    cell: (one) => [soft(one.name), h("span", { class: "under narrow-only" }, holder(one))] },
  { name: "Job", class: "mono when wide", cell: holder },
  { name: "Held for", class: "num when", cell: (one) => time(one.since, "since") },
  { name: "Expires", class: "wide num", cell: (one) => time(one.expires_at, "until") },
  { name: "Fence", class: "wide num right", cell: (one) => one.fence },
  { name: "Waiting", class: "wide num right", cell: (one) => count(one.waiters) },
  { name: "", class: "acts", cell: releaseCell },
];

const lockRow = (one) => ({
  key: one.name,
  main: h("span", { class: "mono" }, soft(one.name)),
  side: time(one.since, "since"),
  under: ["held by ", holder(one), one.waiters ? `, ${count(one.waiters)} waiting` : null],
});

function drawLocks(items, whole) {
  if (!items.length) return empty("No lock is held.");
  return whole ? table("Held locks", LOCKS, items, (one) => one.name) : list(items.map(lockRow));
}

export const locksPanel = (whole = false) =>
  panel({
    title: "Locks",
    of: [locks()],
    area: whole ? "full" : "locks",
    lines: 3,
    tools: ({ items }) => (whole ? faint(`${count(items.length)} held`) : link("#/queues", "All")),
    draw: ({ items }) => drawLocks(items, whole),
  });

// --- the timeline ---

const SPANS = { "15m": 900, "1h": 3600, "6h": 21600 };
const MOST_LANES = 8, MOST_BARS = 400;

export function timelinePanel(span) {
  const chosen = SPANS[span] ? span : "15m";
  const load = () => get("/v1/stats/timeline", { span: chosen, limit: MOST_BARS });
  const found = resource(`timeline:${chosen}`, load, ["job"], { live: 15, polling: 5, gap: 4000 });
  return panel({
    title: "Timeline of runs",
    of: [found, status()],
    area: "timeline",
    lines: 9,
    fixed: switches("Timeline range", "span", Object.keys(SPANS), chosen),
    draw: ({ items, found: all }, { queues }) => drawTimeline(items, queues, SPANS[chosen], all),
  });
}

const LEGEND = [["ok", "succeeded"], ["bad", "failed"], ["accent", "running"]];

function runOf(job, to) {
  return { job, from: Date.parse(job.started_at), to: job.finished_at ? Date.parse(job.finished_at) : to };
}

function drawTimeline(jobs, queues, seconds, all) {
  const to = now(), from = to - seconds * 1000;
  // an unreadable time is NaN, for which every comparison is false
  const runs = jobs.map((job) => runOf(job, to)).filter((run) => run.from <= to && run.to >= from);
  const rows = queues.map((queue) => row(queue, runs.filter((run) => run.job.queue === queue.name), from, to));
  const summary = all > jobs.length ? `Longest ${count(jobs.length)} of ${count(all)} runs`
    : runs.length ? `${count(runs.length)} runs` : "No runs in this time range.";
  return [
    h("div", { class: "lanes" }, rows, h("div", { class: "lane" }, h("span"), axis(from, to))),
    h("div", { class: "row foot" }, h("p", { class: "readout faint small num" }, summary), legend(LEGEND)),
  ];
}

function row(queue, runs, from, to) {
  const placed = lanes(runs, MOST_LANES);
  const height = Math.max(1, ...placed.map((run) => run.lane + 1));
  const failed = runs.filter((run) => run.job.state === "failed").length;
  const rules = marks(from, to).map((at) => `M${((at - from) / (to - from) * WIDTH).toFixed(1)} 0V${height * 10}`);
  const svg = s("svg", {
    viewBox: `0 0 ${WIDTH} ${height * 10}`, preserveAspectRatio: "none", class: `h${height}`,
    role: "img", "aria-label": `${queue.name}: ${runs.length} runs, ${failed} failed`,
  }, s("path", { class: "rule", d: rules.join("") }), placed.map((run) => bar(run, from, to)));
  return h("div", { class: "lane", "data-key": queue.name },
    h("span", { class: "name clip", title: queue.name }, queue.name), svg);
}

function bar({ job, lane, from: started, to: ended }, from, to) {
  const unit = WIDTH / (to - from), begin = Math.max(started, from);
  const x = Math.min((begin - from) * unit, WIDTH - 1.5);
  const width = Math.min(Math.max((ended - begin) * unit, 1.5), WIDTH - x + 1.5);
  const say = `${job.task} · ${job.state} · ${clock(started)} · ${duration((ended - started) / 1000)}`;
  return s("rect", {
    class: levelOf(job.state), x: x.toFixed(1), y: lane * 10 + 1, width: width.toFixed(1), height: 8,
    "data-key": job.id, "data-say": say, "data-go": jobHref(job.id),
  }, s("title", null, say));
}
