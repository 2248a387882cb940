// Charts over time. The SVG stretches with its box; words and figures are HTML, so they never stretch. Each chart has
// a sentence for screen readers, a read-out under the pointer, and a table of the same figures.
import { get } from "./api.js";
import { h, s } from "./dom.js";
import { empty, faint, legend, link, panel, switches, table } from "./parts.js";
import {
  countScale, durationScale, finished, HEIGHT, linePath, longest, marks, most, stackBars, sum, WIDTH,
} from "./plot.js";
import { resource } from "./resource.js";
import { clock, count, duration, percent } from "./time.js";

const WINDOWS = ["1h", "24h", "7d"];
const PERIODS = { live: 15, polling: 10, gap: 4000 };
export const series = (window) =>
  resource(`series:${window}`, () => get("/v1/stats/series", { window }), ["job"], PERIODS);
const stats = (window) => resource(`stats:${window}`, () => get("/v1/stats", { window }), ["job"], PERIODS);

/** An axis of time with its marks at round times. */
export function axis(from, to, now = true) {
  const places = marks(from, to).map((at) => [(at - from) / (to - from) * 100, clock(at, { seconds: false })]);
  const apart = places.filter(([x]) => x > 3 && x < (now ? 84 : 97));
  return s("svg", { class: "axis", "aria-hidden": "true" },
    apart.map(([x, text]) => s("text", { x: `${x.toFixed(2)}%`, y: 11 }, text)),
    now ? s("text", { class: "last", x: "100%", y: 11 }, "now") : null);
}

const rects = (bars) => bars.map((one) => s("rect", one));

/** A chart of `lines` {name, level, values} over `points`: stacked bars of counts, or lines of durations. */
function chart({ title, points, step, lines, bars = false, summary }) {
  const gap = WIDTH / points.length, format = bars ? count : duration;
  const totals = points.map((_, at) => lines.reduce((total, one) => total + (one.values[at] ?? 0), 0));
  const scale = bars ? countScale(totals) : durationScale(lines.flatMap((one) => one.values));
  const shapes = bars ? rects(stackBars(lines, scale.place, gap)) : lines.map((one) => curve(one, scale.place, gap));
  const from = Date.parse(points[0].at);
  const stretch = { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none" };
  return h("figure", { class: "chart", "data-key": title },
    h("figcaption", null, h("h3", null, title), legend(lines.map((one) => [one.level, one.name]))),
    h("div", { class: "plot" }, rulers(scale.marks),
      s("svg", { class: "shapes", ...stretch, role: "img", "aria-label": `${title}: ${summary}` },
        shapes, targets(points, lines, gap, format))),
    axis(from, from + points.length * step * 1000),
    h("p", { class: "readout faint small num" }, summary),
    figures(title, points, lines, format));
}

const curve = ({ name, level, values }, place, gap) =>
  s("path", { class: `line ${level}`, d: linePath(values, place, gap), "data-key": name });

const rulers = (scaleMarks) =>
  s("svg", { class: "rulers", "aria-hidden": "true" }, [[0, ""], ...scaleMarks].map(([place, text]) => {
    const y = `${HEIGHT - place}%`;
    return [s("line", { x1: 0, x2: "100%", y1: y, y2: y, "data-key": `line ${text}` }),
      text ? s("text", { x: -8, y, dy: 4, "data-key": text }, text) : null];
  }));

/** An invisible bar over each point: the pointer over it fills the read-out. */
const targets = (points, lines, gap, format) => points.map((point, at) => {
  const said = lines.map((one) => `${one.name} ${format(one.values[at])}`).join(" · ");
  return s("rect", {
    class: "hit", x: (at * gap).toFixed(2), width: gap.toFixed(2), y: 0, height: HEIGHT,
    "data-key": `hit${at}`, "data-say": `${clock(point.at, { seconds: false })} · ${said}`,
  });
});

/** The same figures as a table, the newest first. */
function figures(title, points, lines, format) {
  const columns = [
    { name: "From (UTC)", class: "num", cell: ({ at }) => clock(at) },
    ...lines.map((one) => ({ name: one.name, class: "num right", cell: ({ index }) => format(one.values[index]) })),
  ];
  const rows = points.map((point, index) => ({ at: point.at, index }))
    .filter(({ index }) => lines.some((one) => one.values[index])).reverse();
  return h("details", null, h("summary", null, "Show as table"),
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `${title} as a table` },
      table(title, columns, rows, (row) => row.at)));
}

function drawCharts({ items: points, step, counted_since: since }) {
  const line = (name, level, read) => ({ name, level, values: points.map(read) });
  const failed = line("failed", "bad", (one) => one.failed);
  const quantiles = (of) =>
    [line("p50", "off", (one) => one[of]?.p50 ?? null), line("p95", "accent", (one) => one[of]?.p95 ?? null)];
  const all = finished(points), bad = sum(points, "failed");
  const note = () => h("p", { class: "note faint", "data-key": "note" },
    "Only the newest jobs are counted: those created since ", clock(since), " UTC.");
  return [
    since && since > points[0].at ? note() : null,
    chart({ title: "Throughput", points, step, bars: true, summary: `${count(all)} jobs finished`, lines: [
      line("succeeded", "accent", (one) => one.succeeded), failed, line("other", "off", (one) => one.other)] }),
    chart({ title: "Failures", points, step, bars: true, lines: [failed],
      summary: `${count(bad)} failed, ${percent(bad / (all || 1))} of the finished jobs` }),
    chart({ title: "Duration", points, step, summary: longest(points, "run"), lines: quantiles("run") }),
    chart({ title: "Wait for a slot", points, step, summary: longest(points, "wait"), lines: quantiles("wait") }),
  ];
}

export function chartsView(_arg, query) {
  const window = WINDOWS.includes(query.window) ? query.window : "1h";
  const of = [stats(window)], area = "full";
  return {
    title: "Charts",
    panels: [
      panel({ title: "Over time", of: [series(window)], lines: 24, area: "full charts",
        fixed: switches("Time range", "window", WINDOWS, window), draw: drawCharts }),
      panel({ title: "By task", of, lines: 6, area, draw: ({ tasks }) => byName("task", tasks) }),
      panel({ title: "By queue", of, lines: 4, area, draw: ({ queues }) => byName("queue", queues) }),
      panel({ title: "Lock contention", of, lines: 3, area, draw: ({ locks }) => (locks.length
        ? table("Locks", CONTENTION, locks, (one) => one.name) : empty("No job in this time range used a lock.")) }),
    ],
  };
}

const share = (value) => (value === null ? faint("–") : percent(value));
/** A number that is coloured unless it is zero. */
const alarming = (number, level) => (number ? h("span", { class: level }, count(number)) : faint("0"));
const number = (name, cell, wide = true) => ({ name, class: `${wide ? "wide " : ""}num right`, cell });

function byName(noun, rows) {
  if (!rows.length) return empty("No job finished in this time range.");
  const href = (one) => `#/jobs?${new URLSearchParams({ [noun]: one.name })}`;
  return table(`By ${noun}`, [
    { name: noun === "task" ? "Task" : "Queue", class: "main", cell: (one) => link(href(one), one.name) },
    number("Runs", (one) => count(one.runs), false),
    number("Success", (one) => share(one.success_rate), false),
    number("Failed", (one) => alarming(one.failures, "bad-text")),
    number("Retries", (one) => count(one.retries)),
    ...["p50", "p95", "p99"].map((name) => number(name, (one) => duration(one.run[name]), name !== "p95")),
    number("Wait p95", (one) => duration(one.wait.p95)),
    ...(noun === "queue" ? [number("Utilisation", (one) => share(one.utilisation))] : []),
  ], rows, (one) => one.name);
}

const CONTENTION = [
  { name: "Lock", class: "main mono", cell: (one) => one.name },
  number("Finished", (one) => count(one.ended), false),
  number("Skipped", (one) => alarming(one.skipped, "warn"), false),
  number("Wait p50", (one) => duration(one.wait.p50)),
  number("Wait p95", (one) => duration(one.wait.p95), false),
];

/** Bars without words, beside a figure. */
export function sparkline(points) {
  const good = (one) => one.succeeded + one.other;
  const top = Math.max(1, most(points, (one) => good(one) + one.failed));
  const lines = [["accent", good], ["bad", (one) => one.failed]]
    .map(([level, read]) => ({ name: level, level, values: points.map(read) }));
  const shape = { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" };
  const bars = stackBars(lines, (value) => value / top * HEIGHT, WIDTH / points.length);
  return s("svg", { class: "spark", ...shape }, rects(bars));
}
