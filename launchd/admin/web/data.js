// The questions to the daemon that several views share.
import { get } from "./api.js";
import { joinPages, resource } from "./resource.js";

/** The first `wanted` pages of the list at this path, as one: {items, next}. */
export const pages = (path, query, wanted) => joinPages((cursor) => get(path, { ...query, cursor }), wanted);

const shared = (name, path, topics, every) => () => resource(name, () => get(path), topics, every);

export const status = shared("status", "/v1/status", ["job", "queue", "schedule", "fire"], { live: 10, polling: 2 });
export const health = shared("health", "/v1/health", ["health", "source", "lock"], { live: 15, polling: 8 });
export const schedules = shared("schedules", "/v1/schedules", ["schedule", "fire", "config"], { live: 30, polling: 4 });
export const locks = shared("locks", "/v1/locks", ["lock", "job"], { live: 10, polling: 3 });
export const sources = shared("sources", "/v1/sources", ["source", "launch"], { live: 20, polling: 8 });
export const tasks = shared("tasks", "/v1/tasks", ["config"], { live: 300, polling: 300 });
export const nextLaunches = shared("next", "/v1/launches?when=upcoming&limit=6&slips=true", ["launch", "source"],
  { live: 60, polling: 30 });
