import assert from "node:assert/strict";
import { test } from "node:test";

import { load } from "./modules.mjs";

const { StreamParser } = await load("stream.js");

/** The events and the last id of a stream that arrives in these pieces. */
function read(...pieces) {
  const events = [], parser = new StreamParser((event) => events.push(event));
  for (const piece of pieces) parser.feed(piece);
  return { events, id: parser.lastId };
}

test("a stream reads the same wherever it is cut, with every kind of line end", () => {
  const stream = "retry: 2000\nid: a-1\n\n: beat\n\nevent: job.ended\nid: a-2\ndata: {\r\ndata: }\r\n\r\ndata:x\r\r"
    + "event: nothing\n\n"; // without data there is no event
  const expected = { events: [{ type: "job.ended", data: "{\n}" }, { type: "message", data: "x" }], id: "a-2" };
  for (let cut = 0; cut <= stream.length; cut++) {
    assert.deepEqual(read(stream.slice(0, cut), stream.slice(cut)), expected, `cut at ${cut}`);
  }
  assert.deepEqual(read(...stream), expected, "one character at a time");
});

test("an event without its empty line has not arrived yet", () => {
  assert.deepEqual(read("event: a\ndata: 1\n").events, []);
  assert.deepEqual(read("event: a\ndata: 1\n", "\n").events, [{ type: "a", data: "1" }]);
});

test("a type belongs to its own event alone", () => {
  assert.deepEqual(read("event: a\n\ndata: 1\n\n").events, [{ type: "message", data: "1" }]);
});

test("one space after the colon is no part of a value", () => {
  assert.deepEqual(read("data:1\ndata: 2\ndata:  3\ndata\ndata: a: b\n\n").events, [
    { type: "message", data: "1\n2\n 3\n\na: b" }]);
});

test("comments, heartbeats and unknown fields are no events", () => {
  assert.deepEqual(read(": beat\n\n:\n\nretry: 5\n\ncolour: red\n\n"), { events: [], id: "" });
});

test("the last id stays until another one, and never holds a null character", () => {
  assert.equal(read("id: a\ndata: 1\n\ndata: 2\n\n").id, "a");
  assert.equal(read("id: a\n\nid: b\0\n\n").id, "a");
  assert.equal(read("id: a\n\nid\n\n").id, "");
});

test("a large event in many pieces is one event", () => {
  const data = "ä".repeat(100_000);
  const pieces = `data: ${data}\n\n`.match(/.{1,977}|\n/gs);
  assert.deepEqual(read(...pieces).events, [{ type: "message", data }]);
});
