// Hears what happens over server-sent events. Events are only signals: what is shown is always asked for, so a lost or
// doubled one does no harm. While the stream is away the page polls; after each reconnect everything is asked anew.
// fetch instead of EventSource: it sees heartbeats (a stream that went silent is dead), names of events it was never
// told of, and the status of a refusal.
import { found, keyHeader } from "./session.js";

const SILENCE_MS = 40000; // heartbeats come every 15 s
const FIRST_PAUSE_MS = 1000, LONGEST_PAUSE_MS = 30000;

/** Parts of an event stream, fed in pieces; calls `tell` with {type, data} (HTML §9.2.6). */
export class StreamParser {
  constructor(tell) {
    this.tell = tell;
    this.rest = "";
    this.lastId = "";
    this.fields = { type: "", data: [] };
  }
  feed(text) {
    const lines = (this.rest + text).split(/\r\n|\n|\r(?!$)/);
    this.rest = lines.pop();
    for (const line of lines) this.line(line);
  }
  line(line) {
    if (line === "") {
      const { type, data } = this.fields;
      if (data.length) this.tell({ type: type || "message", data: data.join("\n") });
      this.fields = { type: "", data: [] };
      return;
    }
    const [, name, value] = /^([^:]*):? ?(.*)$/s.exec(line);
    if (name === "event") this.fields.type = value;
    else if (name === "data") this.fields.data.push(value);
    else if (name === "id" && !value.includes("\0")) this.lastId = value;
  }
}

/** Keeps the stream open. `heard(type)` of each event, `state("live" | "polling" | "connecting")`, `resync()`. */
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
        // why it ended does not matter: polling until it is back
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
      const headers = { Accept: "text/event-stream", ...keyHeader(), ...(this.lastId ? { "Last-Event-ID": this.lastId } : {}) };
      const response = await fetch("/v1/events", { headers, cache: "no-store", credentials: "same-origin", signal: abort.signal });
      if (!response.ok) throw new Error(`HTTP ${response.status}`);
      this.state("live");
      this.resync(); // whatever happened while nobody listened
      const parser = new StreamParser((event) => this.told(event));
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

  told({ type }) {
    if (type === "gap") this.resync(); // some were missed for good
    else this.heard(type);
  }
}
