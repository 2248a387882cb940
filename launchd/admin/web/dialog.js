// One modal dialog at a time. The browser makes the rest of the page inert and closes the dialog on Esc; this module
// keeps Tab inside it and then returns the focus. After a refusal the dialog stays open and shows the reason.
import { $, h } from "./dom.js";

const FOCUSABLE = "button:not([disabled]), input, select, textarea, a[href]";

function field({ name, label, hint, type = "text", required = false, value = "", options = null, ...more }) {
  const id = `field-${name}`;
  const described = [hint ? `${id}-hint` : null, `${id}-error`].filter(Boolean).join(" ");
  const aria = { "aria-required": required || null, "aria-describedby": described };
  const common = { id, name, ...aria, autocomplete: "off", ...more };
  const control =
    type === "area" ? h("textarea", { rows: "5", spellcheck: "false", ...common }, value)
    : type === "choice" ? h("select", common,
      options.map((one) => h("option", { value: one, selected: one === value }, one)))
    : h("input", { type, value, ...common });
  return h("div", { class: `field ${type}` },
    h("label", { for: id }, label, required ? h("span", { class: "faint" }, " (required)") : null),
    control,
    hint ? h("p", { class: "hint", id: `${id}-hint` }, hint) : null,
    h("p", { class: "wrong", id: `${id}-error`, hidden: true }));
}

function valuesOf(form, fields) {
  return Object.fromEntries(fields.map(({ name }) => [name, form.elements.namedItem(name).value.trim()]));
}

/** Mark the wrong fields. True if there are none. */
function complete(form, fields, values) {
  let first = null;
  for (const { name, required, check } of fields) {
    const control = form.elements.namedItem(name);
    const wrong = required && !values[name] ? "This field is required." : (check?.(values[name], values) ?? "");
    control.setAttribute("aria-invalid", String(Boolean(wrong)));
    const message = form.querySelector(`#field-${name}-error`);
    message.hidden = !wrong;
    message.textContent = wrong;
    if (wrong) first ??= control;
  }
  first?.focus();
  return first === null;
}

/**
 * Ask before an action. `text` is one sentence or several, `fields` are its inputs. `act(values)` acts: it returns the
 * text of a toast or null, and throws if the daemon refuses. `danger` colours the button and focuses the safe one.
 */
export function ask({ title, text = [], fields = [], confirm, danger = false, act }) {
  const opener = document.activeElement;
  const refusal = h("p", { class: "wrong", role: "alert", hidden: true });
  const yes = h("button", { type: "submit", class: danger ? "danger" : "primary" }, confirm);
  const no = h("button", { type: "button", class: "quiet" }, danger ? "Go back" : "Cancel");
  const form = h("form", { novalidate: true, method: "dialog" },
    h("h2", { id: "dialog-title" }, title),
    [text].flat().map((one) => h("p", null, one)),
    fields.map(field), refusal, h("div", { class: "choices" }, no, yes));
  const dialog = h("dialog", { "aria-labelledby": "dialog-title" }, form);
  document.body.append(dialog);

  dialog.addEventListener("close", () => {
    dialog.remove();
    (opener?.isConnected && opener !== document.body ? opener : $("#main")).focus();
  });
  dialog.addEventListener("keydown", (event) => event.key === "Tab" && keepInside(dialog, event));
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  no.addEventListener("click", () => dialog.close());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const values = valuesOf(form, fields);
    if (yes.disabled || !complete(form, fields, values)) return;
    yes.disabled = true;
    refusal.hidden = true;
    try {
      const said = await act(values);
      dialog.close();
      if (said) toast(said);
    } catch (error) {
      refusal.textContent = error.sentence ?? error.message;
      refusal.hidden = false;
    } finally {
      yes.disabled = false;
    }
  });
  dialog.showModal();
  (fields.length ? form.elements.namedItem(fields[0].name) : danger ? no : yes).focus();
}

function keepInside(dialog, event) {
  const stops = [...dialog.querySelectorAll(FOCUSABLE)];
  const [first, last] = [stops[0], stops.at(-1)];
  const leaves = event.shiftKey ? document.activeElement === first : document.activeElement === last;
  if (!leaves && dialog.contains(document.activeElement)) return;
  event.preventDefault();
  (event.shiftKey ? last : first).focus();
}

const TOAST_MS = 6000;
/** Report a result for a few seconds. An error (`bad`) stays longer, and screen readers read it at once. */
export function toast(text, { bad = false, href = null } = {}) {
  const view = href ? [" ", h("a", { href }, "View job")] : null;
  const node = h("p", { class: bad ? "toast bad" : "toast" }, text, view);
  $(bad ? "#alarms" : "#toasts").append(node);
  setTimeout(() => node.remove(), bad ? TOAST_MS * 2 : TOAST_MS);
}

/** Act without a question, and report the result. */
export async function attempt(act) {
  try {
    const said = await act();
    if (said) toast(said);
  } catch (error) {
    toast(error.sentence ?? error.message, { bad: true });
  }
}
