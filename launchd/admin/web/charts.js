// Charts over time, drawn as SVG that stretches with its box; words and figures are HTML, so they never stretch.
// Each has a sentence for who cannot see it, a read-out under the pointer, and a table of the same figures.
import { get } from "./api.js";
import { resource } from "./data.js";
import { h, s } from "./dom.js";
import { button, empty, faint, link, panel, table } from "./parts.js";
import { clock, count, duration, percent, roughly } from "./time.js";

const WINDOWS = ["1h", "24h", "7d"];
const HEIGHT = 100;
const MINUTE = 60e3, HOUR = 60 * MINUTE, DAY = 24 * HOUR;
// How far apart the marks of a time axis may stand, in milliseconds, and how many there may be.
const STEPS = [MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY];
const MOST_MARKS = 6;
// Where the marks of an axis of durations stand, in seconds: what people count in.
const DURATIONS = [0.001, 0.01, 0.1, 1, 10, 60, 600, 3600, 36000, 360000];

export const series = (window) => resource(`series:${window}`, () => get("/v1/stats/series", { window }), ["job"], { live: 15, polling: 10, gap: 4000 });
const stats = (window) => resource(`stats:${window}`, () => get("/v1/stats", { window }), ["job"], { live: 15, polling: 10, gap: 4000 });

/** The next larger of 1, 2, 5, 10, 20 … Pure. */
export function ceiling(value) {
  if (!(value > 0)) return 1;
  const step = 10 ** Math.floor(Math.log10(value));
  return step * ([1, 2, 5].find((one) => one * step >= value * 0.9999) ?? 10);
}

/** The round times between two, in milliseconds. Pure. */
export function marks(from, to) {
  const step = STEPS.find((one) => (to - from) / one <= MOST_MARKS) ?? STEPS.at(-1);
  const found = [];
  for (let at = Math.ceil(from / step) * step; at < to; at += step) found.push(at);
  return found;
}

/** An axis of time, its marks at round times; nothing stretches but the distance between them. */
export function axis(from, to, now = true) {
  const places = marks(from, to).map((at) => [(at - from) / (to - from) * 100, clock(at, { seconds: false })]);
  const apart = places.filter(([x]) => x > 3 && x < (now ? 84 : 97));
  return s("svg", { class: "axis", "aria-hidden": "true" },
    apart.map(([x, text]) => s("text", { x: `${x.toFixed(2)}%`, y: 11 }, text)), now ? s("text", { class: "last", x: "100%", y: 11 }, "now") : null);
}

/** From nothing to beyond the largest value, with a mark half way. */
function counts(values) {
  const top = ceiling(Math.max(0, ...values));
  const whole = top > 1 ? [top / 2, top] : [top];
  return { place: (value) => value / top * HEIGHT, marks: whole.map((value) => [value / top * HEIGHT, count(value)]) };
}

/** By powers, so that milliseconds and hours can be told apart in one chart; what took no time lies at the bottom. */
function durations(values) {
  const timed = values.filter((value) => value > 0);
  const least = Math.min(...timed), most = Math.max(...timed);
  const low = timed.length ? DURATIONS.findLast((one) => one <= least) ?? DURATIONS[0] : 0.1;
  const high = DURATIONS.find((one) => one >= most && one > low) ?? (timed.length ? Math.max(most, low * 10) : 10);
  const place = (value) => Math.max(Math.log(Math.max(value, low) / low) / Math.log(high / low), 0) * HEIGHT;
  return { place, marks: DURATIONS.filter((one) => one > low && one <= high).map((one) => [place(one), roughly(one)]) };
}

function line(values, place, gap) {
  let path = "", down = false;
  values.forEach((value, at) => {
    if (value === null || value === undefined) {
      down = false;
      return;
    }
    path += `${down ? "L" : "M"}${((at + 0.5) * gap).toFixed(1)} ${(HEIGHT - place(value)).toFixed(1)}`;
    if (!down && (values[at + 1] === null || values[at + 1] === undefined)) path += "h.01"; // a lone point is a dot
    down = true;
  });
  return path;
}

/** A chart of `lines` {name, level, values} over `points`: stacked bars of counts, or lines of durations. */
function chart({ title, points, step, lines, bars = false, summary }) {
  const gap = 1000 / points.length, format = bars ? count : duration;
  const totals = points.map((_, at) => lines.reduce((sum, one) => sum + (one.values[at] ?? 0), 0));
  const scale = bars ? counts(totals) : durations(lines.flatMap((one) => one.values));
  const shapes = bars ? stack(lines, scale.place, gap) : lines.map((one) => s("path", { class: `line ${one.level}`, d: line(one.values, scale.place, gap), "data-key": one.name }));
  const from = Date.parse(points[0].at);
  const hits = points.map((point, at) => s("rect", { class: "hit", x: (at * gap).toFixed(2), width: gap.toFixed(2), y: 0, height: HEIGHT,
    "data-key": `hit${at}`, "data-say": `${clock(point.at, { seconds: false })} · ${lines.map((one) => `${one.name} ${format(one.values[at])}`).join(" · ")}` }));
  return h("figure", { class: "chart", "data-key": title },
    h("figcaption", null, h("h3", null, title), h("span", { class: "legend" }, lines.map((one) => h("span", { class: one.level }, h("i", { "aria-hidden": "true" }), one.name)))),
    h("div", { class: "plot" },
      s("svg", { class: "rulers", "aria-hidden": "true" }, [[0, ""], ...scale.marks].map(([place, text]) => [
        s("line", { x1: 0, x2: "100%", y1: `${HEIGHT - place}%`, y2: `${HEIGHT - place}%`, "data-key": `line ${text}` }),
        text ? s("text", { x: -8, y: `${HEIGHT - place}%`, dy: 4, "data-key": text }, text) : null])),
      s("svg", { class: "shapes", viewBox: `0 0 1000 ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": `${title}: ${summary}` }, shapes, hits)),
    axis(from, from + points.length * step * 1000),
    h("p", { class: "readout faint small num" }, summary),
    h("details", null, h("summary", null, "As a table"), h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `${title} as a table` },
      table(title, [{ name: "From (UTC)", class: "num", cell: ({ at }) => clock(at) }, ...lines.map((one) => ({ name: one.name, class: "num right", cell: ({ index }) => format(one.values[index]) }))],
        points.map((point, index) => ({ at: point.at, index })).filter(({ index }) => lines.some((one) => one.values[index])).reverse(), (row) => row.at))));
}

function stack(lines, place, gap) {
  const below = lines[0].values.map(() => 0);
  return lines.flatMap((one) => one.values.map((value, at) => {
    if (!value) return null;
    const height = place(value);
    below[at] += height;
    return s("rect", { class: one.level, x: (at * gap + gap * 0.1).toFixed(2), width: (gap * 0.8).toFixed(2), y: (HEIGHT - below[at]).toFixed(2), height: height.toFixed(2), "data-key": `${one.name}${at}` });
  }));
}

const sum = (points, name) => points.reduce((total, one) => total + (one[name] ?? 0), 0);
const most = (points, read) => Math.max(0, ...points.map((one) => read(one) ?? 0));
const ended = (points) => sum(points, "succeeded") + sum(points, "failed") + sum(points, "other");

const longest = (points, name) =>
  points.some((one) => Number.isFinite(one[name]?.p95)) ? `p95 at most ${duration(most(points, (one) => one[name]?.p95))}` : "nothing was measured";

function drawCharts({ items: points, step, counted_since: since }) {
  const pick = (read) => points.map(read);
  return [
    since && since > points[0].at ? h("p", { class: "note faint", "data-key": "note" }, "Only the newest jobs are counted: those made since ", clock(since), " UTC.") : null,
    chart({ title: "Throughput", points, step, bars: true, summary: `${count(ended(points))} jobs ended`,
      lines: [{ name: "succeeded", level: "accent", values: pick((one) => one.succeeded) }, { name: "failed", level: "bad", values: pick((one) => one.failed) }, { name: "other", level: "off", values: pick((one) => one.other) }] }),
    chart({ title: "Failures", points, step, bars: true, summary: `${count(sum(points, "failed"))} failed, ${percent(sum(points, "failed") / (ended(points) || 1))} of what ended`,
      lines: [{ name: "failed", level: "bad", values: pick((one) => one.failed) }] }),
    chart({ title: "Duration", points, step, summary: longest(points, "run"),
      lines: [{ name: "p50", level: "off", values: pick((one) => one.run?.p50 ?? null) }, { name: "p95", level: "accent", values: pick((one) => one.run?.p95 ?? null) }] }),
    chart({ title: "Wait for a slot", points, step, summary: longest(points, "wait"),
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
  return s("svg", { class: "spark", viewBox: `0 0 1000 ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" }, stack(lines, (value) => value / top * HEIGHT, gap));
};

export { ended, sum };
