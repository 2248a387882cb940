import assert from "node:assert/strict";
import { test } from "node:test";

import { load } from "./modules.mjs";

const { at, parseRoute, Problem, withQuery } = await load("http.js");

test("each part of a path is escaped", () => {
  assert.equal(at`/v1/jobs/${"a/../b"}/cancel`, "/v1/jobs/a%2F..%2Fb/cancel");
  assert.equal(at`/v1/${"x?y#z"}/${"é "}`, "/v1/x%3Fy%23z/%C3%A9%20");
  assert.equal(at`/v1/status`, "/v1/status");
});

test("a query has the parameters that are given", () => {
  const given = { state: "failed", since: null, task: undefined, q: "" };
  assert.equal(withQuery("/v1/jobs", given), "/v1/jobs?state=failed");
  assert.equal(withQuery("/v1/jobs", { limit: 0, brief: false, q: "a b&c" }), "/v1/jobs?limit=0&brief=false&q=a+b%26c");
  for (const nothing of [{}, null, undefined, { q: "" }]) assert.equal(withQuery("/v1/jobs", nothing), "/v1/jobs");
});

test("a refusal says what is wrong, each thing once", () => {
  const wrong = [
    { path: "args.number", message: "Expected `int`" }, { path: "delay", message: "must not be negative" }];
  const problem = new Problem(422, { detail: "args.number: Expected `int`", code: "invalid", errors: wrong });
  assert.equal(problem.sentence, "args.number: Expected `int`\ndelay: must not be negative");
  assert.deepEqual([problem.status, problem.code], [422, "invalid"]);
});

test("a refusal without a body still has a message", () => {
  assert.equal(new Problem(502, {}).sentence, "HTTP 502");
  assert.equal(new Problem(404, { title: "Not Found" }).sentence, "Not Found");
  assert.equal(new Problem(404, { title: "Not Found", detail: "no such job" }).sentence, "no such job");
});

test("an address names a view, a thing in it and parameters", () => {
  const cases = [
    ["", "", null, {}, ""], ["#/", "", null, {}, ""], ["#/jobs", "jobs", null, {}, "jobs"],
    ["#/jobs?state=failed&q=a+b", "jobs", null, { state: "failed", q: "a b" }, "jobs"],
    ["#/jobs/0193", "jobs/", "0193", {}, "jobs/0193"],
    ["#/schedules/a%2Fb%20c?pages=2", "schedules/", "a/b c", { pages: "2" }, "schedules/a%2Fb%20c"],
    ["#/schedules/a/b", "schedules/", "a/b", {}, "schedules/a/b"],
    ["#/jobs/", "jobs/", "", {}, "jobs/"], ["#jobs", "jobs", null, {}, "jobs"],
    ["#/jobs/%E0%A4%A", "jobs", null, {}, "jobs/%E0%A4%A"], // a broken escape: the list
  ];
  const found = cases.map(([hash]) => [hash, parseRoute(hash)]);
  assert.deepEqual(found, cases.map(([hash, name, arg, query, path]) => [hash, { name, arg, query, path }]));
});
