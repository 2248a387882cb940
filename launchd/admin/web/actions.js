// All that can be done from the page, by the name that buttons carry in `data-do`. Each tells the daemon, says how it
// went, and asks anew for what is shown.
import { at, get, send, sendOnce, uniqueKey } from "./api.js";
import { refreshAll } from "./data.js";
import { ask, attempt, toast } from "./dialog.js";
import { shortId } from "./parts.js";
import { clock, now } from "./time.js";

const named = (job) => `${job.task} (${shortId(job.id)})`;
const LONGEST_NOTE = 500;

async function done(request, say) {
  const answer = await request;
  refreshAll();
  return typeof say === "function" ? say(answer) : say;
}

const made = (job) => {
  toast(`${named(job)} is ${job.state}.`, { href: `#/jobs/${encodeURIComponent(job.id)}` });
  return null;
};

function cancel({ id, task, state, enforceable }, terminate) {
  const running = state === "running";
  ask({
    title: `${terminate ? "Terminate" : "Cancel"} ${task}?`,
    text: !running ? "It has not started, so it ends at once."
      : terminate && enforceable ? "It runs in a process of its own: SIGTERM, then SIGKILL after five seconds. What it has not written is lost."
      : terminate ? "It shares this process, so it cannot be forced: it is asked to stop, again and again."
      : "It is asked to stop at its next await and may clean up.",
    fields: [{ name: "reason", label: "Reason", hint: "Kept in the audit.", maxlength: LONGEST_NOTE }],
    confirm: terminate ? "Terminate job" : "Cancel job",
    danger: true,
    act: ({ reason }) =>
      done(send("POST", at`/v1/jobs/${id}/cancel`, { terminate, ...(reason ? { reason } : {}) }),
        (job) => (job.state === "cancelled" ? `${named(job)} is cancelled.` : `${named(job)} is asked to stop.`)),
  });
}

function pause(kind, name) {
  ask({
    title: `Pause ${kind} ${name}?`,
    text: kind === "queue" ? "What runs goes on; nothing new is started until it is resumed." : "It does not fire until it is resumed. Paused time is never caught up.",
    fields: [{ name: "note", label: "Note", hint: "Who looks at it later sees this.", maxlength: LONGEST_NOTE }],
    confirm: `Pause ${kind}`,
    act: ({ note }) => done(send("POST", at`/v1/${kind}s/${name}/pause`, note ? { note } : {}), `${name} is paused.`),
  });
}

const resume = (kind, name) =>
  attempt(() => done(send("POST", at`/v1/${kind}s/${name}/resume`, {}), `${name} is resumed.`));

function resize({ name, concurrency, rate }) {
  ask({
    title: `Resize queue ${name}`,
    text: "Holds until the daemon starts again; the configuration is not changed.",
    fields: [
      { name: "concurrency", label: "Slots", type: "number", value: concurrency, min: 1, max: 1000, required: true, inputmode: "numeric" },
      { name: "rate", label: "Rate limit", value: rate ?? "", hint: "Such as 30/m, or none; empty leaves it as it is." },
    ],
    confirm: "Resize queue",
    act: (told) => done(send("PATCH", at`/v1/queues/${name}`, { concurrency: Number(told.concurrency), ...(told.rate ? { rate: told.rate } : {}) }),
      (queue) => `${name} has ${queue.concurrency} slots.`),
  });
}

const minute = (ms) => new Date(ms).toISOString().slice(0, 16);
const instant = (text) => (text.length === 16 ? `${text}:00Z` : `${text}Z`);

function backfill(name) {
  ask({
    title: `Backfill ${name}`,
    text: "Makes a job for each fire of the range that has none yet. Both ends are included; times are UTC.",
    fields: [
      { name: "from", label: "From (UTC)", type: "datetime-local", required: true, value: minute(now() - 86400e3) },
      { name: "to", label: "To (UTC)", type: "datetime-local", required: true, value: minute(now()), check: (to, { from }) => (from && to && to < from ? "This is before the beginning." : "") },
    ],
    confirm: "Make the jobs",
    act: ({ from, to }) => done(send("POST", at`/v1/schedules/${name}/backfill`, { from: instant(from), to: instant(to) }),
      ({ ids }) => (ids.length ? `${ids.length} job${ids.length > 1 ? "s" : ""} made for ${name}.` : `Nothing was missing of ${name} in this time.`)),
  });
}

function release({ name, owner, job_id, since }) {
  ask({
    title: `Release lock ${name}?`,
    text: [`Held by ${job_id ? `job ${shortId(job_id)}` : owner} since ${clock(since)} UTC.`,
      "Its holder is stopped and tried again later; a result that it still brings is refused by the fence."],
    fields: [{ name: "reason", label: "Reason", required: true, hint: "Kept in the audit, with your name.", maxlength: LONGEST_NOTE }],
    confirm: "Release lock",
    danger: true,
    act: ({ reason }) => done(send("DELETE", `${at`/v1/locks/${name}`}?${new URLSearchParams({ reason })}`), `${name} is released.`),
  });
}

function object(text) {
  try {
    const value = JSON.parse(text || "{}");
    return value !== null && typeof value === "object" && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

async function run(task) {
  const { items } = await get("/v1/tasks");
  const key = uniqueKey(); // sent twice by an impatient finger, it is one job
  ask({
    title: "Run a task",
    fields: [
      { name: "task", label: "Task", type: "choice", required: true, options: items.map((one) => one.name), value: task },
      { name: "args", label: "Arguments", type: "area", value: "{}", hint: "A JSON object; checked against the task before a job is made.", check: (text) => (object(text) ? "" : "This is not a JSON object.") },
      { name: "delay", label: "Delay in seconds", type: "number", min: 0, inputmode: "decimal" },
    ],
    confirm: "Run task",
    act: ({ task: name, args, delay }) =>
      done(sendOnce(at`/v1/tasks/${name}/trigger`, { args: object(args), ...(delay ? { delay: Number(delay) } : {}) }, key), made),
  });
}

const trigger = (name) =>
  ask({
    title: `Trigger ${name} now?`,
    text: "Runs its task once with the schedule's arguments; its fires stay as they are.",
    confirm: "Trigger now",
    act: () => done(send("POST", at`/v1/schedules/${name}/trigger`, {}), made),
  });

const reloadConfig = () =>
  ask({
    title: "Reload the configuration?",
    text: "All of it is checked first; what is not valid changes nothing. What runs goes on.",
    confirm: "Reload",
    act: () => done(send("POST", "/v1/config/reload", {}), ({ applied, needs_restart: waiting }) =>
      `${applied.length ? `Taken up: ${applied.join(", ")}.` : "Nothing has changed."}${waiting.length ? ` Await a restart: ${waiting.join(", ")}.` : ""}`),
  });

const refreshSources = (names) =>
  attempt(() => done(send("POST", "/v1/refresh", names ? { sources: [names] } : {}), made));

export const actions = {
  refresh: refreshAll,
  cancel: (job) => cancel(JSON.parse(job), false),
  terminate: (job) => cancel(JSON.parse(job), true),
  retry: (id) => attempt(() => done(send("POST", at`/v1/jobs/${id}/retry`, {}), made)),
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
