// The daemon itself: health, what it is, who did what, and its configuration; and the tiles of the overview.
import { get } from "./api.js";
import { ended, series, sparkline, sum } from "./charts.js";
import { health, resource, status } from "./data.js";
import { h } from "./dom.js";
import { badge, button, empty, facts, faint, json, link, panel, shortId, state, table, told } from "./parts.js";
import { bytes, count, duration, percent, time } from "./time.js";

const CHECKS = [
  { name: "Check", class: "main", cell: ([name, one]) => [name.replaceAll("_", " "), h("span", { class: "under clip", title: one.detail }, told(one.detail))] },
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
    draw: ({ checks }) => table("Health checks", whole ? CHECKS : CHECKS.slice(0, 2), Object.entries(checks), ([name]) => name),
  });

const AUDIT = [
  { name: "When", class: "num when", cell: (one) => time(one.at) },
  { name: "Who", class: "wide", cell: (one) => one.actor },
  { name: "Did", class: "tight", cell: (one) => badge(one.action.replaceAll("_", " ")) },
  { name: "To", class: "main", cell: (one) => [/^[0-9a-f-]{36}$/.test(one.target) ? link(`#/jobs/${one.target}`, shortId(one.target)) : one.target, one.detail ? h("span", { class: "under" }, one.detail) : null] },
];

export const systemView = () => ({
  title: "System",
  panels: [
    healthPanel(true),
    panel({
      title: "Daemon",
      of: [status()],
      lines: 6,
      draw: (one) => facts([
        ["Version", one.version],
        ["Instance", h("span", { class: "mono" }, one.instance), true],
        ["Process", one.pid],
        ["Started", time(one.started_at)],
        ["Uptime", time(one.started_at, "since")],
        ["Memory", bytes(one.memory_bytes)],
        ["Locks in", one.lock_backend],
        ["Leader", typeof one.leader === "boolean" ? (one.leader ? "this daemon" : "another daemon") : one.leader && JSON.stringify(one.leader)],
        ["Takes work", one.stopping ? "stopping" : one.ready ? "yes" : "starting"],
      ]),
    }),
    panel({
      title: "Who did what",
      of: [resource("audit", () => get("/v1/audit", { limit: 50 }), ["*"], { live: 30, polling: 10, gap: 3000 })],
      area: "full",
      lines: 8,
      draw: ({ items }) => (items.length ? table("Audit, newest first", AUDIT, items, (one, at) => `${one.at} ${one.action} ${one.target} ${at}`) : empty("Nobody has done anything yet.")),
    }),
    panel({
      title: "Configuration",
      of: [resource("config", () => get("/v1/config"), ["config"], { live: 300, polling: 300 })],
      area: "full",
      lines: 8,
      tools: () => button("Reload", "reload-config", undefined, { class: "small", "aria-label": "Reload the configuration" }),
      draw: ({ path, config, needs_restart: waiting }) => [
        h("p", { class: "lead" }, path ? ["From ", h("code", null, path), "."] : "No file: everything is at its default.", waiting.length ? h("span", { class: "bad-text" }, ` Await a restart: ${waiting.join(", ")}.`) : null),
        json(config, "Configuration in force, secrets redacted"),
      ],
    }),
  ],
});

const tile = (name, figure, under, more = null) =>
  h("div", { class: "tile", "data-key": name }, h("dt", null, name), h("dd", null, h("span", { class: "figure num" }, figure), h("span", { class: "under" }, under), more));

/** The figures of the overview. */
export const tilesPanel = () =>
  panel({
    title: "At a glance",
    of: [status(), series("1h")],
    area: "tiles",
    lines: 2,
    draw: ({ queues, next_fires: coming, memory_bytes: memory, started_at: started }, { items: points }) => {
      const running = queues.reduce((total, one) => total + one.running, 0), slots = queues.reduce((total, one) => total + one.concurrency, 0);
      const waiting = queues.reduce((total, one) => total + one.waiting, 0), oldest = Math.max(0, ...queues.map((one) => one.oldest_wait));
      const all = ended(points), failed = sum(points, "failed");
      return h("dl", { class: "tiles" },
        tile("Running", count(running), `of ${count(slots)} slots`),
        tile("Waiting", count(waiting), waiting ? `the oldest for ${duration(Math.floor(oldest))}` : "nothing waits"),
        tile("Ended in the last hour", count(all), failed ? h("span", { class: "bad-text" }, `${count(failed)} failed, ${percent(failed / all)}`) : "none failed", sparkline(points)),
        tile("Next fire", coming[0] ? time(coming[0].at, "until") : "–", coming[0]?.schedule ?? "nothing is due"),
        tile("Memory", bytes(memory), h("span", null, "up for ", time(started, "since"))));
    },
  });
