// The daemon itself: health, process, audit log and configuration; and the tiles of the overview.
import { get } from "./api.js";
import { series, sparkline } from "./charts.js";
import { time } from "./clocks.js";
import { health, status } from "./data.js";
import { h } from "./dom.js";
import { badge, button, empty, facts, json, link, panel, state, table, withTimes } from "./parts.js";
import { finished, sum } from "./plot.js";
import { resource } from "./resource.js";
import { bytes, count, duration, percent } from "./time.js";
import { jobHref, shortId, spaced } from "./words.js";

const checkCell = ([name, one]) =>
  [spaced(name), h("span", { class: "under clip", title: one.detail }, withTimes(one.detail))];
const CHECKS = [
  { name: "Check", class: "main", cell: checkCell },
  { name: "State", class: "tight", cell: ([, one]) => state(one.status) },
  { name: "Since", class: "num when wide", cell: ([, one]) => time(one.since, "since") },
];

export const healthPanel = (whole = false) =>
  panel({
    title: "Health",
    of: [health()],
    area: "health",
    lines: 19,
    tools: (report) => (whole ? state(report.status) : link("#/system", "System")),
    draw: ({ checks }) =>
      table("Health checks", whole ? CHECKS : CHECKS.slice(0, 2), Object.entries(checks), ([name]) => name),
  });

const JOB_ID = /^[0-9a-f-]{36}$/;
const targetCell = ({ target, detail }) => [
  JOB_ID.test(target) ? link(jobHref(target), shortId(target)) : target,
  detail ? h("span", { class: "under" }, detail) : null,
];
const AUDIT = [
  { name: "Time", class: "num when", cell: (one) => time(one.at) },
  { name: "User", class: "wide", cell: (one) => one.actor },
  { name: "Action", class: "tight", cell: (one) => badge(spaced(one.action)) },
  { name: "Target", class: "main", cell: targetCell },
];

function leaderOf({ leader }) {
  if (typeof leader === "boolean") return leader ? "this daemon" : "another daemon";
  return leader && JSON.stringify(leader);
}
const daemonFacts = (one) => facts([
  ["Version", one.version],
  ["Instance", h("span", { class: "mono" }, one.instance), true],
  ["Process", one.pid],
  ["Started", time(one.started_at)],
  ["Uptime", time(one.started_at, "since")],
  ["Memory", bytes(one.memory_bytes)],
  ["Lock backend", one.lock_backend],
  ["Leader", leaderOf(one)],
  ["Ready", one.stopping ? "no, stopping" : one.ready ? "yes" : "no, starting"],
]);

const drawConfig = ({ path, config, needs_restart: waiting }) => [
  h("p", { class: "lead" },
    path ? ["From ", h("code", null, path), "."] : "No configuration file: every setting has its default.",
    waiting.length ? h("span", { class: "bad-text" }, ` Restart needed for: ${waiting.join(", ")}.`) : null),
  json(config, "Active configuration, secrets redacted"),
];
const reloadButton = () =>
  button("Reload", "reload-config", undefined, { class: "small", "aria-label": "Reload the configuration" });

export function systemView() {
  const loadAudit = () => get("/v1/audit", { limit: 50 }), loadConfig = () => get("/v1/config");
  const rowKey = (one, at) => `${one.at} ${one.action} ${one.target} ${at}`;
  return {
    title: "System",
    panels: [
      healthPanel(true),
      panel({ title: "Daemon", of: [status()], lines: 6, draw: daemonFacts }),
      panel({
        title: "Audit log",
        of: [resource("audit", loadAudit, ["*"], { live: 30, polling: 10, gap: 3000 })],
        area: "full",
        lines: 8,
        draw: ({ items }) => (items.length
          ? table("Audit log, newest first", AUDIT, items, rowKey) : empty("No actions yet.")),
      }),
      panel({
        title: "Configuration",
        of: [resource("config", loadConfig, ["config"], { live: 300, polling: 300 })],
        area: "full",
        lines: 8,
        tools: reloadButton,
        draw: drawConfig,
      }),
    ],
  };
}

const tile = (name, figure, under, more = null) =>
  h("div", { class: "tile", "data-key": name }, h("dt", null, name),
    h("dd", null, h("span", { class: "figure num" }, figure), h("span", { class: "under" }, under), more));

function drawTiles({ queues, next_fires: [next], memory_bytes: memory, started_at: started }, { items: points }) {
  const running = sum(queues, "running"), slots = sum(queues, "concurrency"), waiting = sum(queues, "waiting");
  const longest = Math.max(0, ...queues.map((one) => one.oldest_wait));
  const all = finished(points), failed = sum(points, "failed");
  const failures = () => h("span", { class: "bad-text" }, `${count(failed)} failed, ${percent(failed / all)}`);
  return h("dl", { class: "tiles" },
    tile("Running", count(running), `of ${count(slots)} slots`),
    tile("Waiting", count(waiting), waiting ? `longest for ${duration(Math.floor(longest))}` : "no waiting jobs"),
    tile("Finished in the last hour", count(all), failed ? failures() : "no failures", sparkline(points)),
    tile("Next run", next ? time(next.at, "until") : "–", next?.schedule ?? "none due"),
    tile("Memory", bytes(memory), h("span", null, "up for ", time(started, "since"))));
}

/** The figures of the overview. */
export const tilesPanel = () =>
  panel({ title: "At a glance", of: [status(), series("1h")], area: "tiles", lines: 2, draw: drawTiles });
