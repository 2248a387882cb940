// The bar above every view: the daemon's health, whether the page is live, the daemon's time, the theme. The banner
// below it reports an unreachable daemon once for all panels, and a daemon of another version than the page.
import { outage } from "./api.js";
import { health, status } from "./data.js";
import { $, h, render } from "./dom.js";
import { button } from "./parts.js";
import { clock, now, two } from "./time.js";

const THEMES = ["auto", "light", "dark"];
const theme = () => document.documentElement.dataset.theme ?? "auto";
export function nextTheme() {
  const chosen = THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length];
  if (chosen === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
  try {
    localStorage.setItem("theme", chosen);
  } catch {
    // storage is disabled: the theme is kept until the page is left
  }
  showTheme();
}
function showTheme() {
  const toggle = $("#theme");
  toggle.textContent = { auto: "◐", light: "☀", dark: "☾" }[theme()];
  toggle.setAttribute("aria-label", `Theme: ${theme()}. Change theme`);
  toggle.title = `Theme: ${theme()}`;
}

/** Show how the page hears of changes: live, polling or connecting. */
export function showMode(mode) {
  const pill = $("#link");
  if (pill.textContent !== mode) pill.textContent = mode;
  pill.className = `pill ${mode}`;
  pill.title = mode === "live"
    ? "Changes appear as they happen"
    : "No event stream: the page refreshes every few seconds";
}

const LEVELS = { healthy: "ok", degraded: "warn", unhealthy: "bad", unreachable: "bad" };
function showHealth() {
  const verdict = outage() ? "unreachable" : (health().data?.status ?? "…");
  const pill = $("#verdict");
  pill.textContent = verdict;
  pill.className = `pill ${LEVELS[verdict] ?? ""}`;
  pill.setAttribute("aria-label", `Health: ${verdict}`);
}

export function showNow() {
  const at = new Date(now());
  const node = $("#now");
  node.textContent = `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:${two(at.getUTCSeconds())} UTC`;
  node.dateTime = at.toISOString();
  node.title = `${at.toLocaleString()} (local)`;
}

let release = null;
function showBanner() {
  const down = outage(), running = status().data?.version;
  release ??= running;
  const banner = $("#banner");
  banner.className = down ? "banner bad" : "banner";
  banner.hidden = !down && running === release;
  if (down) {
    const why = `${down.why[0].toUpperCase()}${down.why.slice(1)}.`;
    const more = ` No answer since ${clock(down.since)} UTC. The page shows older data and retries every few seconds.`;
    render(banner, h("p", null, h("b", null, why), more), button("Retry now", "refresh"));
  } else if (running !== release) {
    const text = `The daemon now runs version ${running}. This page is from version ${release}.`;
    render(banner, h("p", null, text), button("Reload page", "reload"));
  }
}

function askToSignIn() {
  if ($("#signin")) return;
  const command = h("pre", { tabindex: "0", role: "region", "aria-label": "Command" }, "launchd dashboard");
  const retry = h("button", { type: "button", class: "primary", "data-do": "reload" }, "Try again");
  const dialog = h("dialog", { id: "signin", "aria-labelledby": "signin-title" },
    h("h2", { id: "signin-title" }, "Sign in"),
    h("p", null, "This browser is not signed in. On the daemon's machine, run"), command,
    h("p", null, "and open the link that it prints."), h("div", { class: "choices" }, retry));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

export function startBar() {
  showTheme();
  health().watch(showHealth);
  status().watch(showBanner);
  document.addEventListener("reach", () => (showHealth(), showBanner()));
  document.addEventListener("signedout", askToSignIn);
  document.addEventListener("signedin", () => $("#signin")?.close());
}
