// Times and figures as text. All times are UTC. Pure: no document is needed, so Node can test this module.
// `now` follows the daemon's clock instead of this machine's, once an answer has shown the difference.

const DAY = 86400;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
// A smaller difference between the clocks is ignored: the Date header has whole seconds, and answers take some time.
const TOLERATED_MS = 2500;
let offset = 0;

/** Learn the daemon's time from the Date header of an answer that has just arrived. */
export function setClock(header) {
  const difference = Date.parse(header ?? "") - Date.now();
  if (Number.isFinite(difference)) offset = Math.abs(difference) > TOLERATED_MS ? difference : 0;
}

/** Milliseconds since the epoch, by the daemon's clock. */
export const now = () => Date.now() + offset;
export const two = (number) => String(Math.trunc(number)).padStart(2, "0");

/** A duration in its two largest units: "820 ms", "4.2 s", "3 m 05 s", "2 h 10 m", "3 d 4 h". */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "–";
  const span = Math.max(seconds, 0);
  if (span === 0) return "0 s";
  if (span < 0.9995) return `${span < 0.01 ? Math.round(span * 1e4) / 10 : Math.round(span * 1000)} ms`;
  if (span < 9.95 && !Number.isInteger(span)) return `${span.toFixed(1)} s`;
  const whole = Math.round(span);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} m ${two(whole % 60)} s`;
  if (whole < DAY) return `${Math.floor(whole / 3600)} h ${two((whole % 3600) / 60)} m`;
  return `${Math.floor(whole / DAY)} d ${Math.floor((whole % DAY) / 3600)} h`;
}

/** A running duration in whole seconds: fractions would flicker. */
export const counted = (seconds) => duration(Math.floor(Math.max(seconds, 0)));

const ROUGH = [[DAY, "d"], [3600, "h"], [60, "m"], [1, "s"], [0.001, "ms"]];
/** A duration in its largest unit: "30 m", "6 h", "3 d". */
export function roughly(seconds) {
  const [unit, name] = ROUGH.find(([size]) => seconds >= size * 0.95) ?? ROUGH.at(-1);
  return `${Math.round(seconds / unit)} ${name}`;
}

const hoursAndMinutes = (at) => `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}`;

/** True if the text is a time. The daemon sends "unreadable" for a stored time that it cannot read; we show that. */
export const isTime = (instant) => Number.isFinite(new Date(instant).getTime());

/** Date and time of day to the minute; the year only if it differs from the current one. */
export function stamp(instant) {
  if (!isTime(instant)) return String(instant);
  const at = new Date(instant);
  const year = at.getUTCFullYear() === new Date(now()).getUTCFullYear() ? "" : ` ${at.getUTCFullYear()}`;
  return `${at.getUTCDate()} ${MONTHS[at.getUTCMonth()]}${year} ${hoursAndMinutes(at)}`;
}

/** The time of day; for another day than today, the date too. */
export function clock(instant, { seconds = true } = {}) {
  if (!isTime(instant)) return String(instant);
  const at = new Date(instant);
  if (at.toISOString().slice(0, 10) !== new Date(now()).toISOString().slice(0, 10)) return stamp(instant);
  return hoursAndMinutes(at) + (seconds ? `:${two(at.getUTCSeconds())}` : "");
}

/** "T−2 d 04:11:09" before, "T+00:10:00" after; with `toTheHour` "T−2 d 4 h". */
export function countdown(instant, { toTheHour = false } = {}) {
  if (!isTime(instant)) return String(instant);
  const left = Math.floor((Date.parse(instant) - now()) / 1000);
  const span = Math.abs(left);
  const days = Math.floor(span / DAY), hours = (span % DAY) / 3600;
  const rest = toTheHour ? `${Math.trunc(hours)} h` : `${two(hours)}:${two((span % 3600) / 60)}:${two(span % 60)}`;
  return `T${left >= 0 ? "−" : "+"}${days ? `${days} d ` : ""}${rest}`;
}

/** "in 2 h 10 m" before, "3 m 05 s ago" after. */
export function ago(instant) {
  const seconds = (now() - Date.parse(instant)) / 1000;
  return seconds < 0 ? `in ${counted(-seconds)}` : seconds < 1 ? "just now" : `${counted(seconds)} ago`;
}

const VAGUE = {
  day: (at) => `${at.getUTCDate()} ${MONTHS[at.getUTCMonth()]} ${at.getUTCFullYear()}`,
  week: (at) => `week of ${at.getUTCDate()} ${MONTHS[at.getUTCMonth()]} ${at.getUTCFullYear()}`,
  month: (at) => `${MONTHS[at.getUTCMonth()]} ${at.getUTCFullYear()}`,
  quarter: (at) => `Q${Math.floor(at.getUTCMonth() / 3) + 1} ${at.getUTCFullYear()}`,
  half: (at) => `H${at.getUTCMonth() < 6 ? 1 : 2} ${at.getUTCFullYear()}`,
  year: (at) => String(at.getUTCFullYear()),
  decade: (at) => `${Math.floor(at.getUTCFullYear() / 10) * 10}s`,
};

/** True if the NET is known to the hour or finer, so that a countdown makes sense. */
export const isExact = (launch) => Boolean(launch.net) && isTime(launch.net) && !VAGUE[launch.net_precision];

/** The text of a NET, never finer than its precision. */
export function netText({ net, net_precision: precision }) {
  if (!net || !isTime(net)) return net || "unknown";
  const vague = VAGUE[precision];
  if (vague) return vague(new Date(net));
  return `${precision === "hour" ? "~" : ""}${clock(net, { seconds: !["minute", "hour"].includes(precision) })}`;
}

const COUNT = new Intl.NumberFormat("en");
export const count = (number) => (Number.isFinite(number) ? COUNT.format(number) : "–");
export const percent = (share) =>
  Number.isFinite(share) ? `${(share * 100).toFixed(share > 0.999 || share === 0 ? 0 : 1)} %` : "–";

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];
export function bytes(number) {
  if (!Number.isFinite(number)) return "–";
  const step = number < 1 ? 0 : Math.min(Math.floor(Math.log2(number) / 10), UNITS.length - 1);
  const shown = number / 2 ** (10 * step);
  return `${shown < 10 && step ? shown.toFixed(1) : Math.round(shown)} ${UNITS[step]}`;
}
