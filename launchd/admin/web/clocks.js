// Times as elements: `<time>` with the local time in its title, kept up to date once a second where its text changes.
import { h } from "./dom.js";
import { ago, clock, countdown, counted, isExact, isTime, netText, now } from "./time.js";

const LOCAL = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
const KINDS = {
  clock,
  minute: (instant) => clock(instant, { seconds: false }),
  hour: (instant) => `~${clock(instant, { seconds: false })}`,
  ago,
  until: ago,
  countdown: (instant) => countdown(instant),
  hours: (instant) => countdown(instant, { toTheHour: true }),
  since: (instant) => counted((now() - Date.parse(instant)) / 1000),
};
const STILL = new Set(["clock", "minute", "hour"]);

/** A `<time>` of one of KINDS. A missing time is a dash. */
export function time(instant, kind = "clock", props = {}) {
  if (!instant || !isTime(instant)) return h("span", { class: "faint" }, instant || "–");
  const exact = new Date(instant);
  const utc = exact.toISOString().replace("T", " ").replace(/\.\d+Z|Z/, "");
  const title = `${LOCAL.format(exact)} (local)\n${utc} UTC`;
  const ticking = STILL.has(kind) ? {} : { "data-tick": kind };
  return h("time", { datetime: instant, title, ...ticking, ...props }, KINDS[kind](instant));
}

/** A NET, never finer than its precision. */
export function net(launch) {
  const text = netText(launch), precision = launch.net_precision;
  if (!launch.net || !isTime(launch.net)) return h("span", { class: "faint" }, text);
  if (isExact(launch)) return time(launch.net, { minute: "minute", hour: "hour" }[precision] ?? "clock");
  return h("time", { datetime: launch.net, title: `precise to the ${precision}` }, text);
}

/** The time until a launch whose NET is exact, never finer than its precision. */
export const lead = (launch, props) =>
  time(launch.net, launch.net_precision === "hour" ? "hours" : "countdown", props);

/** Update every ticking time once a second, then call `each`. */
export function startTicking(each) {
  const beat = () => {
    for (const node of document.querySelectorAll("[data-tick]")) {
      const text = KINDS[node.dataset.tick](node.getAttribute("datetime"));
      if (node.textContent === text) continue;
      if (node.firstChild) node.firstChild.nodeValue = text;
      else node.textContent = text;
    }
    each();
    setTimeout(beat, 1000 - (now() % 1000) + 5);
  };
  beat();
}
