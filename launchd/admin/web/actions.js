// Every action of the page, by the name that buttons have in `data-do`. Each sends a request, reports the result, and
// refreshes the page.
import { get, send, sendOnce, uniqueKey } from "./api.js";
import { ask, attempt, toast } from "./dialog.js";
import { fromField, parseObject, toField } from "./fields.js";
import { at } from "./http.js";
import { refreshAll } from "./resource.js";
import { clock, now } from "./time.js";
import { jobHref, shortId } from "./words.js";

const named = (job) => `${job.task} (${shortId(job.id)})`;
const LONGEST_NOTE = 500;
const DAY_MS = 86400e3;

async function done(request, say) {
  const answer = await request;
  refreshAll();
  return typeof say === "function" ? say(answer) : say;
}

const created = (job) => {
  toast(`${named(job)} is ${job.state}.`, { href: jobHref(job.id) });
  return null;
};

const cancelText = (running, terminate, enforceable) =>
  !running ? "The job has not started, so it is cancelled at once."
  : !terminate ? "The job stops at its next await and can clean up first."
  : enforceable ? "The job's own process gets SIGTERM, then SIGKILL after five seconds. Unsaved work is lost."
  : "The job runs inside the daemon's process, so it cannot be killed. The daemon asks it to stop until it does.";

function cancel({ id, task, state, enforceable }, terminate) {
  ask({
    title: `${terminate ? "Terminate" : "Cancel"} ${task}?`,
    text: cancelText(state === "running", terminate, enforceable),
    fields: [{ name: "reason", label: "Reason", hint: "Recorded in the audit log.", maxlength: LONGEST_NOTE }],
    confirm: terminate ? "Terminate job" : "Cancel job",
    danger: true,
    act: ({ reason }) =>
      done(send("POST", at`/v1/jobs/${id}/cancel`, { terminate, ...(reason ? { reason } : {}) }),
        (job) => (job.state === "cancelled" ? `${named(job)} is cancelled.` : `${named(job)} is asked to stop.`)),
  });
}

const PAUSES = {
  queue: "Running jobs continue. No other job starts until the queue is resumed.",
  schedule: "The schedule does not run until it is resumed. Runs that are due during the pause are not caught up.",
};
function pause(kind, name) {
  ask({
    title: `Pause ${kind} ${name}?`,
    text: PAUSES[kind],
    fields: [{ name: "note", label: "Note", hint: `Shown beside the paused ${kind}.`, maxlength: LONGEST_NOTE }],
    confirm: `Pause ${kind}`,
    act: ({ note }) => done(send("POST", at`/v1/${kind}s/${name}/pause`, note ? { note } : {}), `${name} is paused.`),
  });
}

const resume = (kind, name) =>
  attempt(() => done(send("POST", at`/v1/${kind}s/${name}/resume`, {}), `${name} is resumed.`));

function resize({ name, concurrency, rate }) {
  const size = { type: "number", min: 1, max: 1000, required: true, inputmode: "numeric" };
  const hint = "For example 30/m, or none. Leave empty to keep the current limit.";
  ask({
    title: `Resize queue ${name}`,
    text: "Applies until the daemon restarts. The configuration file does not change.",
    fields: [
      { name: "concurrency", label: "Slots", value: concurrency, ...size },
      { name: "rate", label: "Rate limit", value: rate ?? "", hint },
    ],
    confirm: "Resize queue",
    act: (given) => {
      const changes = { concurrency: Number(given.concurrency), ...(given.rate ? { rate: given.rate } : {}) };
      return done(send("PATCH", at`/v1/queues/${name}`, changes), (queue) => `${name} has ${queue.concurrency} slots.`);
    },
  });
}

const backfilled = (name, number) =>
  number
    ? `${number} job${number > 1 ? "s" : ""} created for ${name}.`
    : `No job created: ${name} has one for each run in this range.`;

function backfill(name) {
  const time = { type: "datetime-local", required: true };
  const check = (to, { from }) => (from && to && to < from ? "The end must not be before the start." : "");
  ask({
    title: `Backfill ${name}`,
    text: "Creates a job for each run in the range that has none. Both ends are included. Times are UTC.",
    fields: [
      { name: "from", label: "From (UTC)", value: toField(now() - DAY_MS), ...time },
      { name: "to", label: "To (UTC)", value: toField(now()), check, ...time },
    ],
    confirm: "Create jobs",
    act: ({ from, to }) => {
      const range = { from: fromField(from), to: fromField(to) };
      return done(send("POST", at`/v1/schedules/${name}/backfill`, range), ({ ids }) => backfilled(name, ids.length));
    },
  });
}

function release({ name, owner, job_id: id, since }) {
  const hint = "Recorded in the audit log with your name.";
  ask({
    title: `Release lock ${name}?`,
    text: [`Held by ${id ? `job ${shortId(id)}` : owner} since ${clock(since)} UTC.`,
      "The holder is stopped and retried later. If it still returns a result, the daemon rejects it (fencing)."],
    fields: [{ name: "reason", label: "Reason", required: true, hint, maxlength: LONGEST_NOTE }],
    confirm: "Release lock",
    danger: true,
    act: ({ reason }) =>
      done(send("DELETE", `${at`/v1/locks/${name}`}?${new URLSearchParams({ reason })}`), `${name} is released.`),
  });
}

async function run(task) {
  const { items } = await get("/v1/tasks");
  const names = items.map((one) => one.name);
  const key = uniqueKey(); // a second click sends the same key, so it creates no second job
  const hint = "A JSON object. The daemon validates it before it creates the job.";
  const check = (text) => (parseObject(text) ? "" : "Enter a JSON object.");
  ask({
    title: "Run a task",
    fields: [
      { name: "task", label: "Task", type: "choice", required: true, options: names, value: task },
      { name: "args", label: "Arguments", type: "area", value: "{}", hint, check },
      { name: "delay", label: "Delay in seconds", type: "number", min: 0, inputmode: "decimal" },
    ],
    confirm: "Run task",
    act: ({ task: name, args, delay }) => {
      const job = { args: parseObject(args), ...(delay ? { delay: Number(delay) } : {}) };
      return done(sendOnce(at`/v1/tasks/${name}/trigger`, job, key), created);
    },
  });
}

const trigger = (name) =>
  ask({
    title: `Trigger ${name} now?`,
    text: "Runs the task once with the schedule's arguments. The next run stays as planned.",
    confirm: "Trigger now",
    act: () => done(send("POST", at`/v1/schedules/${name}/trigger`, {}), created),
  });

const reloaded = ({ applied, needs_restart: waiting }) =>
  [applied.length ? `Applied: ${applied.join(", ")}.` : "No changes.",
    ...(waiting.length ? [`Restart needed for: ${waiting.join(", ")}.`] : [])].join(" ");

const reloadConfig = () =>
  ask({
    title: "Reload the configuration?",
    text: "The whole file is validated first. If it is invalid, nothing changes. Running jobs continue.",
    confirm: "Reload",
    act: () => done(send("POST", "/v1/config/reload", {}), reloaded),
  });

const refreshSources = (name) =>
  attempt(() => done(send("POST", "/v1/refresh", name ? { sources: [name] } : {}), created));

export const actions = {
  refresh: refreshAll,
  cancel: (job) => cancel(JSON.parse(job), false),
  terminate: (job) => cancel(JSON.parse(job), true),
  retry: (id) => attempt(() => done(send("POST", at`/v1/jobs/${id}/retry`, {}), created)),
  "pause-queue": (name) => pause("queue", name),
  "resume-queue": (name) => resume("queue", name),
  resize: (queue) => resize(JSON.parse(queue)),
  "pause-schedule": (name) => pause("schedule", name),
  "resume-schedule": (name) => resume("schedule", name),
  trigger,
  backfill,
  release: (lock) => release(JSON.parse(lock)),
  run: (task) => attempt(() => run(task)),
  "refresh-sources": refreshSources,
  "reload-config": reloadConfig,
};
