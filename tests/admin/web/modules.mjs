// Imports modules of the dashboard into Node: `const { duration } = await load("time.js")`.
// They are ES modules with the suffix .js and no package.json, so Node 18 and most releases of Node 20 would read them
// as CommonJS. This hook tells Node their format. It works in Node 18.19, 20 and 22, and adds no file to the package.
import { register } from "node:module";

const WEB = new URL("../../../launchd/admin/web/", import.meta.url);
const HOOK = `export const load = (url, context, next) =>
  next(url, url.startsWith(${JSON.stringify(WEB.href)}) ? { ...context, format: "module" } : context);`;

register(`data:text/javascript,${encodeURIComponent(HOOK)}`);

export const load = (name) => import(new URL(name, WEB));

/** Stop the clock at an instant during one test: the modules read the time only through Date.now. */
export const at = (test, instant) => test.mock.method(Date, "now", () => Date.parse(instant));
