// Builds and updates the page. Data becomes text nodes and plain attributes only: nothing here parses markup, and the
// policy of the page (Trusted Types) forbids it. A view is a function from data to nodes; `render` then changes only
// the nodes that differ, so focus, selection, scroll position and open details survive every update.

const SVG = "http://www.w3.org/2000/svg";
const FORBIDDEN = /^(on|style$|srcdoc$)/i;

/** The address if it is a view of this page or an http(s) URL; null for any other, which could run a script. */
export function safeHref(address) {
  const text = String(address);
  return text.startsWith("#/") || /^https?:\/\//i.test(text) ? text : null;
}

function build(node, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (FORBIDDEN.test(name)) throw new Error(`views cannot set the attribute ${name}`);
    if (value === null || value === undefined || value === false) continue;
    const text = name === "href" ? safeHref(value) : value === true ? "" : String(value);
    if (text !== null) node.setAttribute(name, text);
  }
  append(node, children);
  return node;
}

function append(node, children) {
  for (const child of children) {
    if (child === null || child === undefined || child === false || child === "") continue;
    if (Array.isArray(child)) append(node, child);
    else node.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

/** An element of HTML. */
export const h = (name, props, ...children) => build(document.createElement(name), props, children);
/** An element of SVG. */
export const s = (name, props, ...children) => build(document.createElementNS(SVG, name), props, children);

const BREAKS = /(?<=[_./:-])(?=.)/;
/** A name that can wrap after its separators. */
export const soft = (text) =>
  String(text).split(BREAKS).flatMap((piece, at) => (at ? [h("wbr"), piece] : [piece]));

/** Make these the children of `container`, and change only the nodes that differ. */
export function render(container, ...children) {
  const fresh = document.createDocumentFragment();
  append(fresh, children);
  patchChildren(container, fresh);
}

const keyOf = (node) => (node.nodeType === Node.ELEMENT_NODE ? node.getAttribute("data-key") : null);

function patchChildren(old, fresh) {
  const wanted = [...fresh.childNodes];
  const keys = new Set(wanted.map(keyOf).filter((key) => key !== null));
  const keyed = new Map();
  for (const node of [...old.childNodes]) {
    const key = keyOf(node);
    if (key === null) continue;
    if (keys.has(key)) keyed.set(key, node);
    else node.remove();
  }
  let cursor = old.firstChild;
  for (const next of wanted) {
    const key = keyOf(next);
    const found = key === null ? (cursor && keyOf(cursor) === null ? cursor : null) : keyed.get(key);
    if (!found || found.nodeName !== next.nodeName) {
      old.insertBefore(next, cursor);
      continue;
    }
    if (found === cursor) cursor = cursor.nextSibling;
    else old.insertBefore(found, cursor);
    patch(found, next);
  }
  while (cursor) {
    const next = cursor.nextSibling;
    cursor.remove();
    cursor = next;
  }
}

function patch(old, next) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.nodeValue !== next.nodeValue) old.nodeValue = next.nodeValue;
    return;
  }
  for (const { name } of [...old.attributes]) {
    const kept = name === "open" && old.nodeName === "DETAILS";
    if (!kept && !next.hasAttribute(name)) old.removeAttribute(name);
  }
  for (const { name, value } of next.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  patchChildren(old, next);
}

/** The first element that matches within the page. */
export const $ = (selector) => document.querySelector(selector);
