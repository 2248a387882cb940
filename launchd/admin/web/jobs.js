// Jobs: the list with its filters, and one job with everything that is known of it.
import { at, get } from "./api.js";
import { MOST_PAGES, pages, resource, schedules, status, tasks } from "./data.js";
import { h, soft } from "./dom.js";
import { badge, button, empty, facts, faint, jobHref, json, link, list, meter, more, panel, scheduleLink, shortId, state, table, told, verbatim } from "./parts.js";
import { clock, count, duration, time } from "./time.js";

const STATES = ["queued", "running", "succeeded", "failed", "cancelled", "skipped", "expired", "quarantined"];
const ACTIVE = new Set(["queued", "running"]);
const PAGE = 50;
const SPANS = { "1h": 3600, "24h": 86400, "7d": 7 * 86400 };

const seconds = (from, to) => (from && to ? (Date.parse(to) - Date.parse(from)) / 1000 : null);
const acted = ({ id, task, state: now, enforceable }) => ({ id, task, state: now, enforceable });

/** Why a job is as it is, in one line. */
function why(job) {
  if (job.unreadable) return badge(`cannot be read: ${job.unreadable.join(", ")}`, "warn");
  if (job.waiting_on) return waiting(job.waiting_on);
  if (job.error) return h("span", { class: "bad-text" }, `${job.error.type}: ${job.error.message}`);
  if (job.state === "running" && job.cancel_requested) return badge(`${job.cancel_requested} asked for`, "warn");
  if (job.state === "running" && job.progress) return progress(job);
  return job.reason && told(job.reason);
}

// Reasons that only time settles: when it is due says it all.
const TIMED = new Set(["run_at", "retry"]);
const waiting = ({ reason, detail, until }) =>
  [badge(reason.replaceAll("_", " ")), " ", until && TIMED.has(reason) ? ["due ", time(until, "until")] : told(detail)];

function progress({ task, progress: { done, total, note } }) {
  const words = [total ? `${count(done)} of ${count(total)}` : count(done), note].filter(Boolean).join(" · ");
  return h("span", { class: "progress" }, total ? meter(done, total, `Progress of ${task}: ${words}`) : null, h("span", { class: "clip" }, words));
}

const ran = (job) => (job.started_at ? (job.state === "running" ? time(job.started_at, "since") : job.finished_at ? duration(seconds(job.started_at, job.finished_at)) : faint("–")) : faint("–"));
const waited = (job) => duration(job.started_at ? Math.max(seconds(job.run_at, job.started_at), 0) : null);

const named = (job) => [link(jobHref(job.id), soft(job.task)), h("span", { class: "id" }, shortId(job.id))];
const NAME = { name: "Job", class: "main", cell: (job) => [named(job), job.attempt > 1 ? h("span", { class: "under" }, `attempt ${job.attempt}`) : null, h("span", { class: "under clamp narrow-only" }, why(job))] };
const STATE = { name: "State", class: "tight", cell: (job) => state(job.state) };
const MADE = { name: "Made", class: "num when wide", cell: (job) => time(job.created_at) };
const RAN = { name: "Ran", class: "num right ran", cell: ran };
const WHY = { name: "Detail", class: "wide clip why", cell: why };
const COLUMNS = [
  STATE, NAME,
  { name: "Queue", class: "wide tight", cell: (job) => job.queue },
  MADE,
  { name: "Waited", class: "wide num right", cell: waited },
  RAN, WHY,
  { name: "", class: "acts wide", cell: (job) => (ACTIVE.has(job.state) ? button("Cancel", "cancel", acted(job), { class: "small", "aria-label": `Cancel ${job.task} ${shortId(job.id)}` }) : job.state === "succeeded" ? null : button("Retry", "retry", job.id, { class: "small", "aria-label": `Retry ${job.task} ${shortId(job.id)}` })) },
];

export function jobsView(_arg, query) {
  const { state: wanted, queue, task, schedule, span } = query;
  const many = Math.min(Number(query.pages) || 1, MOST_PAGES);
  const load = () => {
    const since = SPANS[span] ? new Date(Date.now() - SPANS[span] * 1000).toISOString() : null;
    return pages("/v1/jobs", { state: wanted, queue, task, schedule, since, limit: PAGE, brief: true }, many);
  };
  const found = resource(`jobs?${new URLSearchParams(query)}`, load, ["job"], { live: 15, polling: 2 });
  const names = (list) => (list ?? []).map((one) => [one.name, one.name]);
  return {
    title: "Jobs",
    needs: [tasks(), status(), schedules()],
    filters: [
      { name: "state", label: "State", options: [["", "Any state"], ...STATES.map((one) => [one, one])] },
      { name: "queue", label: "Queue", options: () => [["", "Any queue"], ...names(status().data?.queues)] },
      { name: "task", label: "Task", options: () => [["", "Any task"], ...names(tasks().data?.items)] },
      { name: "schedule", label: "Schedule", options: () => [["", "Any schedule"], ...names(schedules().data?.items)] },
      { name: "span", label: "Made in", options: [["", "Any time"], ["1h", "Last hour"], ["24h", "Last day"], ["7d", "Last week"]] },
    ],
    action: button("Run a task", "run", "", { class: "primary" }),
    panels: [panel({
      title: "Jobs",
      of: [found],
      area: "jobs",
      lines: 14,
      tools: ({ items, next }) => faint(next ? `the newest ${count(items.length)}` : `${count(items.length)} in all`),
      draw: ({ items, next }) => {
        if (!items.length) return empty(Object.values(query).some(Boolean) ? "No job fits these filters." : "There is no job yet.");
        return [table("Jobs, newest first", COLUMNS, items, (job) => job.id), more(next, many)];
      },
    })],
  };
}

const FEW = 5;
/** The newest jobs that are in one of these states. */
async function newest(states) {
  const found = await Promise.all(states.map((one) => get("/v1/jobs", { state: one, limit: FEW, brief: true })));
  return found.flatMap(({ items }) => items).sort((a, b) => (a.id < b.id ? 1 : -1)).slice(0, FEW);
}

const few = ({ title, area, states, side, none }) => () =>
  panel({
    title,
    area,
    of: [resource(`few:${title}`, () => newest(states), ["job"], { live: 10, polling: 2 })],
    lines: 12,
    tools: () => link(`#/jobs?${new URLSearchParams({ state: states[0] })}`, "All"),
    draw: (jobs) => (jobs.length ? list(jobs.map((job) => ({ key: job.id, main: named(job), side: side(job), under: h("div", { class: "clamp" }, why(job)) }))) : empty(none)),
  });
export const runningPanel = few({ title: "Running now", area: "running", states: ["running"], side: ran, none: "Nothing runs." });
export const failedPanel = few({ title: "Latest failures", area: "failures", states: ["failed", "quarantined"], side: (job) => time(job.finished_at, "ago"), none: "Nothing has failed." });

// --- one job ---

export function jobView(id) {
  const active = (job) => ACTIVE.has(job?.state);
  const job = resource(`job:${id}`, () => get(at`/v1/jobs/${id}`), ["job"], { live: (one) => (active(one) ? 1.5 : 60), polling: (one) => (active(one) ? 1.5 : 15) });
  const logs = resource(`logs:${id}`, () => get(at`/v1/jobs/${id}/logs`, { limit: 500 }), ["job"], { live: () => (active(job.data) ? 3 : 120), polling: () => (active(job.data) ? 3 : 120) });
  const stack = resource(`stack:${id}`, () => lookAtStack(id, job), ["job"], { live: () => (job.data?.state === "running" ? 5 : 600), polling: () => (job.data?.state === "running" ? 5 : 600) });
  const audit = resource(`audit:${id}`, () => get("/v1/audit", { target: id, limit: 50 }), ["job"], { live: 60, polling: 10 });
  return {
    title: () => (job.data ? `${job.data.task} ${shortId(id)}` : `Job ${shortId(id)}`),
    needs: [job],
    back: ["#/jobs", "Jobs"],
    layout: "detail",
    columns: [[
      panel({ title: "Job", main: true, of: [job], lines: 12, tools: jobTools, draw: jobFacts }),
      panel({ title: "Arguments", area: "late", of: [job], lines: 3, draw: ({ args }) => (Object.keys(args).length ? json(args, "Arguments") : empty("None.")) }),
      panel({ title: "Who did what", area: "late", of: [audit], lines: 3, draw: ({ items }) => (items.length ? table("Audit of the job", AUDIT, items, (one, row) => `${one.at} ${row}`) : empty("Nobody has touched it.")) }),
    ], [
      panel({ title: "Outcome", of: [job], lines: 6, wanted: (one) => !ACTIVE.has(one.state) || one.error, draw: outcome }),
      panel({ title: "Where it stands", of: [job, stack], lines: 4, wanted: (one) => one.state === "running", draw: (_job, { stack: frames }) => (frames ? verbatim(frames, "Stack") : empty("It does not run at this moment.")) }),
      panel({ title: "History", of: [job], lines: 6, draw: ({ history }) => table("What happened to the job, the oldest first", EVENTS, history, (one, row) => `${one.at} ${row}`) }),
      panel({ title: "Log", of: [logs], lines: 4, draw: drawLog }),
    ]],
  };
}

async function lookAtStack(id, job) {
  if (!job.data) await job.refresh();
  if (job.data?.state !== "running") return { stack: null };
  try {
    return await get(at`/v1/jobs/${id}/stack`);
  } catch (problem) {
    if (problem.status === 409) return { stack: null };
    throw problem;
  }
}

const jobTools = (job) =>
  ACTIVE.has(job.state)
    ? [button("Cancel", "cancel", acted(job), { class: "small" }), job.state === "running" ? button("Terminate", "terminate", acted(job), { class: "danger small" }) : null]
    : button("Retry", "retry", job.id, { class: "primary small" });

const jobFacts = (job) => [
  h("p", { class: "row" }, state(job.state), job.cancel_requested && job.state === "running" ? badge(`${job.cancel_requested} asked for`, "warn") : null),
  job.progress ? progress(job) : null,
  job.waiting_on ? h("p", { class: "lead" }, "Waits: ", waiting(job.waiting_on)) : null,
  facts([
    ["Id", h("span", { class: "mono" }, job.id), true],
    ["Queue", job.queue],
    ["Schedule", job.schedule && scheduleLink(job.schedule), job.schedule?.length > 16],
    ["Fire", job.fire_time && time(job.fire_time)],
    ["Priority", job.priority],
    ["Attempt", `${job.attempt} of at most ${job.max_retries + 1}`],
    ["Made", time(job.created_at)],
    ["Due", time(job.run_at)],
    ["Started", job.started_at && time(job.started_at)],
    ["Ended", job.finished_at && time(job.finished_at)],
    ["Waited", job.started_at && waited(job)],
    ["Ran", job.started_at && ran(job)],
    ["Lock", job.lock && h("span", null, h("span", { class: "mono" }, job.lock), job.fence ? faint(` fence ${job.fence}`) : null)],
    ["Reason", job.reason && told(job.reason), true],
  ]),
];

function outcome(job) {
  if (job.error) {
    return [
      h("p", { class: "lead bad-text" }, h("b", null, job.error.type), ": ", job.error.message),
      job.error.traceback ? verbatim(job.error.traceback, "Traceback", { class: "traceback" }) : null,
    ];
  }
  if (job.result !== null && job.result !== undefined) return json(job.result, "Result");
  return empty(ACTIVE.has(job.state) ? "It has not ended." : "It returned nothing.");
}

const EVENTS = [
  { name: "When", class: "num when", cell: (one) => time(one.at) },
  { name: "What", class: "tight", cell: (one) => state(one.event) },
  { name: "Detail", class: "rest", cell: (one) => told(one.detail) },
];
const AUDIT = [
  { name: "When", class: "num when", cell: (one) => time(one.at) },
  { name: "Did", class: "tight", cell: (one) => badge(one.action.replaceAll("_", " ")) },
  { name: "Who", class: "main", cell: (one) => [one.actor, one.detail ? h("span", { class: "under" }, one.detail) : null] },
];

const plain = (value) => (typeof value === "string" ? value : JSON.stringify(value));
// What each line says of its job, and the page says already.
const SAID = new Set(["task", "queue", "schedule"]);
/** A line of the log: time, level, what happened, and its fields. */
const logLine = ({ at: instant, level, event, fields }) =>
  [clock(instant), level.padEnd(7), event, ...Object.entries(fields).filter(([name]) => !SAID.has(name)).map(([name, value]) => `${name}=${plain(value)}`)].join("  ");

function drawLog({ items, missing }) {
  if (!items.length) return empty("Nothing it logged is at hand: it logged nothing, or before this daemon started.");
  return [missing ? h("p", { class: "lead faint" }, `${count(missing)} earlier lines are in the log only.`) : null, verbatim(items.map(logLine).join("\n"), "Log lines", { class: "log" })];
}
