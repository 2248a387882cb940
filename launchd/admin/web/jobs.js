// Jobs: the list with its filters, and the page of one job.
import { get } from "./api.js";
import { time } from "./clocks.js";
import { pages, schedules, status, tasks } from "./data.js";
import { h, soft } from "./dom.js";
import { at } from "./http.js";
import {
  badge, button, empty, facts, faint, json, link, list, meter, more, panel, scheduleLink, state, table, verbatim,
  withTimes,
} from "./parts.js";
import { MOST_PAGES, resource } from "./resource.js";
import { count, duration } from "./time.js";
import { jobHref, logLine, shortId, spaced, waitOf } from "./words.js";

const STATES = ["queued", "running", "succeeded", "failed", "cancelled", "skipped", "expired", "quarantined"];
const ACTIVE = new Set(["queued", "running"]);
const PAGE = 50;
const SPANS = { "1h": 3600, "24h": 86400, "7d": 7 * 86400 };

const seconds = (from, to) => (from && to ? (Date.parse(to) - Date.parse(from)) / 1000 : null);
const target = ({ id, task, state: now, enforceable }) => ({ id, task, state: now, enforceable });
const requested = (job) => badge(`${job.cancel_requested} requested`, "warn");

/** The reason for the state of a job, in one line. */
function why(job) {
  if (job.unreadable) return badge(`unreadable: ${job.unreadable.join(", ")}`, "warn");
  if (job.waiting_on) return waiting(job.waiting_on);
  if (job.error) return h("span", { class: "bad-text" }, `${job.error.type}: ${job.error.message}`);
  if (job.state === "running" && job.cancel_requested) return requested(job);
  if (job.state === "running" && job.progress) return progress(job);
  return job.reason && withTimes(job.reason);
}

// For these reasons the time when the job is due says everything.
const TIMED = new Set(["run_at", "retry"]);
const waiting = ({ reason, detail, until }) =>
  [badge(waitOf(reason)), " ", until && TIMED.has(reason) ? ["due ", time(until, "until")] : withTimes(detail)];

function progress({ task, progress: { done, total, note } }) {
  const words = [total ? `${count(done)} of ${count(total)}` : count(done), note].filter(Boolean).join(" · ");
  const bar = total ? meter(done, total, `Progress of ${task}: ${words}`) : null;
  return h("span", { class: "progress" }, bar, h("span", { class: "clip" }, words));
}

function ran(job) {
  if (job.started_at && job.state === "running") return time(job.started_at, "since");
  return job.started_at && job.finished_at ? duration(seconds(job.started_at, job.finished_at)) : faint("–");
}
const waited = (job) => duration(job.started_at ? Math.max(seconds(job.run_at, job.started_at), 0) : null);

const named = (job) => [link(jobHref(job.id), soft(job.task)), h("span", { class: "id" }, shortId(job.id))];
const nameCell = (job) => [
  named(job),
  job.attempt > 1 ? h("span", { class: "under" }, `attempt ${job.attempt}`) : null,
  h("span", { class: "under clamp narrow-only" }, why(job)),
];
function actCell(job) {
  const label = (verb) => ({ class: "small", "aria-label": `${verb} ${job.task} ${shortId(job.id)}` });
  if (ACTIVE.has(job.state)) return button("Cancel", "cancel", target(job), label("Cancel"));
  return job.state === "succeeded" ? null : button("Retry", "retry", job.id, label("Retry"));
}
const COLUMNS = [
  { name: "State", class: "tight", cell: (job) => state(job.state) },
  { name: "Job", class: "main", cell: nameCell },
  { name: "Queue", class: "wide tight", cell: (job) => job.queue },
  { name: "Created", class: "num when wide", cell: (job) => time(job.created_at) },
  { name: "Waited", class: "wide num right", cell: waited },
  { name: "Duration", class: "num right ran", cell: ran },
  { name: "Detail", class: "wide clip why", cell: why },
  { name: "", class: "acts wide", cell: actCell },
];

const names = (rows) => (rows ?? []).map((one) => [one.name, one.name]);
const AGES = [["", "Any time"], ["1h", "Last hour"], ["24h", "Last day"], ["7d", "Last week"]];
const FILTERS = [
  { name: "state", label: "State", options: [["", "Any state"], ...STATES.map((one) => [one, one])] },
  { name: "queue", label: "Queue", options: () => [["", "Any queue"], ...names(status().data?.queues)] },
  { name: "task", label: "Task", options: () => [["", "Any task"], ...names(tasks().data?.items)] },
  { name: "schedule", label: "Schedule", options: () => [["", "Any schedule"], ...names(schedules().data?.items)] },
  { name: "span", label: "Created", options: AGES },
];

export function jobsView(_arg, query) {
  const { state: wanted, queue, task, schedule, span } = query;
  const many = Math.min(Number(query.pages) || 1, MOST_PAGES);
  const load = () => {
    const since = SPANS[span] ? new Date(Date.now() - SPANS[span] * 1000).toISOString() : null;
    return pages("/v1/jobs", { state: wanted, queue, task, schedule, since, limit: PAGE, brief: true }, many);
  };
  const none = Object.values(query).some(Boolean) ? "No job matches these filters." : "No jobs yet.";
  return {
    title: "Jobs",
    needs: [tasks(), status(), schedules()],
    filters: FILTERS,
    action: button("Run a task", "run", "", { class: "primary" }),
    panels: [panel({
      title: "Jobs",
      of: [resource(`jobs?${new URLSearchParams(query)}`, load, ["job"], { live: 15, polling: 2 })],
      area: "jobs",
      lines: 14,
      tools: ({ items, next }) => faint(next ? `newest ${count(items.length)}` : `${count(items.length)} in total`),
      draw: ({ items, next }) => (items.length
        ? [table("Jobs, newest first", COLUMNS, items, (job) => job.id), more(next, many)] : empty(none)),
    })],
  };
}

const FEW = 5;
/** The newest jobs in one of these states. */
async function newest(states) {
  const found = await Promise.all(states.map((one) => get("/v1/jobs", { state: one, limit: FEW, brief: true })));
  return found.flatMap(({ items }) => items).sort((a, b) => (a.id < b.id ? 1 : -1)).slice(0, FEW);
}

function few({ title, area, states, side, none }) {
  const row = (job) =>
    ({ key: job.id, main: named(job), side: side(job), under: h("div", { class: "clamp" }, why(job)) });
  return () => panel({
    title,
    area,
    of: [resource(`few:${title}`, () => newest(states), ["job"], { live: 10, polling: 2 })],
    lines: 12,
    tools: () => link(`#/jobs?${new URLSearchParams({ state: states[0] })}`, "All"),
    draw: (jobs) => (jobs.length ? list(jobs.map(row)) : empty(none)),
  });
}
export const runningPanel =
  few({ title: "Running now", area: "running", states: ["running"], side: ran, none: "No job is running." });
export const failedPanel = few({
  title: "Latest failures", area: "failures", states: ["failed", "quarantined"],
  side: (job) => time(job.finished_at, "ago"), none: "No failures.",
});

// --- one job ---

/** The resources of one job: the page refreshes them more often while the job is active. */
function resourcesOf(id) {
  const active = (job) => ACTIVE.has(job?.state);
  const job = resource(`job:${id}`, () => get(at`/v1/jobs/${id}`), ["job"],
    { live: (one) => (active(one) ? 1.5 : 60), polling: (one) => (active(one) ? 1.5 : 15) });
  const logging = () => (active(job.data) ? 3 : 120), running = () => (job.data?.state === "running" ? 5 : 600);
  const logs = resource(`logs:${id}`, () => get(at`/v1/jobs/${id}/logs`, { limit: 500 }), ["job"],
    { live: logging, polling: logging });
  const stack = resource(`stack:${id}`, () => loadStack(id, job), ["job"], { live: running, polling: running });
  const audit = resource(`audit:${id}`, () => get("/v1/audit", { target: id, limit: 50 }), ["job"],
    { live: 60, polling: 10 });
  return { job, logs, stack, audit };
}

export function jobView(id) {
  const { job, logs, stack, audit } = resourcesOf(id);
  return {
    title: () => (job.data ? `${job.data.task} ${shortId(id)}` : `Job ${shortId(id)}`),
    needs: [job],
    back: ["#/jobs", "Jobs"],
    layout: "detail",
    columns: [[
      panel({ title: "Job", main: true, of: [job], lines: 12, tools: jobTools, draw: jobFacts }),
      panel({ title: "Arguments", area: "late", of: [job], lines: 3, draw: drawArguments }),
      panel({ title: "Audit log", area: "late", of: [audit], lines: 3, draw: drawAudit }),
    ], [
      panel({ title: "Outcome", of: [job], lines: 6, wanted: (one) => !ACTIVE.has(one.state) || one.error,
        draw: drawOutcome }),
      panel({ title: "Current stack", of: [job, stack], lines: 4, wanted: (one) => one.state === "running",
        draw: drawStack }),
      panel({ title: "History", of: [job], lines: 6, draw: drawHistory }),
      panel({ title: "Log", of: [logs], lines: 4, draw: drawLog }),
    ]],
  };
}

async function loadStack(id, job) {
  if (!job.data) await job.refresh();
  if (job.data?.state !== "running") return { stack: null };
  try {
    return await get(at`/v1/jobs/${id}/stack`);
  } catch (problem) {
    if (problem.status === 409) return { stack: null };
    throw problem;
  }
}

function jobTools(job) {
  if (!ACTIVE.has(job.state)) return button("Retry", "retry", job.id, { class: "primary small" });
  const terminate = () => button("Terminate", "terminate", target(job), { class: "danger small" });
  return [button("Cancel", "cancel", target(job), { class: "small" }), job.state === "running" ? terminate() : null];
}

const fence = (job) => (job.fence ? faint(` fence ${job.fence}`) : null);
const jobFacts = (job) => [
  h("p", { class: "row" }, state(job.state),
    job.cancel_requested && job.state === "running" ? requested(job) : null),
  job.progress ? progress(job) : null,
  job.waiting_on ? h("p", { class: "lead" }, waiting(job.waiting_on)) : null,
  facts([
    ["Id", h("span", { class: "mono" }, job.id), true],
    ["Queue", job.queue],
    ["Schedule", job.schedule && scheduleLink(job.schedule), job.schedule?.length > 16],
    ["Scheduled for", job.fire_time && time(job.fire_time)],
    ["Priority", job.priority],
    ["Attempt", `${job.attempt} of ${job.max_retries + 1}`],
    ["Created", time(job.created_at)],
    ["Due", time(job.run_at)],
    ["Started", job.started_at && time(job.started_at)],
    ["Finished", job.finished_at && time(job.finished_at)],
    ["Waited", job.started_at && waited(job)],
    ["Duration", job.started_at && ran(job)],
    ["Lock", job.lock && h("span", null, h("span", { class: "mono" }, job.lock), fence(job))],
    ["Reason", job.reason && withTimes(job.reason), true],
  ]),
];

const drawArguments = ({ args }) => (Object.keys(args).length ? json(args, "Arguments") : empty("No arguments."));

function drawOutcome(job) {
  if (job.error) {
    return [
      h("p", { class: "lead bad-text" }, h("b", null, job.error.type), ": ", job.error.message),
      job.error.traceback ? verbatim(job.error.traceback, "Traceback", { class: "traceback" }) : null,
    ];
  }
  if (job.result !== null && job.result !== undefined) return json(job.result, "Result");
  return empty(ACTIVE.has(job.state) ? "Not finished yet." : "No result.");
}

const drawStack = (_job, { stack }) => (stack ? verbatim(stack, "Stack") : empty("Not running at the moment."));

const EVENTS = [
  { name: "Time", class: "num when", cell: (one) => time(one.at) },
  { name: "Event", class: "tight", cell: (one) => state(one.event) },
  { name: "Detail", class: "rest", cell: (one) => withTimes(one.detail) },
];
const drawHistory = ({ history }) =>
  table("Events of the job, oldest first", EVENTS, history, (one, row) => `${one.at} ${row}`);

const actorCell = (one) => [one.actor, one.detail ? h("span", { class: "under" }, one.detail) : null];
const AUDIT = [
  { name: "Time", class: "num when", cell: (one) => time(one.at) },
  { name: "Action", class: "tight", cell: (one) => badge(spaced(one.action)) },
  { name: "User", class: "main", cell: actorCell },
];
const drawAudit = ({ items }) => (items.length
  ? table("Audit log of the job, newest first", AUDIT, items, (one, row) => `${one.at} ${row}`)
  : empty("No actions yet."));

function drawLog({ items, missing }) {
  if (!items.length) return empty("No log lines. Lines from before the daemon's last start are only in its log.");
  const earlier = `${count(missing)} earlier lines are only in the daemon's log.`;
  return [missing ? h("p", { class: "lead faint" }, earlier) : null,
    verbatim(items.map(logLine).join("\n"), "Log lines", { class: "log" })];
}
