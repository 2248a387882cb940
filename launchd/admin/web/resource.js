// A Resource is one question to the daemon and its newest answer. Views name the resources that they show; only those
// are kept fresh. An event marks the resources of its noun as old; marks are gathered, so a thousand events are one
// request. Pure: no document is needed, so Node can test this module.

const GATHER_MS = 250, GAP_MS = 1000;
// Above this number, answers that no view shows are dropped.
const MOST_KEPT = 60;
// A list shows at most this number of pages below each other.
export const MOST_PAGES = 10;

export class Resource {
  /**
   * `load` sends the request. `topics` are the nouns of the events that make the answer old. `every` {live, polling}
   * are refresh periods in seconds. `gap` is the least time in ms between two automatic requests: larger for large
   * answers.
   */
  constructor(load, topics, every = {}) {
    const { gap = GAP_MS, ...periods } = every;
    Object.assign(this, { load, topics, gap, every: { live: 30, polling: 4, ...periods } });
    Object.assign(this, { data: undefined, error: null, at: 0, asked: 0, busy: null, again: false, timer: 0 });
    this.watchers = new Set();
  }

  /** Call `draw` at each change. Returns a function that ends this. */
  watch(draw) {
    this.watchers.add(draw);
    return () => {
      this.watchers.delete(draw);
      if (this.watchers.size) return;
      clearTimeout(this.timer);
      this.timer = 0;
    };
  }

  /** Send a request now. All calls during a request share one more request after it. */
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
      if (!this.again) return;
      this.again = false;
      this.touch();
    });
    return this.busy;
  }

  /** Ask unless a request was sent since `since` (in ms): panels that share a resource send one. */
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

  /** Mark the answer as old: ask soon, but never more often than `gap` allows. */
  touch() {
    if (!this.watchers.size || this.timer) return;
    const pause = Math.max(GATHER_MS, this.asked + this.gap - Date.now());
    this.timer = setTimeout(() => this.refresh(), pause);
  }

  /** True if the refresh period has passed. */
  isOld(mode) {
    const every = typeof this.every[mode] === "function" ? this.every[mode](this.data) : this.every[mode];
    return !this.busy && !this.timer && Date.now() - this.asked >= every * 1000;
  }
}

/** The first `wanted` pages of a list as one: {items, next}. `load(cursor)` loads the page at a cursor. */
export async function joinPages(load, wanted) {
  let cursor = null;
  const items = [];
  for (let page = 0; page < wanted; page++) {
    const found = await load(cursor);
    items.push(...found.items);
    cursor = found.next;
    if (!cursor) break;
  }
  return { items, next: cursor };
}

const all = new Map();

/** The resource with this name, created at first use and shared by all who ask for it. */
export function resource(name, load, topics, every) {
  if (all.size > MOST_KEPT) for (const [old, one] of all) if (!one.watchers.size && !one.busy) all.delete(old);
  if (!all.has(name)) all.set(name, new Resource(load, topics, every));
  return all.get(name);
}

const watched = () => [...all.values()].filter((one) => one.watchers.size);

/** An event about this noun ("job", "lock" …) has arrived. */
export function happened(noun) {
  for (const one of watched()) if (one.topics.includes(noun) || one.topics.includes("*")) one.touch();
}

/** Events may have been lost: everything on the page may be old. */
export function resync() {
  for (const one of watched()) one.touch();
}

/** The user wants to see everything fresh now. */
export function refreshAll() {
  for (const one of watched()) one.refresh();
}

/** Called each second: refresh each resource whose period has passed. `mode` is live or polling. */
export function keepFresh(mode) {
  for (const one of watched()) if (one.isOld(mode)) one.refresh();
}
