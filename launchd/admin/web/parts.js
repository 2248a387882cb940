// Parts of views: panels with their four states, tables, states, lists of facts, boxes of verbatim text.
import { time } from "./clocks.js";
import { h, render, soft } from "./dom.js";
import { MOST_PAGES } from "./resource.js";
import { clock } from "./time.js";
import { levelOf, scheduleHref, splitTimes, wordOf } from "./words.js";

/** A state as a dot and a word: the colour never carries information alone. */
export const state = (name, word) =>
  h("span", { class: `state ${levelOf(name)}` }, h("i", { "aria-hidden": "true" }), word ?? wordOf(name));
export const faint = (...text) => h("span", { class: "faint" }, ...text);
export const badge = (text, level = "off", title = null) => h("span", { class: `badge ${level}`, title }, text);
export const button = (text, act, arg, props = {}) => {
  const data = typeof arg === "object" ? JSON.stringify(arg) : arg;
  return h("button", { type: "button", "data-do": act, "data-arg": data, ...props }, text);
};
export const link = (href, ...text) => h("a", { href }, ...text);
export const scheduleLink = (name) => link(scheduleHref(name), soft(name));

/** A text of the daemon, its times as `<time>`. */
export const withTimes = (text, kind) => splitTimes(text).map((part, at) => (at % 2 ? time(part, kind) : part));

/** A list of [term, value, long]: a long one takes a line of its own, one without a value is left out. */
export function facts(pairs) {
  const given = pairs.filter((pair) => pair && pair[1] !== null && pair[1] !== undefined && pair[1] !== "");
  return h("dl", { class: "facts" }, given.map(([term, value, long]) =>
    h("div", { "data-key": term, class: long ? "long" : null }, h("dt", null, term), h("dd", null, value))));
}

/** A box of verbatim text. It scrolls inside itself and can be reached by keyboard. */
export const verbatim = (text, label, props = {}) =>
  h("pre", { tabindex: "0", role: "region", "aria-label": label, ...props }, text);
export const json = (value, label) => verbatim(JSON.stringify(value, null, 2), label);

/** A table. Columns are {name, cell(row), class?}; columns of the class "wide" disappear on small screens. */
export function table(caption, columns, rows, key) {
  const head = columns.map((one) =>
    h("th", { scope: "col", class: one.class }, one.name || h("span", { class: "hidden" }, "Actions")));
  const body = rows.map((row, index) =>
    h("tr", { "data-key": key(row, index) }, columns.map((one) => h("td", { class: one.class }, one.cell(row)))));
  return h("table", null,
    h("caption", { class: "hidden" }, caption), h("thead", null, h("tr", null, head)), h("tbody", null, body));
}

export const empty = (text, ...more) => h("div", { class: "empty" }, h("p", null, text), ...more);

/** The foot of a list that has another page; `shown` is the number of its pages so far. */
export function more(next, shown) {
  if (!next) return null;
  const narrow = () => faint("Narrow the filters to see more.");
  return h("p", { class: "more" }, shown < MOST_PAGES ? button("Show more", "more", String(shown + 1)) : narrow());
}

/** A bar of `part` in `whole`; `label` is its text for screen readers. */
export function meter(part, whole, label, level = "accent") {
  const share = whole > 0 ? Math.min(part / whole, 1) : 0;
  return h("progress", { class: `meter ${level}`, max: "1", value: share.toFixed(4), "aria-label": label });
}

/** Rows {key, main, side, under} of two columns, for text that is too long for the cell of a table. */
export const list = (rows) =>
  h("ul", { class: "list" }, rows.map(({ key, main, side, under }) =>
    h("li", { "data-key": key },
      h("div", { class: "row" }, h("span", { class: "grow" }, main), h("span", { class: "num faint" }, side)),
      under ? h("div", { class: "under" }, under) : null)));

/** A group of buttons, one of which is pressed. */
export const switches = (label, act, choices, chosen) =>
  h("span", { class: "segments", role: "group", "aria-label": label },
    choices.map((one) => button(one, act, one, { class: "small", "aria-pressed": String(one === chosen) })));

/** Colours with their words; `items` are [level, word]. */
export const legend = (items) =>
  h("span", { class: "legend" },
    items.map(([level, word]) => h("span", { class: level }, h("i", { "aria-hidden": "true" }), word)));

let serial = 0;

/**
 * A panel over the resources `of`. `draw(...data)` returns nodes; `lines` reserves room while loading, so that nothing
 * jumps. The panel itself shows that data is loading, refused or old. `tools(...data)` and the nodes `fixed` stand in
 * its head. A panel with `wanted` is hidden while `wanted(...data)` is false. If a thing does not exist (404), only
 * the `main` panel says so. Returns {node, ask, start, stop}.
 */
export function panel({
  title, of, draw, tools = null, fixed = null, wanted = null, main = false, lines = 4, area = "",
}) {
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
  // an unreachable daemon (status 0) is reported once, in the banner above all panels
  note.hidden = !(ready && failed?.error.status);
  if (!note.hidden) render(note, ...oldNote(of, failed.error));
  if (ready) {
    const data = of.map((one) => one.data);
    node.hidden = Boolean(wanted) && !wanted(...data);
    render(body, draw(...data));
    render(side, tools ? tools(...data) : null);
  } else if (failed) {
    node.hidden = failed.error.status === 404 && !main;
    render(body, refusal(failed.error));
  } else {
    const bars = Array.from({ length: Math.min(lines, 8) }, () => h("span"));
    render(body, h("div", { class: "skeleton", "aria-hidden": "true", "data-key": "skeleton" }, bars));
  }
}

const again = () => button("Try again", "refresh");
const oldNote = (of, error) =>
  [`Last updated ${clock(Math.min(...of.map((one) => one.at)))}. ${error.message}. `, again()];

function refusal({ status, message }) {
  if (status === 403) return empty("Only admins can see this.");
  const text = status === 404 ? "Not found. It does not exist or was deleted." : `Cannot load this: ${message}.`;
  return h("div", { class: "empty failed", "data-key": "failed" }, h("p", null, text), again());
}
