// Sends requests to the daemon. Every refusal becomes a Problem whose message says what to do.
import { Problem, withQuery } from "./http.js";
import { forget, found, keyHeader } from "./session.js";
import { setClock } from "./time.js";

const PATIENCE_MS = 20000;

let down = null;
/** The current outage as {since, why}, or null. A change is announced as the event `reach`. */
export const outage = () => down;
function setOutage(why) {
  if ((why === null) === (down === null)) return;
  down = why && { since: Date.now(), why };
  document.dispatchEvent(new CustomEvent("reach"));
}

async function transmit(method, path, { body, headers, signal }) {
  const typed = body === undefined ? {} : { "Content-Type": "application/json" };
  try {
    return await fetch(path, {
      method,
      headers: { Accept: "application/json", ...keyHeader(), ...typed, ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-cache",
      credentials: "same-origin",
      redirect: "error",
      signal: signal ?? AbortSignal.timeout(PATIENCE_MS),
    });
  } catch (error) {
    const late = error.name === "TimeoutError";
    const why = late ? "the daemon does not answer in time" : "the daemon cannot be reached";
    setOutage(why);
    throw new Problem(0, { detail: why });
  }
}

async function ask(method, path, { body, headers = {}, signal } = {}) {
  await found;
  const response = await transmit(method, path, { body, headers, signal });
  setOutage(null);
  setClock(response.headers.get("Date"));
  const answer = await response.json().catch(() => ({}));
  // GET /v1/health of an unhealthy daemon is a 503 that has the report in its body
  const good = response.ok || (response.status === 503 && answer.checks);
  if (good || response.status === 401) document.dispatchEvent(new CustomEvent(good ? "signedin" : "signedout"));
  if (!good) throw new Problem(response.status, answer);
  return answer;
}

export const get = (path, params) => ask("GET", withQuery(path, params));
export const send = (method, path, body) => ask(method, path, { body });
/** End the session of this browser, in the page and in the daemon. */
export async function signOut() {
  await send("POST", "/v1/sign-out");
  forget();
  document.dispatchEvent(new CustomEvent("signedout"));
}
/** Create a job at most once, however often the request is sent with the same key. */
export const sendOnce = (path, body, key) => ask("POST", path, { body, headers: { "Idempotency-Key": key } });
export const uniqueKey = () =>
  [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
