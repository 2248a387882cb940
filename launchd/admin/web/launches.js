// Launches: the next ones with countdown and slips, the list, the page of one with its sources; and the sources.
import { get } from "./api.js";
import { lead, net, time } from "./clocks.js";
import { nextLaunches, pages, sources } from "./data.js";
import { h } from "./dom.js";
import { at } from "./http.js";
import { badge, button, empty, facts, faint, link, list, more, panel, state, table, withTimes } from "./parts.js";
import { MOST_PAGES, resource } from "./resource.js";
import { count, isExact, roughly } from "./time.js";
import { levelOf, spaced } from "./words.js";

const href = (launch) => `#/launches/${encodeURIComponent(launch.id)}`;
const where = (launch) => [launch.pad, launch.location?.name].filter(Boolean).join(", ");
const slipped = ({ slips }) =>
  slips?.count ? badge(`slipped ${slips.count}×, ${roughly(slips.total)}`, "warn", slips.summary) : null;

/** The next launches. The soonest one with an exact NET is drawn large, with its countdown. */
export const nextPanel = () =>
  panel({
    title: "Next launches",
    of: [nextLaunches()],
    area: "next",
    lines: 18,
    tools: () => link("#/launches", "All launches"),
    draw: ({ items: launches }) => {
      if (!launches.length) return empty("No launches yet.", button("Refresh sources", "refresh-sources"));
      const first = launches.find(isExact) ?? launches[0];
      const others = launches.filter((one) => one !== first).slice(0, 5);
      return [hero(first), h("ol", { class: "coming" }, others.map(coming))];
    },
  });

function hero(launch) {
  const exact = isExact(launch);
  return h("article", { class: "hero", "data-key": "hero" },
    h("p", { class: "count" }, exact ? lead(launch) : net(launch)),
    h("h3", null, link(href(launch), launch.name)),
    h("p", { class: "faint" }, [launch.provider, where(launch)].filter(Boolean).join(" · ") || "Location unknown."),
    h("p", { class: "row" },
      state(launch.status), exact ? h("span", null, net(launch), " UTC") : null, slipped(launch)));
}

const coming = (launch) =>
  h("li", { "data-key": launch.id },
    h("span", { class: "grow" },
      link(href(launch), launch.name), h("span", { class: "row small" }, state(launch.status), slipped(launch))),
    h("span", { class: "right" },
      isExact(launch) ? lead(launch, { class: "num" }) : h("span", { class: "num" }, net(launch)),
      h("span", { class: "faint small" }, launch.provider ?? "")));

const PAGE = 50;
const STATUSES = ["go", "tbc", "tbd", "hold", "in_flight", "success", "partial_failure", "failure", "cancelled"];
const FILTERS = [
  { name: "when", label: "Time", options: [["", "Upcoming"], ["past", "Past"]] },
  { name: "status", label: "Status", options: [["", "Any status"], ...STATUSES.map((one) => [one, spaced(one)])] },
  { name: "q", label: "Search", search: true },
];

export function launchesView(_arg, query) {
  const wanted = { when: query.when ?? "upcoming", status: query.status, q: query.q, limit: PAGE, slips: true };
  const many = Math.min(Number(query.pages) || 1, MOST_PAGES);
  const name = `launches?${new URLSearchParams({ ...query, pages: many })}`;
  const load = () => pages("/v1/launches", wanted, many);
  return {
    title: "Launches",
    filters: FILTERS,
    panels: [panel({
      title: wanted.when === "past" ? "Past launches" : "Upcoming launches",
      of: [resource(name, load, ["launch", "source"], { live: 60, polling: 20 })],
      lines: 12,
      tools: ({ items, next }) => faint(next ? `first ${count(items.length)}` : `${count(items.length)} launches`),
      draw: ({ items, next }) => (items.length
        ? [table("Launches", LAUNCH_COLUMNS, items, (one) => one.id), more(next, many)]
        : empty("No launch matches these filters.")),
    })],
  };
}

const place = (one) =>
  where(one) ? h("span", { class: "wide" }, one.provider ? " · " : "", where(one)) : null;
const launchCell = (one) => [
  link(href(one), one.name),
  h("span", { class: "under" }, one.provider, place(one)),
  h("span", { class: "row small narrow-only" }, state(one.status), slipped(one)),
];
const netCell = (one) => [net(one), isExact(one) ? h("span", { class: "under" }, lead(one)) : null];
const LAUNCH_COLUMNS = [
  { name: "NET (UTC)", class: "num when", cell: netCell },
  { name: "Launch", class: "main", cell: launchCell },
  { name: "Status", class: "tight wide", cell: (one) => state(one.status) },
  { name: "Slips", class: "tight wide", cell: (one) => slipped(one) ?? faint("–") },
  { name: "Sources", class: "wide num right",
    cell: (one) => h("span", { title: one.sources.join(", ") }, one.sources.length) },
];

// --- one launch ---

export function launchView(id) {
  const periods = { live: 60, polling: 20 };
  const found = resource(`launch:${id}`, () => get(at`/v1/launches/${id}`), ["launch", "source"], periods);
  const of = [found];
  return {
    title: () => found.data?.name ?? "Launch",
    needs: of,
    back: ["#/launches", "Launches"],
    layout: "detail",
    columns: [[
      panel({ title: "Launch", main: true, of, lines: 10, draw: launchFacts }),
      panel({ title: "Conflicts", of, lines: 2, draw: drawConflicts }),
    ], [
      panel({ title: "Source records", of, lines: 4, draw: ({ sightings }) =>
        table("Source records", SIGHTINGS, sightings, (one) => `${one.source} ${one.source_id}`) }),
      panel({ title: "History", of, lines: 4, draw: drawHistory }),
    ]],
  };
}

function drawConflicts({ conflicts }) {
  if (!conflicts.length) return empty("No conflicts: the sources agree.");
  return h("ul", { class: "plain" }, conflicts.map((one) =>
    h("li", { "data-key": `${one.kind}${one.other_id}` }, badge(one.kind, "warn"), " ", valuesOf(one))));
}

function drawHistory({ history, slips }) {
  const newest = [...history].reverse();
  return [
    h("p", { class: "lead" }, `It ${slips.summary}.`),
    history.length
      ? table("Changes, newest first", HISTORY, newest, (one) => `${one.seen_at} ${one.field} ${one.new}`)
      : empty("No changes since the launch was first seen."),
  ];
}

const verbal = (value) => (typeof value === "string" ? value : JSON.stringify(value));
const valuesOf = ({ values }) => Object.entries(values ?? {}).map(([source, value]) =>
  h("span", { class: "said" }, `${source}: `, h("b", null, verbal(value))));

const windowOf = (one) =>
  h("span", null, time(one.window_start, "minute"), " – ", time(one.window_end, "minute"));
const precision = (one) => (one.net_precision ? faint(` precise to the ${one.net_precision}`) : null);
const launchFacts = (one) => [
  isExact(one) ? h("p", { class: "count" }, lead(one)) : null,
  h("p", { class: "row" }, state(one.status), slipped(one)),
  facts([
    ["NET", h("span", null, net(one), isExact(one) ? " UTC" : null, precision(one))],
    ["Window", one.window_start && windowOf(one)],
    ["Provider", from(one, "provider")],
    ["Vehicle", from(one, "vehicle")],
    ["Mission", from(one, "mission")],
    ["Orbit", from(one, "orbit")],
    ["Pad", from(one, "pad")],
    ["Location", one.location?.name],
    ["Designator", from(one, "designator")],
    ["Links", one.urls?.length ? one.urls.map(outward) : null, true],
    ["Updated", time(one.updated_at, "ago")],
  ]),
];

/** The value of a field; its title names the source that it comes from. */
const from = (one, field) =>
  one[field] && h("span", { title: one.provenance[field] ? `from ${one.provenance[field].source}` : null }, one[field]);

const outward = (url) => h("a", { href: url, rel: "noopener noreferrer", class: "said" }, hostOf(url));
function hostOf(url) {
  try {
    return new URL(url).host;
  } catch {
    return String(url);
  }
}

const value = (text) => (text === null ? faint("none") : withTimes(text, "minute"));

const SIGHTINGS = [
  { name: "Source", class: "tight", cell: (one) => one.source },
  { name: "Name", class: "main", cell: (one) => one.name },
  { name: "NET", class: "num when", cell: net },
  { name: "Status", class: "wide", cell: (one) => one.status_word ?? one.status ?? faint("–") },
  { name: "Last seen", class: "wide num", cell: (one) => time(one.seen_at, "ago") },
];
const HISTORY = [
  { name: "Seen", class: "num when", cell: (one) => time(one.seen_at) },
  { name: "Field", class: "tight", cell: (one) => spaced(one.field) },
  { name: "Change", class: "rest",
    cell: (one) => [h("span", { class: "faint" }, value(one.old)), " → ", value(one.new)] },
  { name: "Source", class: "wide", cell: (one) => one.source ?? faint("–") },
];

// --- sources ---

function circuit({ enabled, last_attempt: asked, error, circuit: { state: now } }) {
  if (!enabled) return state("off");
  if (!asked) return state("off", "no request yet");
  return error && now === "closed" ? state("degraded", "failing") : state(now);
}
const sourceCell = (one) => [
  one.title ?? one.name,
  h("span", { class: "narrow-only" }, circuit(one)),
  one.error ? h("span", { class: "under bad-text", title: one.error }, one.error) : null,
];
function refreshCell({ enabled, name, title }) {
  const props = { class: "small", "aria-label": `Refresh ${title ?? name}` };
  return enabled && button("Refresh", "refresh-sources", name, props);
}
const rejected = (one) => h("span", { class: levelOf(one.rejected ? "degraded" : "off") }, count(one.rejected));
const SOURCE_COLUMNS = [
  { name: "Source", class: "main", cell: sourceCell },
  { name: "State", class: "tight wide", cell: circuit },
  { name: "Last success", class: "num when",
    cell: (one) => (one.last_success ? time(one.last_success, "ago") : faint("never")) },
  { name: "Next attempt", class: "wide num", cell: (one) => time(one.circuit.retry_at, "until") },
  { name: "Records", class: "wide num right", cell: (one) => count(one.records) },
  { name: "Rejected", class: "wide num right", cell: rejected },
  { name: "", class: "acts", cell: refreshCell },
];

const sourceRow = (one) => ({
  key: one.name,
  main: [one.title ?? one.name],
  side: [circuit(one)],
  under: [
    one.last_success ? ["last success ", time(one.last_success, "ago")] : "no success yet",
    one.error ? h("span", { class: "bad-text clamp" }, withTimes(one.error)) : null,
  ],
});

/** The enabled sources, those with an error first. */
export const freshnessPanel = () =>
  panel({
    title: "Sources",
    of: [sources()],
    area: "sources",
    lines: 8,
    tools: () => link("#/sources", "All"),
    draw: ({ items }) => {
      const enabled = items.filter((one) => one.enabled).sort((a, b) => Boolean(b.error) - Boolean(a.error));
      return enabled.length ? list(enabled.map(sourceRow)) : empty("Every source is disabled.");
    },
  });

const CONFLICTS = [
  { name: "Launch", class: "main", cell: (one) => link(href(one.launch), one.launch.name) },
  { name: "Kind", class: "tight", cell: (one) => badge(one.kind, "warn") },
  { name: "Values", class: "wide",
    cell: (one) => (one.other ? link(href(one.other), one.other.name ?? one.other.id) : valuesOf(one)) },
  { name: "Since", class: "num when", cell: (one) => time(one.since, "ago") },
];

export function sourcesView() {
  const load = () => get("/v1/conflicts", { limit: 50 });
  const refresh = () => button("Refresh all", "refresh-sources", undefined, { class: "primary small" });
  return {
    title: "Sources",
    panels: [
      panel({ title: "Sources", of: [sources()], lines: 16, tools: refresh,
        draw: ({ items }) => table("Sources", SOURCE_COLUMNS, items, (one) => one.name) }),
      panel({
        title: "Open conflicts",
        of: [resource("conflicts", load, ["launch", "source"], { live: 60, polling: 30 })],
        lines: 4,
        draw: ({ items }) => (items.length
          ? table("Conflicts", CONFLICTS, items, (one) => `${one.launch.id} ${one.kind} ${one.other?.id}`)
          : empty("No conflicts: the sources agree.")),
      }),
    ],
  };
}
