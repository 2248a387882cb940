// Reads the text of a stream of server-sent events (HTML §9.2.6). Pure: no document is needed, so Node can test it.

/** Takes the text in pieces of any size; calls `emit` with {type, data} for each event. */
export class StreamParser {
  constructor(emit) {
    this.emit = emit;
    this.rest = "";
    this.lastId = "";
    this.fields = { type: "", data: [] };
  }

  feed(text) {
    // a CR at the end may be the first half of a CRLF: it waits for the next piece
    const lines = (this.rest + text).split(/\r\n|\n|\r(?!$)/);
    this.rest = lines.pop();
    for (const line of lines) this.line(line);
  }

  line(line) {
    if (line === "") {
      const { type, data } = this.fields;
      if (data.length) this.emit({ type: type || "message", data: data.join("\n") });
      this.fields = { type: "", data: [] };
      return;
    }
    const [, name, value] = /^([^:]*):? ?(.*)$/s.exec(line);
    if (name === "event") this.fields.type = value;
    else if (name === "data") this.fields.data.push(value);
    else if (name === "id" && !value.includes("\0")) this.lastId = value;
  }
}
