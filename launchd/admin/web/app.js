// Starts the page: which view the address names, keeping it fresh, and handing clicks to the actions.
import { actions } from "./actions.js";
import { isReached } from "./api.js";
import { chartsView } from "./charts.js";
import { happened, health, keepFresh, resync } from "./data.js";
import { attempt } from "./dialog.js";
import { $, h, render } from "./dom.js";
import { failedPanel, jobView, jobsView, runningPanel } from "./jobs.js";
import { freshnessPanel, launchView, launchesView, nextPanel, sourcesView } from "./launches.js";
import { Live } from "./live.js";
import { link } from "./parts.js";
import { queuesPanel, queuesView, locksPanel, timelinePanel } from "./queues.js";
import { firesPanel, scheduleView, schedulesView } from "./schedules.js";
import { healthPanel, systemView, tilesPanel } from "./system.js";
import { now, startTicking, two } from "./time.js";

const overview = (_arg, query) => ({
  title: "Overview",
  layout: "overview",
  panels: [tilesPanel(), nextPanel(), queuesPanel(), timelinePanel(query.span), runningPanel(), firesPanel(), failedPanel(), freshnessPanel(), locksPanel(), healthPanel()],
  // the last six stand in three columns of their own height, so that a list that grows moves nothing beside it
  columns: 3,
});
const VIEWS = {
  "": overview, launches: launchesView, jobs: jobsView, schedules: schedulesView, queues: queuesView, charts: chartsView, sources: sourcesView, system: systemView,
  "launches/": launchView, "jobs/": jobView, "schedules/": scheduleView,
};

// What is shown: written by `show` alone.
let shown = { route: null, panels: [], ends: [], fill: () => {} };
let mode = "connecting";

function route() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [noun, ...rest] = path.split("/");
  let arg = null;
  try {
    arg = rest.length ? decodeURIComponent(rest.join("/")) : null;
  } catch {
    // half an escape: no such thing
  }
  return { name: arg === null ? noun : `${noun}/`, arg, query: Object.fromEntries(new URLSearchParams(query)), path };
}

/** Change the parameters of the address; empty ones leave. */
function setQuery(changes) {
  const { path, query } = route();
  const wanted = Object.entries({ ...query, ...changes }).filter(([, value]) => value);
  history.replaceState(null, "", `#/${path}${wanted.length ? `?${new URLSearchParams(wanted)}` : ""}`);
  show();
}

function filterBar(view, query) {
  if (!view.filters) return null;
  return h("form", { class: "filters", role: "search", "data-key": "filters" },
    view.filters.map(({ name, label, options, search }) => {
      const chosen = query[name] ?? "";
      const listed = typeof options === "function" ? options() : options;
      const known = search || listed.some(([value]) => value === chosen) ? listed : [...listed, [chosen, chosen]];
      return h("label", { "data-key": name }, h("span", null, label),
        search ? h("input", { type: "search", "data-filter": name, value: chosen, autocomplete: "off" })
          : h("select", { "data-filter": name }, known.map(([value, text]) => h("option", { value, selected: value === chosen }, text))));
    }));
}

let shows = 0;

/** The view that an address names, with its questions on their way. */
function asked(wanted) {
  const make = VIEWS[wanted.name], since = Date.now();
  const view = make ? make(wanted.arg, wanted.query) : { title: "Nothing here", panels: [], lost: true };
  for (const one of view.needs ?? []) one.ensure(since);
  for (const one of view.panels) one.ask(since);
  return view;
}

function show() {
  const next = route();
  draw(next, asked(next));
}

function draw(next, view) {
  const same = shown.route && shown.route.path === next.path;
  for (const one of shown.panels) one.stop();
  for (const end of shown.ends) end();
  const main = $("#main");
  const { do: act, arg } = document.activeElement?.dataset ?? {};
  const head = h("div", { class: "head", "data-key": `head ${next.path}` },
    view.back ? h("p", { class: "crumb" }, link(...view.back)) : null,
    h("h1", null, view.title), view.action ? h("div", { class: "row" }, view.action) : null);
  const filters = h("div", { "data-key": `filters ${next.path}` }, filterBar(view, next.query));
  const grid = h("div", { class: `grid ${view.layout ?? ""}`, "data-key": `grid ${next.path} ${++shows}` }, arranged(view),
    view.lost ? h("p", { class: "empty" }, "There is no such page. ", link("#/", "Overview")) : null);
  render(main, head, filters, grid);
  const fill = () => render($("#main > [data-key^=filters]"), filterBar(view, route().query));
  shown = { route: next, panels: view.panels, ends: (view.needs ?? []).map((one) => one.watch(fill)) };
  for (const one of view.panels) one.start();
  document.title = `${view.title} · launchd`;
  markNav(next.path.split("/")[0]);
  if (!same && shows > 1) {
    scrollTo(0, 0);
    main.focus({ preventScroll: true });
  } else if (same && act) {
    main.querySelector(`[data-do="${CSS.escape(act)}"][data-arg="${CSS.escape(arg ?? "")}"]`)?.focus({ preventScroll: true });
  }
}

function arranged({ panels, columns = 0 }) {
  const nodes = panels.map((one) => one.node);
  const first = nodes.length - columns * 2;
  return [nodes.slice(0, first), Array.from({ length: columns }, (_, at) => h("div", { class: "column" }, nodes.slice(first + at * 2, first + at * 2 + 2)))];
}

function markNav(noun) {
  for (const one of document.querySelectorAll("nav a")) {
    const here = one.getAttribute("href") === `#/${noun}`;
    if (here) one.setAttribute("aria-current", "page"), one.scrollIntoView({ block: "nearest", inline: "center" });
    else one.removeAttribute("aria-current");
  }
}

/** The next frame has been handed over. A page in the background has none. */
const painted = () => new Promise((resolve) => (document.hidden ? resolve() : requestAnimationFrame(() => setTimeout(resolve))));

// --- theme ---

const THEMES = ["auto", "light", "dark"];
const themed = () => document.documentElement.dataset.theme ?? "auto";
function nextTheme() {
  const chosen = THEMES[(THEMES.indexOf(themed()) + 1) % THEMES.length];
  if (chosen === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
  try {
    localStorage.setItem("theme", chosen);
  } catch {
    // storage is off: it holds until the page is left
  }
  tellTheme();
}
function tellTheme() {
  const button = $("#theme");
  button.textContent = { auto: "◐", light: "☀", dark: "☾" }[themed()];
  button.setAttribute("aria-label", `Theme: ${themed()}. Change it`);
  button.title = `Theme: ${themed()}`;
}

// --- clicks and keys ---

const own = {
  skip: () => $("#main").focus(),
  theme: nextTheme,
  more: (pages) => setQuery({ pages }),
  span: (span) => setQuery({ span }),
  window: (chosen) => setQuery({ window: chosen }),
};

document.addEventListener("click", (event) => {
  const target = event.target.closest?.("[data-do], [data-go]");
  if (!target) return;
  if (target.dataset.go) {
    location.hash = target.dataset.go;
    return;
  }
  event.preventDefault();
  const act = own[target.dataset.do] ?? actions[target.dataset.do];
  attempt(() => act(target.dataset.arg));
});
document.addEventListener("change", (event) => event.target.dataset?.filter && setQuery({ [event.target.dataset.filter]: event.target.value.trim(), pages: "" }));
document.addEventListener("submit", (event) => event.target.matches(".filters") && event.preventDefault());
let typing = 0;
document.addEventListener("input", ({ target }) => {
  if (target.type !== "search" || !target.dataset.filter) return;
  clearTimeout(typing);
  typing = setTimeout(() => setQuery({ [target.dataset.filter]: target.value.trim() }), 250);
});
for (const type of ["pointerover", "pointerout"]) {
  document.addEventListener(type, (event) => {
    const say = event.target.dataset?.say;
    const readout = say && event.target.closest("figure, .body")?.querySelector(".readout");
    if (!readout) return;
    if (readout.dataset.rest === undefined) readout.dataset.rest = readout.textContent;
    readout.firstChild.nodeValue = type === "pointerover" ? say : readout.dataset.rest;
  });
}

// --- the bar ---

const LINK_WORDS = { live: "live", polling: "polling", connecting: "connecting" };
function tellMode(changed) {
  mode = changed;
  const pill = $("#link");
  if (pill.textContent !== LINK_WORDS[mode]) pill.textContent = LINK_WORDS[mode];
  pill.className = `pill ${mode}`;
  pill.title = mode === "live" ? "Changes are shown as they happen" : "No event stream: asked every few seconds";
}

function tellHealth() {
  const verdict = isReached() ? (health().data?.status ?? "…") : "unreachable";
  const pill = $("#verdict");
  pill.textContent = verdict;
  pill.className = `pill ${{ healthy: "ok", degraded: "warn", unhealthy: "bad", unreachable: "bad" }[verdict] ?? ""}`;
  pill.setAttribute("aria-label", `Health: ${verdict}`);
}

function tellNow() {
  const at = new Date(now());
  const node = $("#now");
  node.textContent = `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:${two(at.getUTCSeconds())} UTC`;
  node.dateTime = at.toISOString();
  node.title = `${at.toLocaleString()} (local)`;
}

document.addEventListener("signedout", () => {
  if ($("#signin")) return;
  const dialog = h("dialog", { id: "signin", "aria-labelledby": "signin-title" },
    h("h2", { id: "signin-title" }, "Sign in"), h("p", null, "The daemon does not know this browser (any more). On its machine, run"),
    h("pre", { tabindex: "0", role: "region", "aria-label": "Command" }, "launchd dashboard"), h("p", null, "and open the link that it prints."),
    h("div", { class: "choices" }, h("button", { type: "button", class: "primary", "data-do": "reload" }, "Try again")));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
});
own.reload = () => location.reload();

addEventListener("hashchange", show);
document.addEventListener("reach", tellHealth);
tellTheme();
health().watch(tellHealth);
startTicking(() => (tellNow(), keepFresh(mode === "live" ? "live" : "polling")));
// Questions first, then what already stands in the page is painted, and only then the rest is made.
const first = route(), view = asked(first);
health().ensure(0);
await painted();
if (!shown.route) draw(first, view); // unless somebody has gone elsewhere meanwhile
new Live({ heard: (type) => happened(type.split(".")[0]), state: tellMode, resync }).run();
