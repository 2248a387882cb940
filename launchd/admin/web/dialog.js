// One modal dialog at a time: the browser makes the rest inert and closes it on Esc, we keep Tab inside and give the
// focus back. An act that is refused leaves the dialog open, with the reason in it.
import { $, h } from "./dom.js";

const FOCUSABLE = "button:not([disabled]), input, select, textarea, a[href]";

function field({ name, label, hint, type = "text", required = false, value = "", options = null, ...more }) {
  const id = `field-${name}`;
  const described = [hint ? `${id}-hint` : null, `${id}-error`].filter(Boolean).join(" ");
  const common = { id, name, "aria-required": required || null, "aria-describedby": described, autocomplete: "off", ...more };
  const control =
    type === "area" ? h("textarea", { rows: "5", spellcheck: "false", ...common }, value)
    : type === "choice" ? h("select", common, options.map((one) => h("option", { value: one, selected: one === value }, one)))
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

/** Mark what is missing; whether all is there. */
function complete(form, fields, values) {
  let first = null;
  for (const { name, required, check } of fields) {
    const control = form.elements.namedItem(name);
    const wrong = required && !values[name] ? "This is needed." : (check?.(values[name], values) ?? "");
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
 * Ask before something is done. `text` is sentences, `fields` what is to be told, `act(values)` does it and may refuse
 * by throwing; what it returns is said in a toast. `danger` colours the button and puts the focus on the safe one.
 */
export function ask({ title, text = [], fields = [], confirm, danger = false, act }) {
  const opener = document.activeElement;
  const refusal = h("p", { class: "wrong", role: "alert", hidden: true });
  const yes = h("button", { type: "submit", class: danger ? "danger" : "primary" }, confirm);
  const no = h("button", { type: "button", class: "quiet" }, danger ? "Keep as it is" : "Not now");
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
/** Say something that has happened; a refusal stays longer and is told at once. */
export function toast(text, { bad = false, href = null } = {}) {
  const node = h("p", { class: bad ? "toast bad" : "toast" }, text, href ? [" ", h("a", { href }, "Look")] : null);
  $(bad ? "#alarms" : "#toasts").append(node);
  setTimeout(() => node.remove(), bad ? TOAST_MS * 2 : TOAST_MS);
}

/** Do something that needs no question; say how it went. */
export async function attempt(act) {
  try {
    const said = await act();
    if (said) toast(said);
  } catch (error) {
    toast(error.sentence ?? error.message, { bad: true });
  }
}

