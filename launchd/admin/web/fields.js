// Values of form fields. Pure: no document is needed, so Node can test this module.

/** The JSON object that a text holds (empty text: {}); null for anything else. */
export function parseObject(text) {
  try {
    const value = JSON.parse(text || "{}");
    return value !== null && typeof value === "object" && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

/** The value of a datetime-local field for a time in milliseconds, and the instant of such a value; both UTC. */
export const toField = (ms) => new Date(ms).toISOString().slice(0, 16);
export const fromField = (text) => (text.length === 16 ? `${text}:00Z` : `${text}Z`);
