// The half of a session that is not in the cookie. A browser sends cookies to every port of a host; sessionStorage
// belongs to this port alone, and its key goes with each request in a header. The link that `launchd dashboard` prints
// has the key behind the #.
const NAME = "session", HEADER = "Launchd-Session-Key", PATIENCE_MS = 150;

let key = null;
function keep(given) {
  key = given;
  try {
    if (given) sessionStorage.setItem(NAME, given);
    else sessionStorage.removeItem(NAME);
  } catch {
    // storage is disabled: the key is kept until the page is left
  }
}

try {
  key = sessionStorage.getItem(NAME);
} catch {
  // storage is disabled
}
// A new tab asks the other tabs of this port for the key; a tab with a new key sends it to them. The newest key counts.
const tabs = "BroadcastChannel" in globalThis ? new BroadcastChannel(NAME) : null;
let answered = () => {};
tabs?.addEventListener("message", ({ data }) => {
  if (data === "ask" && key) tabs.postMessage({ key });
  else if (typeof data?.key === "string" || data?.key === null) keep(data.key), answered();
});
if (globalThis.sessionKey) { // first.js has moved the key here from the address
  keep(globalThis.sessionKey);
  delete globalThis.sessionKey;
  tabs?.postMessage({ key });
}

/** Resolves once the key is known, or no other tab has answered in time. */
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
