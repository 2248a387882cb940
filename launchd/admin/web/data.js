// What the page knows: one Resource for each question that is put to the daemon. Views say which they show; only those
// are kept fresh. An event touches the resources of its noun; touches are gathered, so a thousand events are one request.
import { get } from "./api.js";

const GATHER_MS = 250, GAP_MS = 1000;
// Answers to questions that no view puts any more are forgotten beyond so many.
const MOST_KEPT = 60;

export class Resource {
  /**
   * `load` asks; `topics` are nouns of events that make the answer old; `every` {live, polling} is in seconds; `gap`
   * is the least between two requests that nobody asked for: larger for large answers.
   */
  constructor(load, topics, every = {}) {
    Object.assign(this, { load, topics, data: undefined, error: null, at: 0, asked: 0, busy: null, again: false, timer: 0 });
    const { gap = GAP_MS, ...periods } = every;
    this.gap = gap;
    this.every = { live: 30, polling: 4, ...periods };
    this.watchers = new Set();
  }

  /** Draw now and at each change; returns how to stop. */
  watch(draw) {
    this.watchers.add(draw);
    return () => {
      this.watchers.delete(draw);
      if (!this.watchers.size) clearTimeout(this.timer), (this.timer = 0);
    };
  }

  /** Ask now; those who ask meanwhile share one more request after it. */
  refresh() {
    clearTimeout(this.timer);
    this.timer = 0;
    if (this.busy) {
      this.again = true;
      return this.busy;
    }
    this.asked = Date.now();
    this.busy = this.ask().finally(() => {
      this.busy = null;
      if (this.again) (this.again = false), this.touch();
    });
    return this.busy;
  }

  /** Ask unless that has been done since an instant: panels that share it ask once. */
  ensure(since) {
    if (this.asked < since) this.refresh();
  }

  async ask() {
    try {
      this.data = await this.load();
      this.error = null;
      this.at = Date.now();
    } catch (error) {
      this.error = error;
    }
    for (const draw of [...this.watchers]) draw();
  }

  /** Something happened to it: ask soon, but not more often than its gap. */
  touch() {
    if (!this.watchers.size || this.timer) return;
    const pause = Math.max(GATHER_MS, this.asked + this.gap - Date.now());
    this.timer = setTimeout(() => this.refresh(), pause);
  }

  /** Whether it is time to ask again without any sign. */
  isOld(mode) {
    const every = typeof this.every[mode] === "function" ? this.every[mode](this.data) : this.every[mode];
    return !this.busy && !this.timer && Date.now() - this.asked >= every * 1000;
  }
}

// The most pages of a list that stand below each other.
export const MOST_PAGES = 10;

/** The first pages of a list, as one: {items, next}. */
export async function pages(path, asked, wanted) {
  let cursor = null;
  const items = [];
  for (let page = 0; page < wanted; page++) {
    const found = await get(path, { ...asked, cursor });
    items.push(...found.items);
    cursor = found.next;
    if (!cursor) break;
  }
  return { items, next: cursor };
}

const all = new Map();

/** The resource of this name, made at first use; all that ask for it share it. */
export function resource(name, load, topics, every) {
  if (all.size > MOST_KEPT) for (const [old, one] of all) if (!one.watchers.size && !one.busy) all.delete(old);
  if (!all.has(name)) all.set(name, new Resource(load, topics, every));
  return all.get(name);
}

const watched = () => [...all.values()].filter((one) => one.watchers.size);

/** An event of this noun ("job", "lock" …) has come. */
export function happened(noun) {
  for (const one of watched()) if (one.topics.includes(noun) || one.topics.includes("*")) one.touch();
}

/** All that is shown may be old. */
export function resync() {
  for (const one of watched()) one.touch();
}

/** Somebody wants to see all of it now. */
export function refreshAll() {
  for (const one of watched()) one.refresh();
}

/** Called each second: ask for what is due. `mode` is live or polling. */
export function keepFresh(mode) {
  if (document.hidden) return;
  for (const one of watched()) if (one.isOld(mode)) one.refresh();
}

// --- what several views ask for ---

export const status = () => resource("status", () => get("/v1/status"), ["job", "queue", "schedule", "fire"], { live: 10, polling: 2 });
export const health = () => resource("health", () => get("/v1/health"), ["health", "source", "lock"], { live: 15, polling: 8 });
export const schedules = () => resource("schedules", () => get("/v1/schedules"), ["schedule", "fire", "config"], { live: 30, polling: 4 });
export const locks = () => resource("locks", () => get("/v1/locks"), ["lock", "job"], { live: 10, polling: 3 });
export const sources = () => resource("sources", () => get("/v1/sources"), ["source", "launch"], { live: 20, polling: 8 });
export const tasks = () => resource("tasks", () => get("/v1/tasks"), ["config"], { live: 300, polling: 300 });

export const nextLaunches = () =>
  resource("next", () => get("/v1/launches", { when: "upcoming", limit: 6, slips: true }), ["launch", "source"], { live: 60, polling: 30 });
