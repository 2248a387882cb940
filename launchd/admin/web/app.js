// Starts the page: shows the view of the address, keeps it fresh, and passes clicks to the actions.
import { actions } from "./actions.js";
import { outage, signOut } from "./api.js";
import { nextTheme, showMode, showNow, startBar } from "./bar.js";
import { chartsView } from "./charts.js";
import { startTicking } from "./clocks.js";
import { health } from "./data.js";
import { attempt } from "./dialog.js";
import { $, h, render, soft } from "./dom.js";
import { parseRoute } from "./http.js";
import { failedPanel, jobView, jobsView, runningPanel } from "./jobs.js";
import { freshnessPanel, launchView, launchesView, nextPanel, sourcesView } from "./launches.js";
import { Live } from "./live.js";
import { empty, link } from "./parts.js";
import { queuesPanel, queuesView, locksPanel, timelinePanel } from "./queues.js";
import { happened, keepFresh, resync } from "./resource.js";
import { firesPanel, scheduleView, schedulesView } from "./schedules.js";
import { healthPanel, systemView, tilesPanel } from "./system.js";

const overview = (_arg, query) => ({
  title: "Overview",
  layout: "overview",
  panels: [tilesPanel(), nextPanel(), queuesPanel(), timelinePanel(query.span)],
  columns: [[failedPanel(), locksPanel()], [runningPanel(), firesPanel()], [freshnessPanel(), healthPanel()]],
});
const VIEWS = {
  "": overview, launches: launchesView, jobs: jobsView, schedules: schedulesView, queues: queuesView,
  charts: chartsView, sources: sourcesView, system: systemView,
  "launches/": launchView, "jobs/": jobView, "schedules/": scheduleView,
};
const lost = { title: "Page not found", lost: true };

// The view on the page: only `show` writes it.
let shown = { route: null, panels: [], ends: [] };
let mode = "connecting";

const route = () => parseRoute(location.hash);

/** Change parameters of the address; empty ones are removed. */
function setQuery(changes) {
  const { path, query } = route();
  const wanted = Object.entries({ ...query, ...changes }).filter(([, value]) => value);
  history.replaceState(null, "", `#/${path}${wanted.length ? `?${new URLSearchParams(wanted)}` : ""}`);
  show();
}

function filterBar(view, query) {
  if (!view.filters) return null;
  return h("form", { class: "filters", role: "search", "data-key": "filters" },
    view.filters.map((one) => filter(one, query[one.name] ?? "")));
}

function filter({ name, label, options, search }, chosen) {
  const typed = { type: "search", "data-filter": name, value: chosen, autocomplete: "off" };
  return h("label", { "data-key": name }, h("span", null, label),
    search ? h("input", typed) : h("select", { "data-filter": name }, choices(options, chosen)));
}

function choices(options, chosen) {
  const listed = typeof options === "function" ? options() : options;
  const known = listed.some(([value]) => value === chosen) ? listed : [...listed, [chosen, chosen]];
  return known.map(([value, text]) => h("option", { value, selected: value === chosen }, text));
}

let shows = 0;

/**
 * The view of a route, its requests already sent: {title, panels, columns, needs, filters, action, back, layout}.
 * A column is a list of panels below each other, so that a list that grows moves nothing beside it. The resources in
 * `needs` are those of the title (then a function) and of the filters.
 */
function viewOf(wanted) {
  const make = VIEWS[wanted.name], since = Date.now();
  const view = { panels: [], columns: [], needs: [], ...(make ? make(wanted.arg, wanted.query) : lost) };
  for (const one of view.needs) one.ensure(since);
  for (const one of every(view)) one.ask(since);
  return view;
}

const every = ({ panels, columns }) => [...panels, ...columns.flat()];

function show() {
  const next = route(), view = viewOf(next); // the requests run while the view is drawn
  const same = shown.route && shown.route.path === next.path;
  for (const one of shown.panels) one.stop();
  for (const end of shown.ends) end();
  const { do: act, arg } = document.activeElement?.dataset ?? {};
  draw(view, next.path);
  const fill = () => fillHead(view);
  fill();
  shown = { route: next, panels: every(view), ends: view.needs.map((one) => one.watch(fill)) };
  for (const one of shown.panels) one.start();
  markNav(next.path.split("/")[0]);
  const main = $("#main");
  if (!same && shows > 1) {
    scrollTo(0, 0);
    main.focus({ preventScroll: true });
  } else if (same && act) {
    const button = `[data-do="${CSS.escape(act)}"][data-arg="${CSS.escape(arg ?? "")}"]`;
    main.querySelector(button)?.focus({ preventScroll: true });
  }
}

function draw(view, path) {
  const nodes = (panels) => panels.map((one) => one.node);
  render($("#main"),
    h("div", { class: "head", "data-key": `head ${path}` }),
    h("div", { "data-key": `filters ${path}` }),
    h("div", { class: `grid ${view.layout ?? ""}`, "data-key": `grid ${path} ${++shows}` },
      nodes(view.panels), view.columns.map((column) => h("div", { class: "column" }, nodes(column))),
      view.lost ? empty("This page does not exist.", link("#/", "Go to the overview")) : null));
}

/** Draw the title and the filters, which can depend on data. */
function fillHead(view) {
  const title = typeof view.title === "function" ? view.title() : view.title;
  render($("#main > [data-key^=head]"), view.back ? h("p", { class: "crumb" }, link(...view.back)) : null,
    h("h1", null, soft(title)), view.action ? h("div", { class: "row" }, view.action) : null);
  render($("#main > [data-key^=filters]"), filterBar(view, route().query));
  document.title = `${title} · launchd`;
}

function markNav(noun) {
  for (const one of document.querySelectorAll("nav a")) {
    const here = one.getAttribute("href") === `#/${noun}`;
    if (here) one.setAttribute("aria-current", "page"), center(one);
    else one.removeAttribute("aria-current");
  }
}

/** Scroll the bar of views so that this link is in its middle. */
function center(one) {
  // not scrollIntoView: Chromium would then start the next Tab at this link and skip "Skip to content"
  const bar = one.parentNode;
  bar.scrollLeft = one.offsetLeft - bar.offsetLeft - (bar.clientWidth - one.offsetWidth) / 2;
}

// --- clicks and keys ---

const own = {
  skip: () => $("#main").focus(),
  theme: nextTheme,
  signout: signOut,
  reload: () => location.reload(),
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
document.addEventListener("change", ({ target }) => {
  if (target.dataset?.filter) setQuery({ [target.dataset.filter]: target.value.trim(), pages: "" });
});
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

addEventListener("hashchange", show);
startBar();
startTicking(() => {
  showNow();
  if (!document.hidden) keepFresh(mode === "live" ? "live" : "polling");
});
health().ensure(0);
show();
const live = new Live({
  heard: (type) => happened(type.split(".")[0]),
  state: (changed) => showMode((mode = changed)),
  resync,
});
document.addEventListener("reach", () => outage() ?? live.wake());
live.run();
