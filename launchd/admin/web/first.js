// Laid into the page. Takes the key that a sign-in link has brought out of the address at once, before any module (session.js)
// or any other address can come in between. Sets the theme before the first paint, so that a chosen one never flashes in the other; fetches the
// modules after it, so that what stands in the page is never kept waiting by what comes later.
"use strict";
const brought = /^#session=([\w-]{20,100})$/.exec(location.hash);
if (brought) {
  globalThis.sessionKey = brought[1];
  try {
    sessionStorage.setItem("session", brought[1]);
  } catch { /* storage is off: the modules have it until the page is left */ }
  history.replaceState(null, "", `${location.pathname}#/`);
}
try {
  const chosen = localStorage.getItem("theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch { /* storage is off: the system's scheme holds */ }
addEventListener("DOMContentLoaded", () => {
  const links = document.getElementById("modules").content, app = links.lastElementChild;
  const start = () => {
    document.head.append(links);
    import(app.href);
  };
  // a page in the background is not painted
  if (document.hidden) start();
  else requestAnimationFrame(() => setTimeout(start));
});
