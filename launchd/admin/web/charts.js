// Charts over time, drawn as SVG that stretches with its box; words and figures are HTML, so they never stretch.
// Each has a sentence for who cannot see it, a read-out under the pointer, and a table of the same figures.
import { get } from "./api.js";
import { resource } from "./data.js";
import { h, s } from "./dom.js";
import { button, empty, faint, link, panel, table } from "./parts.js";
import { clock, count, duration, percent } from "./time.js";

const WINDOWS = ["1h", "24h", "7d"];
const HEIGHT = 100;

export const series = (window) => resource(`series:${window}`, () => get("/v1/stats/series", { window }), ["job"], { live: 15, polling: 10, gap: 4000 });
const stats = (window) => resource(`stats:${window}`, () => get("/v1/stats", { window }), ["job"], { live: 15, polling: 10, gap: 4000 });

/** The next larger of 1, 2, 5, 10, 20 … Pure. */
export function ceiling(value) {
  if (!(value > 0)) return 1;
  const step = 10 ** Math.floor(Math.log10(value));
  return step * ([1, 2, 5].find((one) => one * step >= value * 0.9999) ?? 10);
}

function line(values, top, gap) {
  let path = "", down = false;
  values.forEach((value, at) => {
    if (value === null || value === undefined) {
      down = false;
      return;
    }
    path += `${down ? "L" : "M"}${((at + 0.5) * gap).toFixed(1)} ${(HEIGHT - value / top * HEIGHT).toFixed(1)}`;
    if (!down && (values[at + 1] === null || values[at + 1] === undefined)) path += "h.01"; // a lone point is a dot
    down = true;
  });
  return path;
}

/** A chart of `lines` {name, level, values} over `points`; stacked bars or lines. `format` makes a figure a text. */
function chart({ title, points, lines, bars = false, format, summary }) {
  const gap = 1000 / points.length;
  const totals = points.map((_, at) => lines.reduce((sum, one) => sum + (one.values[at] ?? 0), 0));
  const top = ceiling(Math.max(...(bars ? totals : lines.flatMap((one) => one.values.map((value) => value ?? 0)))));
  const shapes = bars ? stack(lines, top, gap) : lines.map((one) => s("path", { class: `line ${one.level}`, d: line(one.values, top, gap), "data-key": one.name }));
  const hits = points.map((point, at) => s("rect", { class: "hit", x: (at * gap).toFixed(2), width: gap.toFixed(2), y: 0, height: HEIGHT,
    "data-key": `hit${at}`, "data-say": `${clock(point.at, { seconds: false })} · ${lines.map((one) => `${one.name} ${format(one.values[at])}`).join(" · ")}` }));
  return h("figure", { class: "chart", "data-key": title },
    h("figcaption", null, h("h3", null, title), h("span", { class: "legend" }, lines.map((one) => h("span", { class: one.level }, h("i", { "aria-hidden": "true" }), one.name)))),
    h("div", { class: "plot" },
      h("span", { class: "top num faint", "aria-hidden": "true" }, format(top)),
      s("svg", { viewBox: `0 0 1000 ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": `${title}: ${summary}` },
        s("path", { class: "grid", d: `M0 .5H1000M0 ${HEIGHT / 2}H1000M0 ${HEIGHT - 0.5}H1000` }), shapes, hits),
      h("div", { class: "axis", "aria-hidden": "true" }, [0, 0.25, 0.5, 0.75, 1].map((part) => h("span", null, part === 1 ? "now" : clock(points[Math.floor(part * points.length)].at, { seconds: false }))))),
    h("p", { class: "readout faint small num" }, summary),
    h("details", null, h("summary", null, "As a table"), h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `${title} as a table` },
      table(title, [{ name: "From (UTC)", class: "num", cell: ({ at }) => clock(at) }, ...lines.map((one) => ({ name: one.name, class: "num right", cell: ({ index }) => format(one.values[index]) }))],
        points.map((point, index) => ({ at: point.at, index })).filter(({ index }) => lines.some((one) => one.values[index])).reverse(), (row) => row.at))));
}

function stack(lines, top, gap) {
  const below = lines[0].values.map(() => 0);
  return lines.flatMap((one) => one.values.map((value, at) => {
    if (!value) return null;
    const height = value / top * HEIGHT;
    below[at] += height;
    return s("rect", { class: one.level, x: (at * gap + gap * 0.1).toFixed(2), width: (gap * 0.8).toFixed(2), y: (HEIGHT - below[at]).toFixed(2), height: height.toFixed(2), "data-key": `${one.name}${at}` });
  }));
}

const sum = (points, name) => points.reduce((total, one) => total + (one[name] ?? 0), 0);
const most = (points, read) => Math.max(0, ...points.map((one) => read(one) ?? 0));
const ended = (points) => sum(points, "succeeded") + sum(points, "failed") + sum(points, "other");

function drawCharts({ items: points, counted_since: since }) {
  const pick = (read) => points.map(read);
  return [
    since && since > points[0].at ? h("p", { class: "note faint", "data-key": "note" }, "Only the newest jobs are counted: those made since ", clock(since), " UTC.") : null,
    chart({ title: "Throughput", points, bars: true, format: count, summary: `${count(ended(points))} jobs ended`,
      lines: [{ name: "succeeded", level: "accent", values: pick((one) => one.succeeded) }, { name: "failed", level: "bad", values: pick((one) => one.failed) }, { name: "other", level: "off", values: pick((one) => one.other) }] }),
    chart({ title: "Failures", points, bars: true, format: count, summary: `${count(sum(points, "failed"))} failed, ${percent(sum(points, "failed") / (ended(points) || 1))} of what ended`,
      lines: [{ name: "failed", level: "bad", values: pick((one) => one.failed) }] }),
    chart({ title: "Duration", points, format: duration, summary: `p95 at most ${duration(most(points, (one) => one.run?.p95))}`,
      lines: [{ name: "p50", level: "off", values: pick((one) => one.run?.p50 ?? null) }, { name: "p95", level: "accent", values: pick((one) => one.run?.p95 ?? null) }] }),
    chart({ title: "Wait for a slot", points, format: duration, summary: `p95 at most ${duration(most(points, (one) => one.wait?.p95))}`,
      lines: [{ name: "p50", level: "off", values: pick((one) => one.wait?.p50 ?? null) }, { name: "p95", level: "accent", values: pick((one) => one.wait?.p95 ?? null) }] }),
  ];
}

const switches = (chosen) => h("span", { class: "segments", role: "group", "aria-label": "Window" },
  WINDOWS.map((one) => button(one, "window", one, { class: "small", "aria-pressed": String(one === chosen) })));

export function chartsView(_arg, query) {
  const window = WINDOWS.includes(query.window) ? query.window : "1h";
  return {
    title: "Charts",
    panels: [
      panel({ title: "Over time", of: [series(window)], lines: 24, area: "full charts", fixed: switches(window), draw: drawCharts }),
      panel({ title: "By task", of: [stats(window)], lines: 6, area: "full", draw: ({ tasks }) => byName("task", tasks) }),
      panel({ title: "By queue", of: [stats(window)], lines: 4, area: "full", draw: ({ queues }) => byName("queue", queues) }),
      panel({ title: "Contention for locks", of: [stats(window)], lines: 3, area: "full", draw: ({ locks }) => (locks.length ? table("Locks", CONTENTION, locks, (one) => one.name) : empty("No job of this window needed a lock.")) }),
    ],
  };
}

function byName(noun, rows) {
  if (!rows.length) return empty("Nothing ended in this window.");
  return table(`By ${noun}`, [
    { name: noun === "task" ? "Task" : "Queue", class: "main", cell: (one) => link(`#/jobs?${new URLSearchParams({ [noun]: one.name })}`, one.name) },
    { name: "Runs", class: "num right", cell: (one) => count(one.runs) },
    { name: "Success", class: "num right", cell: (one) => (one.success_rate === null ? faint("–") : percent(one.success_rate)) },
    { name: "Failed", class: "wide num right", cell: (one) => (one.failures ? h("span", { class: "bad-text" }, count(one.failures)) : faint("0")) },
    { name: "Retries", class: "wide num right", cell: (one) => count(one.retries) },
    ...["p50", "p95", "p99"].map((name) => ({ name, class: `${name === "p95" ? "" : "wide "}num right`, cell: (one) => duration(one.run[name]) })),
    { name: "Wait p95", class: "wide num right", cell: (one) => duration(one.wait.p95) },
    ...(noun === "queue" ? [{ name: "Used", class: "wide num right", cell: (one) => (one.utilisation === null ? faint("–") : percent(one.utilisation)) }] : []),
  ], rows, (one) => one.name);
}

const CONTENTION = [
  { name: "Lock", class: "main mono", cell: (one) => one.name },
  { name: "Ended", class: "num right", cell: (one) => count(one.ended) },
  { name: "Skipped", class: "num right", cell: (one) => (one.skipped ? h("span", { class: "warn" }, count(one.skipped)) : faint("0")) },
  { name: "Wait p50", class: "wide num right", cell: (one) => duration(one.wait.p50) },
  { name: "Wait p95", class: "num right", cell: (one) => duration(one.wait.p95) },
];

/** Bars without words beside a figure. */
export const sparkline = (points) => {
  const top = Math.max(1, most(points, (one) => one.succeeded + one.failed + one.other));
  const gap = 1000 / points.length;
  const lines = [["accent", (one) => one.succeeded + one.other], ["bad", (one) => one.failed]].map(([level, read]) => ({ name: level, level, values: points.map(read) }));
  return s("svg", { class: "spark", viewBox: `0 0 1000 ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" }, stack(lines, top, gap));
};

export { ended, sum };
