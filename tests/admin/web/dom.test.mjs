import assert from "node:assert/strict";
import { test } from "node:test";

import { load } from "./modules.mjs";

const { safeHref } = await load("dom.js");

test("only addresses that cannot run a script become links", () => {
  const cases = [
    ["#/jobs", "#/jobs"], ["https://example.org/", "https://example.org/"],
    ["HTTP://example.org", "HTTP://example.org"],
    ["javascript:alert(1)", null], ["JaVaScRiPt:alert(1)", null], [" javascript:alert(1)", null],
    ["java\nscript:alert(1)", null], ["javascript:1//https://x", null],
    ["data:text/html,x", null], ["//evil.example", null], ["/v1/sign-out", null],
    ["#session=x", null], ["vbscript:x", null], ["", null], [null, null], [undefined, null],
  ];
  assert.deepEqual(cases.map(([address]) => [address, safeHref(address)]), cases);
});
