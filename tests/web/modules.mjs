// Imports modules of the dashboard into Node: `const { duration } = await load("time.js")`.
// They are ES modules named .js, as browsers want them, and no package.json says so: Node 18 and 20 would read them as
// CommonJS. This hook names their format. It works alike in Node 18.19, 20 and 22, and adds no file to the package.
import { register } from "node:module";

const WEB = new URL("../../launchd/admin/web/", import.meta.url);
const HOOK = `export const load = (url, context, next) =>
  next(url, url.startsWith(${JSON.stringify(WEB.href)}) ? { ...context, format: "module" } : context);`;

register(`data:text/javascript,${encodeURIComponent(HOOK)}`);

export const load = (name) => import(new URL(name, WEB));

/** Let this machine's clock stand at an instant during one test: the modules read it through Date.now alone. */
export const at = (test, instant) => test.mock.method(Date, "now", () => Date.parse(instant));
