// Jobs: the list with its filters, and one job with everything that is known of it.
import { at, get } from "./api.js";
import { resource, schedules, status, tasks } from "./data.js";
import { h } from "./dom.js";
import { badge, button, empty, facts, faint, jobHref, json, link, meter, panel, scheduleHref, shortId, state, table, verbatim } from "./parts.js";
import { clock, count, duration, time } from "./time.js";

const STATES = ["queued", "running", "succeeded", "failed", "cancelled", "skipped", "expired", "quarantined"];
const ACTIVE = new Set(["queued", "running"]);
const PAGE = 50, MOST_PAGES = 10;
const SPANS = { "1h": 3600, "24h": 86400, "7d": 7 * 86400 };

const seconds = (from, to) => (from && to ? (Date.parse(to) - Date.parse(from)) / 1000 : null);
const acted = ({ id, task, state: now, enforceable }) => ({ id, task, state: now, enforceable });

/** Why a job is as it is, in one line. */
function why(job) {
  if (job.waiting_on) return [badge(job.waiting_on.reason.replaceAll("_", " ")), " ", job.waiting_on.detail];
  if (job.error) return h("span", { class: "bad-text" }, `${job.error.type}: ${job.error.message}`);
  if (job.state === "running" && job.cancel_requested) return badge(`${job.cancel_requested} asked for`, "warn");
  if (job.state === "running" && job.progress) return progress(job);
  return job.reason ?? faint("");
}

function progress({ task, progress: { done, total, note } }) {
  const words = [total ? `${count(done)} of ${count(total)}` : count(done), note].filter(Boolean).join(" · ");
  return h("span", { class: "progress" }, total ? meter(done, total, `Progress of ${task}: ${words}`) : null, h("span", { class: "clip" }, words));
}

const ran = (job) => (job.started_at ? (job.state === "running" ? time(job.started_at, "since") : job.finished_at ? duration(seconds(job.started_at, job.finished_at)) : faint("–")) : faint("–"));
const waited = (job) => duration(job.started_at ? Math.max(seconds(job.run_at, job.started_at), 0) : null);

const NAME = { name: "Job", class: "main", cell: (job) => [link(jobHref(job.id), job.task), h("span", { class: "id" }, shortId(job.id)), job.attempt > 1 ? h("span", { class: "under" }, `attempt ${job.attempt}`) : null] };
const STATE = { name: "State", class: "tight", cell: (job) => state(job.state) };
const CREATED = { name: "Made", class: "num when wide", cell: (job) => time(job.created_at) };
const RAN = { name: "Ran", class: "num right ran", cell: ran };
const WHY = { name: "Why", class: "wide clip why", cell: why };
const COLUMNS = [
  STATE, NAME,
  { name: "Queue", class: "wide tight", cell: (job) => job.queue },
  CREATED,
  { name: "Waited", class: "wide num right", cell: waited },
  RAN, WHY,
  { name: "", class: "acts wide", cell: (job) => (ACTIVE.has(job.state) ? button("Cancel", "cancel", acted(job), { class: "small", "aria-label": `Cancel ${job.task} ${shortId(job.id)}` }) : job.state === "succeeded" ? null : button("Retry", "retry", job.id, { class: "small", "aria-label": `Retry ${job.task} ${shortId(job.id)}` })) },
];

async function pages(asked, wanted) {
  let cursor = null;
  const items = [];
  for (let page = 0; page < wanted; page++) {
    const found = await get("/v1/jobs", { ...asked, cursor });
    items.push(...found.items);
    cursor = found.next;
    if (!cursor) break;
  }
  return { items, next: cursor, full: wanted >= MOST_PAGES };
}

export function jobsView(_arg, query) {
  const { state: wanted, queue, task, schedule, span } = query;
  const many = Math.min(Number(query.pages) || 1, MOST_PAGES);
  const load = () => {
    const since = SPANS[span] ? new Date(Date.now() - SPANS[span] * 1000).toISOString() : null;
    return pages({ state: wanted, queue, task, schedule, since, limit: PAGE, brief: true }, many);
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
      draw: ({ items, next, full }) => {
        if (!items.length) return empty(Object.values(query).some(Boolean) ? "No job fits these filters." : "There is no job yet.");
        const more = next ? (full ? faint("Narrow the filters to see older ones.") : button("Show more", "more", String(many + 1))) : null;
        return [table("Jobs, newest first", COLUMNS, items, (job) => job.id), more ? h("p", { class: "more" }, more) : null];
      },
    })],
  };
}

const few = (title, area, params, text) => () =>
  panel({
    title,
    area,
    of: [resource(`few:${title}`, () => get("/v1/jobs", { ...params, limit: 5, brief: true }), ["job"], { live: 10, polling: 2 })],
    lines: 13,
    tools: () => link(`#/jobs?${new URLSearchParams(params)}`, "All"),
    draw: ({ items }) => (items.length ? table(title, params.state === "running" ? [NAME, RAN, WHY] : [NAME, { ...CREATED, class: "num when" }, WHY], items, (job) => job.id) : empty(text)),
  });
export const runningPanel = few("Running now", "running", { state: "running" }, "Nothing runs.");
export const failedPanel = few("Latest failures", "failures", { state: "failed" }, "Nothing has failed.");

// --- one job ---

export function jobView(id) {
  const active = (job) => ACTIVE.has(job?.state);
  const job = resource(`job:${id}`, () => get(at`/v1/jobs/${id}`), ["job"], { live: (one) => (active(one) ? 1.5 : 60), polling: (one) => (active(one) ? 1.5 : 15) });
  const logs = resource(`logs:${id}`, () => get(at`/v1/jobs/${id}/logs`, { limit: 500 }), ["job"], { live: () => (active(job.data) ? 3 : 120), polling: () => (active(job.data) ? 3 : 120) });
  const stack = resource(`stack:${id}`, () => lookAtStack(id, job), ["job"], { live: () => (job.data?.state === "running" ? 5 : 600), polling: () => (job.data?.state === "running" ? 5 : 600) });
  const audit = resource(`audit:${id}`, () => get("/v1/audit", { target: id, limit: 50 }), ["job"], { live: 60, polling: 10 });
  return {
    title: `Job ${shortId(id)}`,
    back: ["#/jobs", "Jobs"],
    layout: "detail",
    panels: [
      panel({ title: "Job", of: [job], lines: 12, area: "facts-of-job", tools: jobTools, draw: jobFacts }),
      panel({ title: "Outcome", of: [job], lines: 6, area: "outcome", draw: outcome }),
      panel({ title: "History", of: [job], lines: 6, area: "events", draw: ({ history }) => table("What happened to the job, the oldest first", EVENTS, history, (one, row) => `${one.at} ${row}`) }),
      panel({ title: "Arguments", of: [job], lines: 3, area: "args", draw: (one) => json(one.args, "Arguments") }),
      panel({ title: "Log", of: [logs], lines: 4, area: "logs", draw: drawLog }),
      panel({ title: "Where it stands", of: [stack], lines: 4, area: "stack", draw: (one) => (one.stack ? verbatim(one.stack, "Stack") : empty("It does not run at this moment.")) }),
      panel({ title: "Who did what", of: [audit], lines: 3, area: "history", draw: ({ items }) => (items.length ? table("Audit of the job", AUDIT, items, (one, row) => `${one.at} ${row}`) : empty("Nobody has touched it.")) }),
    ],
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
  h("h3", { class: "name" }, job.task),
  h("p", { class: "row" }, state(job.state), job.cancel_requested && job.state === "running" ? badge(`${job.cancel_requested} asked for`, "warn") : null),
  job.progress ? progress(job) : null,
  job.waiting_on ? h("p", { class: "lead" }, "Waits: ", badge(job.waiting_on.reason.replaceAll("_", " "), "warn"), " ", job.waiting_on.detail, job.waiting_on.until ? [" (", time(job.waiting_on.until, "until"), ")"] : null) : null,
  facts([
    ["Id", h("span", { class: "mono" }, job.id), true],
    ["Queue", job.queue],
    ["Schedule", job.schedule && link(scheduleHref(job.schedule), job.schedule)],
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
    ["Reason", job.reason, true],
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
  { name: "Detail", class: "main", cell: (one) => one.detail ?? faint("") },
];
const AUDIT = [
  { name: "When", class: "num when", cell: (one) => time(one.at) },
  { name: "Did", class: "tight", cell: (one) => badge(one.action.replaceAll("_", " ")) },
  { name: "Who", class: "main", cell: (one) => [one.actor, one.detail ? h("span", { class: "under" }, one.detail) : null] },
];

const plain = (value) => (typeof value === "string" ? value : JSON.stringify(value));
/** A line of the log: time, level, what happened, and its fields. */
const logLine = ({ at: instant, level, event, fields }) =>
  [clock(instant), level.padEnd(7), event, ...Object.entries(fields).map(([name, value]) => `${name}=${plain(value)}`)].join("  ");

function drawLog({ items, missing }) {
  if (!items.length) return empty("Nothing it logged is at hand: it logged nothing, or before this daemon started.");
  return [missing ? h("p", { class: "lead faint" }, `${count(missing)} earlier lines are in the log only.`) : null, verbatim(items.map(logLine).join("\n"), "Log lines", { class: "log" })];
}
