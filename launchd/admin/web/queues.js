// Queues with their slots, the timeline of runs, and the locks.
import { get } from "./api.js";
import { locks, resource, status } from "./data.js";
import { h, s, soft } from "./dom.js";
import { badge, button, empty, faint, jobHref, levelOf, link, list, meter, panel, shortId, table } from "./parts.js";
import { clock, count, duration, now, time } from "./time.js";
import { axis, marks } from "./charts.js";

// Slots are drawn one by one as long as they can be told apart.
const MOST_DOTS = 24;

function slots(queue) {
  const words = `${queue.running} of ${queue.concurrency} slots busy`;
  if (queue.concurrency > MOST_DOTS) return h("span", { class: "slots" }, meter(queue.running, queue.concurrency, `${queue.name}: ${words}`), h("span", { class: "num" }, `${queue.running}/${queue.concurrency}`));
  const dots = Array.from({ length: Math.max(queue.concurrency, queue.running) }, (_, at) => h("i", { class: at < queue.running ? "busy" : null }));
  return h("span", { class: "slots" }, h("span", { class: "dots", role: "img", "aria-label": words, title: words }, dots), h("span", { class: "num" }, `${queue.running}/${queue.concurrency}`));
}

const acts = (queue) => [
  queue.paused
    ? button("Resume", "resume-queue", queue.name, { class: "small", "aria-label": `Resume queue ${queue.name}` })
    : button("Pause", "pause-queue", queue.name, { class: "small", "aria-label": `Pause queue ${queue.name}` }),
  button("Resize", "resize", { name: queue.name, concurrency: queue.concurrency, rate: queue.rate }, { class: "small", "aria-label": `Resize queue ${queue.name}` }),
];

const NAME = { name: "Queue", class: "main", cell: (one) => [h("span", { class: "row" }, link(`#/jobs?${new URLSearchParams({ queue: one.name })}`, soft(one.name)), one.paused ? badge("paused", "warn", one.note) : null), one.note ? h("span", { class: "under" }, one.note) : null] };
const SLOTS = { name: "Slots", class: "slot-column", cell: slots };
const WAITING = { name: "Waiting", class: "num right short", cell: (one) => count(one.waiting) };
const OLDEST = { name: "Oldest", class: "num right short wide", cell: (one) => (one.waiting ? duration(Math.floor(one.oldest_wait)) : faint("–")) };
const RATE = { name: "Rate", class: "wide num right", cell: (one) => one.rate ?? faint("no limit") };

export const queuesPanel = () =>
  panel({ title: "Queues", of: [status()], area: "queues", lines: 7, tools: () => link("#/queues", "All"), draw: ({ queues }) => table("Queues", [NAME, SLOTS, WAITING, OLDEST], queues, (one) => one.name) });

export const queuesView = (_arg, query) => ({
  title: "Queues",
  panels: [
    panel({ title: "Queues", of: [status()], area: "full", lines: 8, draw: ({ queues }) => table("Queues", [NAME, SLOTS, WAITING, OLDEST, RATE, { name: "", class: "acts", cell: acts }], queues, (one) => one.name) }),
    timelinePanel(query.span),
    locksPanel(true),
  ],
});

// --- locks ---

const holder = (one) => (one.job_id ? link(jobHref(one.job_id), shortId(one.job_id)) : h("span", { class: "mono" }, one.owner));
const LOCK = { name: "Lock", class: "main mono", cell: (one) => [soft(one.name), h("span", { class: "under narrow-only" }, holder(one))] };
const HOLDER = { name: "Job", class: "mono when wide", cell: holder };
const HELD = { name: "Held for", class: "num when", cell: (one) => time(one.since, "since") };
const LOCKS = [
  LOCK, HOLDER, HELD,
  { name: "Expires", class: "wide num", cell: (one) => time(one.expires_at, "until") },
  { name: "Fence", class: "wide num right", cell: (one) => one.fence },
  { name: "Waiting", class: "wide num right", cell: (one) => count(one.waiters) },
  { name: "", class: "acts", cell: (one) => button("Release", "release", { name: one.name, owner: one.owner, job_id: one.job_id, since: one.since }, { class: "danger small", "aria-label": `Release ${one.name}` }) },
];

const lockRow = (one) => ({
  key: one.name,
  main: h("span", { class: "mono" }, soft(one.name)),
  side: time(one.since, "since"),
  under: ["held by ", holder(one), one.waiters ? `, ${count(one.waiters)} waiting` : null],
});

export const locksPanel = (whole = false) =>
  panel({
    title: "Locks",
    of: [locks()],
    area: whole ? "full" : "locks",
    lines: 3,
    tools: ({ items }) => (whole ? faint(`${count(items.length)} held`) : link("#/queues", "All")),
    draw: ({ items }) => (!items.length ? empty("No lock is held.") : whole ? table("Locks that are held", LOCKS, items, (one) => one.name) : list(items.map(lockRow))),
  });

// --- the timeline ---

const SPANS = { "15m": 900, "1h": 3600, "6h": 21600 };
const MOST_LANES = 8, MOST_BARS = 400;

export function timelinePanel(span) {
  const chosen = SPANS[span] ? span : "15m";
  const found = resource(`timeline:${chosen}`, () => get("/v1/stats/timeline", { span: chosen, limit: MOST_BARS }), ["job"], { live: 15, polling: 5, gap: 4000 });
  return panel({
    title: "Timeline of runs",
    of: [found, status()],
    area: "timeline",
    lines: 9,
    fixed: h("span", { class: "segments", role: "group", "aria-label": "Span of the timeline" },
      Object.keys(SPANS).map((one) => button(one, "span", one, { class: "small", "aria-pressed": String(one === chosen) }))),
    draw: ({ items, found: all }, { queues }) => drawTimeline(items, queues, SPANS[chosen], all),
  });
}

/** Put runs into as few lanes as do not overlap; what no lane is left for shares the last one. Pure. */
export function lanes(runs, most) {
  const ends = [];
  return [...runs].sort((a, b) => a.from - b.from).map((run) => {
    let lane = ends.findIndex((end) => end <= run.from);
    if (lane < 0) lane = Math.min(ends.length, most - 1);
    ends[lane] = Math.max(ends[lane] ?? 0, run.to);
    return { ...run, lane };
  });
}

function drawTimeline(jobs, queues, seconds, all) {
  const to = now(), from = to - seconds * 1000;
  const runs = jobs.map((job) => ({ job, from: Date.parse(job.started_at), to: job.finished_at ? Date.parse(job.finished_at) : to })).filter((run) => run.from <= to && run.to >= from); // a time that is none compares with nothing
  const rows = queues.map((queue) => row(queue, runs.filter((run) => run.job.queue === queue.name), from, to));
  return [
    h("div", { class: "lanes" }, rows, h("div", { class: "lane" }, h("span"), axis(from, to))),
    h("div", { class: "row foot" },
      h("p", { class: "readout faint small num" }, all > jobs.length ? `The ${count(jobs.length)} longest of ${count(all)} runs` : runs.length ? `${count(runs.length)} runs` : "No runs in this span."),
      h("span", { class: "legend" }, LEGEND.map(([level, word]) => h("span", { class: level }, h("i", { "aria-hidden": "true" }), word)))),
  ];
}

const LEGEND = [["ok", "succeeded"], ["bad", "failed"], ["accent", "running"]];

function row(queue, runs, from, to) {
  const placed = lanes(runs, MOST_LANES);
  const height = Math.max(1, ...placed.map((run) => run.lane + 1));
  const bars = placed.map((run) => {
    const x = Math.min((Math.max(run.from, from) - from) / (to - from) * 1000, 998.5);
    const width = Math.max((run.to - Math.max(run.from, from)) / (to - from) * 1000, 1.5);
    const say = `${run.job.task} · ${run.job.state} · ${clock(run.from)} · ${duration((run.to - run.from) / 1000)}`;
    return s("rect", { class: levelOf(run.job.state), x: x.toFixed(1), y: run.lane * 10 + 1, width: Math.min(width, 1000 - x + 1.5).toFixed(1), height: 8, "data-key": run.job.id, "data-say": say, "data-go": jobHref(run.job.id) }, s("title", null, say));
  });
  const words = `${queue.name}: ${runs.length} runs, ${runs.filter((run) => run.job.state === "failed").length} failed`;
  const rules = marks(from, to).map((at) => `M${((at - from) / (to - from) * 1000).toFixed(1)} 0V${height * 10}`).join("");
  const svg = s("svg", { viewBox: `0 0 1000 ${height * 10}`, preserveAspectRatio: "none", role: "img", "aria-label": words, class: `h${height}` }, s("path", { class: "rule", d: rules }), bars);
  return h("div", { class: "lane", "data-key": queue.name }, h("span", { class: "name clip", title: queue.name }, queue.name), svg);
}
