import assert from "node:assert/strict";
import { test } from "node:test";

import { load } from "./modules.mjs";

const { happened, joinPages, keepFresh, refreshAll, Resource, resource, resync } = await load("resource.js");

/** A resource whose requests the test answers itself. */
function asking(topics = [], every = { gap: 0 }) {
  const asked = [], waiting = [];
  const one = new Resource(() => new Promise((answer, refuse) => {
    asked.push({ answer, refuse });
    waiting.shift()?.();
  }), topics, every);
  /** Resolves with the request of this number once it has been sent. */
  const times = async (number) => {
    while (asked.length < number) await new Promise((resolve) => waiting.push(resolve));
    return asked[number - 1];
  };
  return { one, asked, times };
}

test("an answer is drawn by all watchers, except those that have stopped", async () => {
  const { one, times } = asking();
  const drawn = [];
  const stop = one.watch(() => drawn.push(["first", one.data]));
  one.watch(() => drawn.push(["second", one.data]));
  const asked = one.refresh();
  (await times(1)).answer(7);
  await asked;
  stop();
  const again = one.refresh();
  (await times(2)).answer(8);
  await again;
  assert.deepEqual(drawn, [["first", 7], ["second", 7], ["second", 8]]);
});

test("an error keeps the last answer, and the next answer clears the error", async () => {
  const { one, times } = asking();
  for (const [number, act] of [[1, (it) => it.answer(7)], [2, (it) => it.refuse(new Error("no"))]]) {
    const asked = one.refresh();
    act(await times(number));
    await asked;
  }
  assert.deepEqual([one.data, one.error.message], [7, "no"]);
  const asked = one.refresh();
  (await times(3)).answer(null);
  await asked;
  assert.deepEqual([one.data, one.error], [null, null]);
});

test("all calls during a request share one more request after it", async () => {
  const { one, asked, times } = asking();
  const stop = one.watch(() => {});
  one.refresh();
  for (let call = 0; call < 5; call++) one.refresh();
  assert.equal(asked.length, 1);
  (await times(1)).answer("old");
  (await times(2)).answer("new");
  await one.busy;
  assert.deepEqual([asked.length, one.data, one.again, one.timer], [2, "new", false, 0]);
  stop();
});

test("many events cause one request, and none without a watcher", async () => {
  const { one, asked, times } = asking();
  one.touch();
  assert.equal(one.timer, 0);
  const stop = one.watch(() => {});
  one.touch();
  const due = one.timer;
  for (let event = 0; event < 1000; event++) one.touch();
  assert.equal(one.timer, due);
  (await times(1)).answer(1);
  await one.busy;
  assert.equal(asked.length, 1);
  one.touch();
  assert.notEqual(one.timer, 0);
  stop();
  assert.equal(one.timer, 0, "the last watcher cancels the pending request");
});

test("panels that share a resource send one request", async () => {
  const { one, asked, times } = asking();
  const since = Date.now();
  for (let panel = 0; panel < 3; panel++) one.ensure(since);
  (await times(1)).answer(1);
  await one.busy;
  one.ensure(since);
  assert.equal(asked.length, 1);
});

test("a resource is old when its period has passed, which may depend on its data", (t) => {
  let now = 1e9;
  t.mock.method(Date, "now", () => now);
  const one = new Resource(() => {}, [], { live: (data) => data, polling: 2 });
  Object.assign(one, { asked: now, data: 10 });
  const old = (mode, later) => (now = one.asked + later, one.isOld(mode));
  assert.deepEqual([old("polling", 1999), old("polling", 2000), old("live", 9999), old("live", 10000)],
    [false, true, false, true]);
  one.busy = Promise.resolve();
  assert.equal(old("polling", 1e6), false, "a request is under way");
});

test("the periods have defaults", () => {
  const { every, gap } = new Resource(() => {}, [], { polling: 9 });
  assert.deepEqual([every, gap], [{ live: 30, polling: 9 }, 1000]);
});

test("an event touches the resources of its noun, and those of every noun", async () => {
  const touched = [];
  const watch = (name, topics) => {
    const one = resource(name, async () => touched.push(name), topics);
    return one.watch(() => {});
  };
  const stops = [watch("jobs", ["job"]), watch("locks", ["lock", "job"]), watch("audit", ["*"]), watch("tasks", [])];
  const due = () => ["jobs", "locks", "audit", "tasks"].filter((name) => resource(name).timer);
  happened("lock");
  assert.deepEqual(due(), ["locks", "audit"]);
  resync();
  assert.deepEqual(due(), ["jobs", "locks", "audit", "tasks"]);
  refreshAll();
  assert.deepEqual([due(), touched], [[], ["jobs", "locks", "audit", "tasks"]]);
  await Promise.all(["jobs", "locks", "audit", "tasks"].map((name) => resource(name).busy));
  resource("jobs").asked = 0;
  keepFresh("live");
  assert.deepEqual(touched.slice(4), ["jobs"]);
  for (const stop of stops) stop();
});

test("a resource is shared by its name, and above sixty, those without a watcher are dropped", () => {
  const first = resource("first", () => {}, []);
  assert.equal(resource("first"), first);
  const kept = resource("kept", () => {}, []);
  const stop = kept.watch(() => {});
  for (let number = 0; number < 100; number++) resource(`other ${number}`, () => {}, []);
  assert.equal(resource("kept"), kept);
  assert.notEqual(resource("first", () => {}, []), first);
  stop();
});

test("pages are joined up to the number that is wanted, or to the end", async () => {
  const shelf = { null: { items: [1, 2], next: "b" }, b: { items: [], next: "c" }, c: { items: [3], next: null } };
  const asked = [];
  const loaded = (wanted) => joinPages(async (cursor) => (asked.push(cursor), shelf[cursor]), wanted);
  assert.deepEqual(await loaded(0), { items: [], next: null });
  assert.deepEqual(await loaded(1), { items: [1, 2], next: "b" });
  assert.deepEqual(await loaded(2), { items: [1, 2], next: "c" });
  assert.deepEqual(await loaded(10), { items: [1, 2, 3], next: null });
  assert.deepEqual(asked, [null, null, "b", null, "b", "c"]);
  await assert.rejects(joinPages(async () => { throw new Error("refused"); }, 2), /refused/);
});
