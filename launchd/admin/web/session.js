// The half of a session that no cookie carries. Browsers send cookies to every port of a host; what lies in sessionStorage
// belongs to this port alone, and goes with each request by a header. A link of `launchd dashboard` brings it behind the #.
const NAME = "session", HEADER = "Launchd-Session-Key", PATIENCE_MS = 150;

let key = null;
function keep(given) {
  key = given;
  try {
    if (given) sessionStorage.setItem(NAME, given);
    else sessionStorage.removeItem(NAME);
  } catch {
    // storage is off: it holds until the page is left
  }
}

try {
  key = sessionStorage.getItem(NAME);
} catch {
  // storage is off
}
// Other tabs of this port are asked for it, and told of a new one; of what is told, only the newest counts.
const tabs = "BroadcastChannel" in globalThis ? new BroadcastChannel(NAME) : null;
let answered = () => {};
tabs?.addEventListener("message", ({ data }) => {
  if (data === "ask" && key) tabs.postMessage({ key });
  else if (typeof data?.key === "string" || data?.key === null) keep(data.key), answered();
});
if (globalThis.sessionKey) { // first.js has taken it out of the address
  keep(globalThis.sessionKey);
  delete globalThis.sessionKey;
  tabs?.postMessage({ key });
}

/** Resolves once the key is here, or no tab has one. */
export const found = key || !tabs ? Promise.resolve() : new Promise((resolve) => {
  answered = resolve;
  tabs.postMessage("ask");
  setTimeout(resolve, PATIENCE_MS);
});
export const keyHeader = () => (key ? { [HEADER]: key } : {});
export function forget() {
  keep(null);
  tabs?.postMessage({ key: null });
}
