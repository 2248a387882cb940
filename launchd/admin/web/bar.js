// The bar above every view: is the daemon well, is the page live, what time is it there, how it all looks; and the word
// that is said once for all panels when nobody answers, or who answers is another release.
import { whyAway } from "./api.js";
import { health, status } from "./data.js";
import { $, h, render } from "./dom.js";
import { button } from "./parts.js";
import { clock, now, two } from "./time.js";

const THEMES = ["auto", "light", "dark"];
const themed = () => document.documentElement.dataset.theme ?? "auto";
export function nextTheme() {
  const chosen = THEMES[(THEMES.indexOf(themed()) + 1) % THEMES.length];
  if (chosen === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
  try {
    localStorage.setItem("theme", chosen);
  } catch {
    // storage is off: it holds until the page is left
  }
  tellTheme();
}
function tellTheme() {
  const button = $("#theme");
  button.textContent = { auto: "◐", light: "☀", dark: "☾" }[themed()];
  button.setAttribute("aria-label", `Theme: ${themed()}. Change it`);
  button.title = `Theme: ${themed()}`;
}

/** How the page hears of changes: live, polling or connecting. */
export function tellMode(mode) {
  const pill = $("#link");
  if (pill.textContent !== mode) pill.textContent = mode;
  pill.className = `pill ${mode}`;
  pill.title = mode === "live" ? "Changes are shown as they happen" : "No event stream: asked every few seconds";
}

function tellHealth() {
  const verdict = whyAway() ? "unreachable" : (health().data?.status ?? "…");
  const pill = $("#verdict");
  pill.textContent = verdict;
  pill.className = `pill ${{ healthy: "ok", degraded: "warn", unhealthy: "bad", unreachable: "bad" }[verdict] ?? ""}`;
  pill.setAttribute("aria-label", `Health: ${verdict}`);
}

export function tellNow() {
  const at = new Date(now());
  const node = $("#now");
  node.textContent = `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:${two(at.getUTCSeconds())} UTC`;
  node.dateTime = at.toISOString();
  node.title = `${at.toLocaleString()} (local)`;
}

let release = null;
function tellBanner() {
  const away = whyAway(), running = status().data?.version;
  release ??= running;
  const banner = $("#banner");
  banner.className = away ? "banner bad" : "banner";
  banner.hidden = !away && running === release;
  if (away) {
    render(banner, h("p", null, h("b", null, `${away.why[0].toUpperCase()}${away.why.slice(1)}`), ` since ${clock(away.since)} UTC. What is shown is as of then; it is asked again every few seconds.`), button("Ask now", "refresh"));
  } else if (running !== release) {
    render(banner, h("p", null, `launchd ${running} runs now; this page is of ${release}.`), button("Reload the page", "reload"));
  }
}

function askToSignIn() {
  if ($("#signin")) return;
  const dialog = h("dialog", { id: "signin", "aria-labelledby": "signin-title" },
    h("h2", { id: "signin-title" }, "Sign in"), h("p", null, "This browser is not signed in, or no longer. On the daemon's machine, run"),
    h("pre", { tabindex: "0", role: "region", "aria-label": "Command" }, "launchd dashboard"), h("p", null, "and open the link that it prints."),
    h("div", { class: "choices" }, h("button", { type: "button", class: "primary", "data-do": "reload" }, "Try again")));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

export function startBar() {
  tellTheme();
  health().watch(tellHealth);
  status().watch(tellBanner);
  document.addEventListener("reach", () => (tellHealth(), tellBanner()));
  document.addEventListener("signedout", askToSignIn);
  document.addEventListener("signedin", () => $("#signin")?.close());
}
