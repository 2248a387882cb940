// What views are made of: panels with their four states, tables, words for states, definition lists, code boxes.
import { MOST_PAGES } from "./data.js";
import { h, render, soft } from "./dom.js";
import { clock, time } from "./time.js";

const LEVELS = {
  running: "accent", succeeded: "ok", failed: "bad", quarantined: "bad", expired: "warn", skipped: "warn", cancelled: "off", queued: "off",
  started: "accent", requeued: "accent", retried: "warn", interrupted: "warn", rescued: "bad", cancel_requested: "warn", terminate_requested: "warn",
  healthy: "ok", degraded: "warn", unhealthy: "bad",
  closed: "ok", half_open: "warn", open: "bad",
  go: "ok", tbc: "warn", tbd: "off", hold: "bad", in_flight: "accent", success: "ok", partial_failure: "warn", failure: "bad",
  fired: "ok", backfilled: "accent", coalesced: "warn", missed: "bad", overlap_skipped: "warn", paused: "off",
};
const WORDS = {
  go: "Go", tbc: "to be confirmed", tbd: "to be determined", in_flight: "in flight", partial_failure: "partial failure",
  closed: "well", half_open: "trying again", open: "left alone", off: "off", overlap_skipped: "overlap",
};

/** A state as a dot and a word; the dot alone says nothing that the word does not. */
export const state = (name, word) =>
  h("span", { class: `state ${LEVELS[name] ?? "off"}` }, h("i", { "aria-hidden": "true" }), word ?? WORDS[name] ?? String(name ?? "–").replaceAll("_", " "));
export const levelOf = (name) => LEVELS[name] ?? "off";
export const faint = (...text) => h("span", { class: "faint" }, ...text);
export const badge = (text, level = "off", title = null) => h("span", { class: `badge ${level}`, title }, text);
export const button = (text, act, arg, props = {}) =>
  h("button", { type: "button", "data-do": act, "data-arg": typeof arg === "object" ? JSON.stringify(arg) : arg, ...props }, text);
export const link = (href, ...text) => h("a", { href }, ...text);
export const jobHref = (id) => `#/jobs/${encodeURIComponent(id)}`;
export const scheduleHref = (name) => `#/schedules/${encodeURIComponent(name)}`;

const INSTANT = /(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)/;
/** Words of the daemon, the instants among them as people read them. */
export const told = (text, kind) => String(text ?? "").split(INSTANT).map((part, at) => (at % 2 ? time(part, kind) : part));
export const scheduleLink = (name) => link(scheduleHref(name), soft(name));

/** The end of an id, which tells a job from others: the random part. */
export const shortId = (id) => String(id).slice(-8);

/** `[term, value, takes a line of its own]`; those without a value are left out. */
export const facts = (pairs) =>
  h("dl", { class: "facts" }, pairs.filter((pair) => pair && pair[1] !== null && pair[1] !== undefined && pair[1] !== "")
    .map(([term, value, long]) => h("div", { "data-key": term, class: long ? "long" : null }, h("dt", null, term), h("dd", null, value))));

/** A box of verbatim text; it scrolls inside itself and can be reached by keyboard. */
export const verbatim = (text, label, props = {}) =>
  h("pre", { tabindex: "0", role: "region", "aria-label": label, ...props }, text);
export const json = (value, label) => verbatim(JSON.stringify(value, null, 2), label);

/** A table. Columns: {name, cell(row), class?}; `narrow`-class columns leave on small screens. */
export function table(caption, columns, rows, key) {
  return h("table", null,
    h("caption", { class: "hidden" }, caption),
    h("thead", null, h("tr", null, columns.map((one) => h("th", { scope: "col", class: one.class }, one.name || h("span", { class: "hidden" }, "Actions"))))),
    h("tbody", null, rows.map((row, index) => h("tr", { "data-key": key(row, index) }, columns.map((one) => h("td", { class: one.class }, one.cell(row)))))));
}

export const empty = (text, ...more) => h("div", { class: "empty" }, h("p", null, text), ...more);

/** What stands below a list that goes on, `shown` being its pages so far. */
export function more(next, shown) {
  if (!next) return null;
  return h("p", { class: "more" }, shown < MOST_PAGES ? button("Show more", "more", String(shown + 1)) : faint("Narrow the filters to see more."));
}

/** A meter of `part` in `whole`, as a bar with its words for who cannot see it. */
export function meter(part, whole, label, level = "accent") {
  const share = whole > 0 ? Math.min(part / whole, 1) : 0;
  return h("progress", { class: `meter ${level}`, max: "1", value: share.toFixed(4), "aria-label": label });
}

let serial = 0;

/** Rows of two columns, for what is too long for a table's cell. Each row: {key, main, side, under}. */
export const list = (rows) =>
  h("ul", { class: "list" }, rows.map(({ key, main, side, under }) => h("li", { "data-key": key }, h("div", { class: "row" }, h("span", { class: "grow" }, main), h("span", { class: "num faint" }, side)), under ? h("div", { class: "under" }, under) : null)));

/**
 * A panel over resources. `draw(...data)` returns nodes; `lines` reserves room while loading, so that nothing jumps.
 * Loading, refused and old are shown by the panel itself. `tools(...data)` and the `fixed` ones stand in its head.
 * One that is not `wanted(...data)` leaves the page until it is. Of a thing that is not there only the `main` one speaks.
 * Returns {node, ask, start, stop}.
 */
export function panel({ title, of, draw, tools = null, fixed = null, wanted = null, main = false, lines = 4, area = "" }) {
  const id = `panel-${++serial}`;
  const body = h("div", { class: "body" });
  const side = h("div", { class: "tools" });
  const note = h("p", { class: "old", hidden: true });
  const node = h("section", { class: `panel ${area}`, "aria-labelledby": id, "aria-busy": "true" },
    h("header", null, h("h2", { id }, title), fixed, side), note, body);
  body.style.setProperty("--lines", lines);
  const redraw = () => show({ node, body, side, note }, { of, draw, tools, wanted, main, lines });
  let watches = [];
  return {
    node,
    ask(since) {
      for (const one of of) one.ensure(since);
    },
    start() {
      watches = of.map((one) => one.watch(redraw));
      redraw();
    },
    stop() {
      for (const end of watches) end();
    },
  };
}

function show({ node, body, side, note }, { of, draw, tools, wanted, main, lines }) {
  const failed = of.find((one) => one.error);
  const ready = of.every((one) => one.data !== undefined);
  node.setAttribute("aria-busy", String(!ready && !failed));
  node.dataset.state = ready ? (failed ? "old" : "ready") : failed ? "failed" : "loading";
  // that nobody can be reached is said once, above all panels
  note.hidden = !(ready && failed?.error.status);
  if (!note.hidden) render(note, `As of ${clock(Math.min(...of.map((one) => one.at)))}: ${failed.error.message}. `, button("Try again", "refresh"));
  if (ready) {
    const data = of.map((one) => one.data);
    node.hidden = Boolean(wanted) && !wanted(...data);
    render(body, draw(...data));
    render(side, tools ? tools(...data) : null);
  } else if (failed?.error.status === 403) {
    render(body, empty("Only an admin may see this."));
  } else if (failed) {
    node.hidden = failed.error.status === 404 && !main;
    render(body, h("div", { class: "empty failed", "data-key": "failed" }, h("p", null, failed.error.status === 404 ? "There is no such thing (any more)." : `This cannot be shown: ${failed.error.message}.`), button("Try again", "refresh")));
  } else {
    render(body, h("div", { class: "skeleton", "aria-hidden": "true", "data-key": "skeleton" }, Array.from({ length: Math.min(lines, 8) }, () => h("span"))));
  }
}
