// Inlined into the page. Takes the key of a sign-in link out of the address at once, before any module (session.js)
// runs or another address is opened. Sets the chosen theme before the first paint, so that the other one never
// flashes. Loads the modules after the first paint, so that nothing delays it.
"use strict";
const signIn = /^#session=([\w-]{20,100})$/.exec(location.hash);
if (signIn) {
  globalThis.sessionKey = signIn[1];
  try {
    sessionStorage.setItem("session", signIn[1]);
  } catch { /* storage is disabled: the modules keep the key until the page is left */ }
  history.replaceState(null, "", `${location.pathname}#/`);
}
try {
  const chosen = localStorage.getItem("theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch { /* storage is disabled: the theme of the system is used */ }
addEventListener("DOMContentLoaded", () => {
  const links = document.getElementById("modules").content, app = links.lastElementChild;
  const start = () => {
    document.head.append(links);
    import(app.href);
  };
  // a page in the background is never painted
  if (document.hidden) start();
  else requestAnimationFrame(() => setTimeout(start));
});
