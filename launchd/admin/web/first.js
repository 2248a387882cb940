// Laid into the page. Sets the theme before the first paint, so that a chosen one never flashes in the other; fetches the
// modules after it, so that what stands in the page is never kept waiting by what comes later.
"use strict";
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
