// Launches: what is next with its countdown and slips, the list, one launch with where each fact comes from.
import { at, get } from "./api.js";
import { MOST_PAGES, nextLaunches, pages, resource, sources } from "./data.js";
import { h } from "./dom.js";
import { badge, button, empty, facts, faint, levelOf, link, list, more, panel, state, table, told } from "./parts.js";
import { count, isExact, lead, net, roughly, time } from "./time.js";

const href = (launch) => `#/launches/${encodeURIComponent(launch.id)}`;
const where = (launch) => [launch.pad, launch.location?.name].filter(Boolean).join(", ");
const slipped = ({ slips }) =>
  slips?.count ? badge(`slipped ${slips.count}×, ${roughly(slips.total)}`, "warn", slips.summary) : null;

/** The next launches; the soonest one that can be counted down to stands large. */
export const nextPanel = () =>
  panel({
    title: "Next launches",
    of: [nextLaunches()],
    area: "next",
    lines: 18,
    tools: () => link("#/launches", "All launches"),
    draw: ({ items: launches }) => {
      if (!launches.length) return empty("No launch is known yet.", button("Refresh sources", "refresh-sources"));
      const first = launches.find(isExact) ?? launches[0];
      return [hero(first), h("ol", { class: "coming" }, launches.filter((one) => one !== first).slice(0, 5).map(coming))];
    },
  });

function hero(launch) {
  return h("article", { class: "hero", "data-key": "hero" },
    h("p", { class: "count" }, isExact(launch) ? lead(launch) : net(launch)),
    h("h3", null, link(href(launch), launch.name)),
    h("p", { class: "faint" }, [launch.provider, where(launch)].filter(Boolean).join(" · ") || "No place is known."),
    h("p", { class: "row" }, state(launch.status), isExact(launch) ? h("span", null, net(launch), " UTC") : null, slipped(launch)));
}

const coming = (launch) =>
  h("li", { "data-key": launch.id },
    h("span", { class: "grow" }, link(href(launch), launch.name), h("span", { class: "row small" }, state(launch.status), slipped(launch))),
    h("span", { class: "right" }, isExact(launch) ? lead(launch, { class: "num" }) : h("span", { class: "num" }, net(launch)),
      h("span", { class: "faint small" }, launch.provider ?? "")));

const PAGE = 50;
const STATUSES = ["go", "tbc", "tbd", "hold", "in_flight", "success", "partial_failure", "failure", "cancelled"];

export function launchesView(_arg, query) {
  const asked = { when: query.when ?? "upcoming", status: query.status, q: query.q, limit: PAGE, slips: true };
  const many = Math.min(Number(query.pages) || 1, MOST_PAGES);
  const name = `launches?${new URLSearchParams({ ...query, pages: many })}`;
  const found = resource(name, () => pages("/v1/launches", asked, many), ["launch", "source"], { live: 60, polling: 20 });
  return {
    title: "Launches",
    filters: [
      { name: "when", label: "When", options: [["", "Upcoming"], ["past", "Past"]] },
      { name: "status", label: "Status", options: [["", "Any status"], ...STATUSES.map((one) => [one, one.replaceAll("_", " ")])] },
      { name: "q", label: "Search", search: true },
    ],
    panels: [panel({
      title: asked.when === "past" ? "Past launches" : "Upcoming launches",
      of: [found],
      lines: 12,
      tools: ({ items, next }) => faint(next ? `the first ${count(items.length)}` : `${count(items.length)} launches`),
      draw: ({ items, next }) => (items.length ? [table("Launches", LAUNCH_COLUMNS, items, (one) => one.id), more(next, many)] : empty("No launch fits.")),
    })],
  };
}

const LAUNCH_COLUMNS = [
  { name: "NET (UTC)", class: "num when", cell: (one) => [net(one), isExact(one) ? h("span", { class: "under" }, lead(one)) : null] },
  { name: "Launch", class: "main", cell: (one) => [link(href(one), one.name), h("span", { class: "under" }, one.provider, where(one) ? h("span", { class: "wide" }, one.provider ? " · " : "", where(one)) : null), h("span", { class: "row small narrow-only" }, state(one.status), slipped(one))] },
  { name: "Status", class: "tight wide", cell: (one) => state(one.status) },
  { name: "Slips", class: "tight wide", cell: (one) => slipped(one) ?? faint("–") },
  { name: "Sources", class: "wide num right", cell: (one) => h("span", { title: one.sources.join(", ") }, one.sources.length) },
];

export function launchView(id) {
  const found = resource(`launch:${id}`, () => get(at`/v1/launches/${id}`), ["launch", "source"], { live: 60, polling: 20 });
  const of = [found];
  return {
    title: () => found.data?.name ?? "Launch",
    needs: of,
    back: ["#/launches", "Launches"],
    layout: "detail",
    columns: [[
      panel({ title: "Launch", main: true, of, lines: 10, draw: launchFacts }),
      panel({ title: "Disagreements", of, lines: 2, draw: ({ conflicts }) =>
        conflicts.length ? h("ul", { class: "plain" }, conflicts.map((one) => h("li", { "data-key": `${one.kind}${one.other_id}` }, badge(one.kind, "warn"), " ", valuesOf(one)))) : empty("The sources agree.") }),
    ], [
      panel({ title: "What each source says", of, lines: 4, draw: ({ sightings }) => table("Sightings", SIGHTINGS, sightings, (one) => `${one.source} ${one.source_id}`) }),
      panel({ title: "History", of, lines: 4, draw: ({ history, slips }) => [
        h("p", { class: "lead" }, `It ${slips.summary}.`),
        history.length ? table("Changes, newest first", HISTORY, [...history].reverse(), (one) => `${one.seen_at} ${one.field} ${one.new}`) : empty("Nothing has changed since it was first seen.")] }),
    ]],
  };
}

const valuesOf = ({ values }) => Object.entries(values ?? {}).map(([source, value]) => h("span", { class: "said" }, `${source}: `, h("b", null, typeof value === "string" ? value : JSON.stringify(value))));

const launchFacts = (one) => [
  isExact(one) ? h("p", { class: "count" }, lead(one)) : null,
  h("p", { class: "row" }, state(one.status), slipped(one)),
  facts([
    ["NET", h("span", null, net(one), isExact(one) ? " UTC" : null, one.net_precision ? faint(` to the ${one.net_precision}`) : null)],
    ["Window", one.window_start && h("span", null, time(one.window_start, "minute"), " – ", time(one.window_end, "minute"))],
    ["Provider", from(one, "provider")],
    ["Vehicle", from(one, "vehicle")],
    ["Mission", from(one, "mission")],
    ["Orbit", from(one, "orbit")],
    ["Pad", from(one, "pad")],
    ["Place", one.location?.name],
    ["Designator", from(one, "designator")],
    ["Links", one.urls?.length ? one.urls.map((url) => h("a", { href: url, rel: "noopener noreferrer", class: "said" }, hostOf(url))) : null, true],
    ["Updated", time(one.updated_at, "ago")],
  ]),
];

const from = (one, field) =>
  one[field] && h("span", { title: one.provenance[field] ? `from ${one.provenance[field].source}` : null }, one[field]);

function hostOf(url) {
  try {
    return new URL(url).host;
  } catch {
    return String(url);
  }
}

const value = (text) => (text === null ? faint("nothing") : told(text, "minute"));

const SIGHTINGS = [
  { name: "Source", class: "tight", cell: (one) => one.source },
  { name: "Name there", class: "main", cell: (one) => one.name },
  { name: "NET", class: "num when", cell: net },
  { name: "Status", class: "wide", cell: (one) => one.status_word ?? one.status ?? faint("–") },
  { name: "Seen", class: "wide num", cell: (one) => time(one.seen_at, "ago") },
];
const HISTORY = [
  { name: "Seen", class: "num when", cell: (one) => time(one.seen_at) },
  { name: "Field", class: "tight", cell: (one) => one.field.replaceAll("_", " ") },
  { name: "Change", class: "rest", cell: (one) => [h("span", { class: "faint" }, value(one.old)), " → ", value(one.new)] },
  { name: "Source", class: "wide", cell: (one) => one.source ?? faint("–") },
];

// --- sources ---

const sourceTable = (columns) => ({ items }) => table("Sources", columns, items, (one) => one.name);
function circuit({ enabled, last_attempt: asked, error, circuit: { state: now } }) {
  if (!enabled) return state("off");
  if (!asked) return state("off", "not asked yet");
  return error && now === "closed" ? state("degraded", "failing") : state(now);
}
const SOURCE_NAME = { name: "Source", class: "main", cell: (one) => [one.title ?? one.name, h("span", { class: "narrow-only" }, circuit(one)), one.error ? h("span", { class: "under bad-text", title: one.error }, one.error) : null] };
const FRESH = { name: "Last answer", class: "num when", cell: (one) => (one.last_success ? time(one.last_success, "ago") : faint("never")) };
const CIRCUIT = { name: "State", class: "tight wide", cell: circuit };
const SOURCE_COLUMNS = [
  SOURCE_NAME, CIRCUIT, FRESH,
  { name: "Asked again", class: "wide num", cell: (one) => time(one.circuit.retry_at, "until") },
  { name: "Records", class: "wide num right", cell: (one) => count(one.records) },
  { name: "Refused", class: "wide num right", cell: (one) => h("span", { class: levelOf(one.rejected ? "degraded" : "off") }, count(one.rejected)) },
  { name: "", class: "acts", cell: (one) => one.enabled && button("Refresh", "refresh-sources", one.name, { class: "small", "aria-label": `Refresh ${one.title ?? one.name}` }) },
];

/** The sources that are asked, those in trouble first. */
export const freshnessPanel = () =>
  panel({
    title: "Sources",
    of: [sources()],
    area: "sources",
    lines: 8,
    tools: () => link("#/sources", "All"),
    draw: ({ items }) => {
      const asked = items.filter((one) => one.enabled).sort((a, b) => Boolean(b.error) - Boolean(a.error));
      return asked.length ? list(asked.map((one) => ({ key: one.name, main: [one.title ?? one.name], side: [circuit(one)], under: [one.last_success ? ["answered ", time(one.last_success, "ago")] : "has not answered yet", one.error ? h("span", { class: "bad-text clamp" }, told(one.error)) : null] }))) : empty("Every source is off.");
    },
  });

export const sourcesView = () => ({
  title: "Sources",
  panels: [
    panel({ title: "Sources", of: [sources()], lines: 16, tools: () => button("Refresh all", "refresh-sources", undefined, { class: "primary small" }), draw: sourceTable(SOURCE_COLUMNS) }),
    panel({
      title: "Open disagreements",
      of: [resource("conflicts", () => get("/v1/conflicts", { limit: 50 }), ["launch", "source"], { live: 60, polling: 30 })],
      lines: 4,
      draw: ({ items }) => (items.length ? table("Disagreements", CONFLICTS, items, (one) => `${one.launch.id} ${one.kind} ${one.other?.id}`) : empty("The sources agree.")),
    }),
  ],
});
const CONFLICTS = [
  { name: "Launch", class: "main", cell: (one) => link(href(one.launch), one.launch.name) },
  { name: "About", class: "tight", cell: (one) => badge(one.kind, "warn") },
  { name: "Said", class: "wide", cell: (one) => (one.other ? link(href(one.other), one.other.name ?? one.other.id) : valuesOf(one)) },
  { name: "Since", class: "num when", cell: (one) => time(one.since, "ago") },
];
