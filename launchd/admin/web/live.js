// Hears of changes over server-sent events. An event is only a signal: the page always asks for the data itself, so a
// lost or repeated event does no harm. Without a stream the page polls; after each reconnect it refreshes everything.
// fetch instead of EventSource: with fetch the page sees heartbeats (a silent stream is dead), events of any name,
// and the status code of a refusal.
import { found, keyHeader } from "./session.js";
import { StreamParser } from "./stream.js";

const SILENCE_MS = 40000; // heartbeats come every 15 s
const FIRST_PAUSE_MS = 1000, LONGEST_PAUSE_MS = 30000;

/** Keeps the stream open. Calls `heard(type)` for each event, `state("live" | "polling")` and `resync()`. */
export class Live {
  constructor({ heard, state, resync }) {
    Object.assign(this, { heard, state, resync, lastId: "", failures: 0, wake: () => {}, abort: null });
    addEventListener("online", () => this.wake());
    addEventListener("offline", () => this.abort?.abort());
    document.addEventListener("visibilitychange", () => document.hidden || this.wake());
  }

  async run() {
    for (;;) {
      try {
        await this.listen();
      } catch {
        // for every reason alike: poll until the stream is back
      }
      this.state("polling");
      const pause = Math.min(FIRST_PAUSE_MS * 2 ** this.failures, LONGEST_PAUSE_MS);
      this.failures = Math.min(this.failures + 1, 10);
      await new Promise((resolve) => {
        this.wake = resolve;
        setTimeout(resolve, pause * (0.75 + Math.random() / 2));
      });
    }
  }

  async listen() {
    const abort = (this.abort = new AbortController());
    let timer = setTimeout(() => abort.abort(), SILENCE_MS);
    try {
      await found;
      const response = await this.open(abort.signal);
      this.state("live");
      this.resync(); // events before this moment were not heard
      const parser = new StreamParser((event) => this.receive(event));
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        clearTimeout(timer);
        timer = setTimeout(() => abort.abort(), SILENCE_MS);
        this.failures = 0;
        parser.feed(part.value);
        this.lastId = parser.lastId || this.lastId;
      }
    } finally {
      clearTimeout(timer);
      abort.abort();
    }
  }

  async open(signal) {
    const resume = this.lastId ? { "Last-Event-ID": this.lastId } : {};
    const headers = { Accept: "text/event-stream", ...keyHeader(), ...resume };
    const response = await fetch("/v1/events", { headers, cache: "no-store", credentials: "same-origin", signal });
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    return response;
  }

  receive({ type }) {
    if (type === "gap") this.resync(); // the daemon no longer has the events in between
    else this.heard(type);
  }
}
