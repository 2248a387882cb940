// Paths of requests, and refusals as errors. Pure: no document is needed, so Node can test this module.

/** A refusal of the daemon (RFC 9457), or no answer at all (status 0). */
export class Problem extends Error {
  constructor(status, body) {
    super(body.detail || body.title || `HTTP ${status}`);
    this.status = status;
    this.code = body.code ?? "";
    this.errors = body.errors ?? [];
  }

  /** The message, then the error of each field that the message does not already contain. */
  get sentence() {
    const wrong = this.errors.map((one) => `${one.path}: ${one.message}`).filter((one) => !this.message.includes(one));
    return [this.message, ...wrong].join("\n");
  }
}

/** A path whose parts are escaped: at`/v1/jobs/${id}`. */
export const at = (parts, ...values) => String.raw({ raw: parts }, ...values.map(encodeURIComponent));

/** The path with its query. Parameters that are null, undefined or empty are left out. */
export function withQuery(path, params) {
  const given = Object.entries(params ?? {})
    .filter(([, value]) => value !== null && value !== undefined && value !== "");
  return given.length ? `${path}?${new URLSearchParams(given)}` : path;
}

/** The page's own address behind the #: {name, arg, query, path}. `name` ends with a slash if there is an `arg`. */
export function parseRoute(hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?");
  const [noun, ...rest] = path.split("/");
  let arg = null;
  try {
    arg = rest.length ? decodeURIComponent(rest.join("/")) : null;
  } catch {
    // a broken escape: the page shows the list
  }
  return { name: arg === null ? noun : `${noun}/`, arg, query: Object.fromEntries(new URLSearchParams(query)), path };
}
