// Starts the page: which view the address names, keeping it fresh, and handing clicks to the actions.
import { actions } from "./actions.js";
import { signOut, whyAway } from "./api.js";
import { nextTheme, startBar, tellMode, tellNow } from "./bar.js";
import { chartsView } from "./charts.js";
import { happened, health, keepFresh, resync } from "./data.js";
import { attempt } from "./dialog.js";
import { $, h, render, soft } from "./dom.js";
import { failedPanel, jobView, jobsView, runningPanel } from "./jobs.js";
import { freshnessPanel, launchView, launchesView, nextPanel, sourcesView } from "./launches.js";
import { Live } from "./live.js";
import { link } from "./parts.js";
import { queuesPanel, queuesView, locksPanel, timelinePanel } from "./queues.js";
import { firesPanel, scheduleView, schedulesView } from "./schedules.js";
import { healthPanel, systemView, tilesPanel } from "./system.js";
import { startTicking } from "./time.js";

const overview = (_arg, query) => ({
  title: "Overview",
  layout: "overview",
  panels: [tilesPanel(), nextPanel(), queuesPanel(), timelinePanel(query.span)],
  columns: [[failedPanel(), locksPanel()], [runningPanel(), firesPanel()], [freshnessPanel(), healthPanel()]],
});
const VIEWS = {
  "": overview, launches: launchesView, jobs: jobsView, schedules: schedulesView, queues: queuesView, charts: chartsView, sources: sourcesView, system: systemView,
  "launches/": launchView, "jobs/": jobView, "schedules/": scheduleView,
};

// What is shown: written by `show` alone.
let shown = { route: null, panels: [], ends: [] };
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

/**
 * The view that an address names, with its questions on their way: {title, panels, columns, needs, filters, action, back,
 * layout}. Columns are lists of panels that stand below each other, so that a list that grows moves nothing beside it;
 * `needs` are the resources that the title (then a function) and the filters are made of.
 */
function asked(wanted) {
  const make = VIEWS[wanted.name], since = Date.now();
  const view = { panels: [], columns: [], needs: [], ...(make ? make(wanted.arg, wanted.query) : { title: "Nothing here", lost: true }) };
  for (const one of view.needs) one.ensure(since);
  for (const one of every(view)) one.ask(since);
  return view;
}

const every = ({ panels, columns }) => [...panels, ...columns.flat()];

function show() {
  const next = route(), view = asked(next); // on their way while all is drawn
  const same = shown.route && shown.route.path === next.path;
  for (const one of shown.panels) one.stop();
  for (const end of shown.ends) end();
  const main = $("#main");
  const { do: act, arg } = document.activeElement?.dataset ?? {};
  const head = h("div", { class: "head", "data-key": `head ${next.path}` });
  const filters = h("div", { "data-key": `filters ${next.path}` });
  const grid = h("div", { class: `grid ${view.layout ?? ""}`, "data-key": `grid ${next.path} ${++shows}` },
    view.panels.map((one) => one.node), view.columns.map((column) => h("div", { class: "column" }, column.map((one) => one.node))),
    view.lost ? h("p", { class: "empty" }, "There is no such page. ", link("#/", "Overview")) : null);
  render(main, head, filters, grid);
  const fill = () => fillHead(view);
  fill();
  shown = { route: next, panels: every(view), ends: view.needs.map((one) => one.watch(fill)) };
  for (const one of shown.panels) one.start();
  markNav(next.path.split("/")[0]);
  if (!same && shows > 1) {
    scrollTo(0, 0);
    main.focus({ preventScroll: true });
  } else if (same && act) {
    main.querySelector(`[data-do="${CSS.escape(act)}"][data-arg="${CSS.escape(arg ?? "")}"]`)?.focus({ preventScroll: true });
  }
}

/** Title and filters, which may depend on what is known by now. */
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
    if (here) one.setAttribute("aria-current", "page"), one.scrollIntoView({ block: "nearest", inline: "center" });
    else one.removeAttribute("aria-current");
  }
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

addEventListener("hashchange", show);
startBar();
startTicking(() => (tellNow(), keepFresh(mode === "live" ? "live" : "polling")));
health().ensure(0);
show();
const live = new Live({ heard: (type) => happened(type.split(".")[0]), state: (changed) => tellMode((mode = changed)), resync });
document.addEventListener("reach", () => whyAway() ?? live.wake());
live.run();
