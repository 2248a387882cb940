import assert from "node:assert/strict";
import { test } from "node:test";

import { load } from "./modules.mjs";

const { fromField, parseObject, toField } = await load("fields.js");
const each = (cases, convert) => assert.deepEqual(cases.map(([given]) => [given, convert(given)]), cases);

test("arguments are a JSON object or nothing", () => each([
  ["{}", {}], ["", {}], ['{"a": [1, null]}', { a: [1, null] }], ["[]", null], ["null", null], ["5", null],
  ['"x"', null], ["{", null], ["{'a': 1}", null],
], parseObject));

test("a time of a form is UTC, with or without seconds", () => {
  each([["2026-11-26T12:00", "2026-11-26T12:00:00Z"], ["2026-11-26T12:00:30", "2026-11-26T12:00:30Z"]], fromField);
  assert.equal(toField(Date.parse("2026-11-26T12:00:59.999Z")), "2026-11-26T12:00");
});
