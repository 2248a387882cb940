// Asks the daemon. Every refusal becomes a Problem that says what to do.
import { forget, found, keyHeader } from "./session.js";
import { heardDate } from "./time.js";

const PATIENCE_MS = 20000;

export class Problem extends Error {
  constructor(status, body) {
    super(body.detail || body.title || `HTTP ${status}`);
    this.status = status;
    this.code = body.code ?? "";
    this.errors = body.errors ?? [];
  }
  /** The message, and what is wrong where if it does not say so. */
  get sentence() {
    const wrong = this.errors.map((one) => `${one.path}: ${one.message}`).filter((one) => !this.message.includes(one));
    return [this.message, ...wrong].join("\n");
  }
}

/** A path with its parts and parameters escaped: at`/v1/jobs/${id}`. */
export const at = (parts, ...values) => String.raw({ raw: parts }, ...values.map(encodeURIComponent));

export function withQuery(path, params) {
  const given = Object.entries(params ?? {}).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return given.length ? `${path}?${new URLSearchParams(given)}` : path;
}

let away = null;
/** Since when no request has got any answer, and why: {since, why}; null while there are answers. A change is told as the event `reach`. */
export const whyAway = () => away;
function reach(why) {
  if ((why === null) === (away === null)) return;
  away = why && { since: Date.now(), why };
  document.dispatchEvent(new CustomEvent("reach"));
}

async function ask(method, path, { body, headers = {}, signal } = {}) {
  let response;
  await found;
  try {
    response = await fetch(path, {
      method,
      headers: { Accept: "application/json", ...keyHeader(), ...(body === undefined ? {} : { "Content-Type": "application/json" }), ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-cache",
      credentials: "same-origin",
      redirect: "error",
      signal: signal ?? AbortSignal.timeout(PATIENCE_MS),
    });
  } catch (error) {
    const why = error.name === "TimeoutError" ? "the daemon does not answer in time" : "the daemon cannot be reached";
    reach(why);
    throw new Problem(0, { detail: why });
  }
  reach(null);
  heardDate(response.headers.get("Date"));
  const answer = await response.json().catch(() => ({}));
  // an unhealthy daemon answers 503 with the very report that one wants to see
  const told = response.ok || (response.status === 503 && answer.checks);
  if (told || response.status === 401) document.dispatchEvent(new CustomEvent(told ? "signedin" : "signedout"));
  if (!told) throw new Problem(response.status, answer);
  return answer;
}

export const get = (path, params) => ask("GET", withQuery(path, params));
export const send = (method, path, body) => ask(method, path, { body });
/** End this browser's session, here and at the daemon. */
export async function signOut() {
  await send("POST", "/v1/sign-out");
  forget();
  document.dispatchEvent(new CustomEvent("signedout"));
}
/** Make a job at most once, however often it is sent with the same key. */
export const sendOnce = (path, body, key) => ask("POST", path, { body, headers: { "Idempotency-Key": key } });
export const uniqueKey = () =>
  [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
