// Users by their id, each asked for once: lists of sessions and of the audit log name them by nothing else.

import { call } from "./session.js";

const known = new Map();

/** The user of this id; null where there is none any more, or it can't be told now. */
export function find(id) {
  const key = String(id);
  if (!known.has(key)) {
    const asked = call("GET", `/api_v1/users/${encodeURIComponent(key)}`).then((answer) => answer.body);
    known.set(key, asked.catch((problem) => forget(key, problem)));
  }
  return known.get(key);
}

function forget(key, problem) {
  if (problem.status !== 404) known.delete(key);
  return null;
}

/** All of these, by id. */
export async function all(ids) {
  const wanted = [...new Set(ids.map(String))];
  const found = await Promise.all(wanted.map(find));
  return new Map(wanted.map((id, index) => [id, found[index]]));
}

/** What is known may not be so any more. */
export const clear = () => known.clear();
