// One request to the public API, and its answer.

import { Problem, Unreachable } from "./problem.js";

/**
 * Asks for `path`. Gives `{ status, body, etag, next, total }`, where `next` is the path of the next page.
 * Throws a `Problem` for every answer that is none of 2xx.
 */
export async function send(method, path, { token, query, body, match, signal, keepalive } = {}) {
  const headers = new Headers({ accept: "application/json" });
  if (token) headers.set("authorization", `Bearer ${token}`);
  if (match) headers.set("if-match", match);
  if (body !== undefined) headers.set("content-type", method === "PATCH" ? "application/merge-patch+json" : "application/json");
  let answer;
  let text;
  try {
    answer = await fetch(withQuery(path, query), {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "omit",
      cache: "no-store",
      redirect: "error",
      signal,
      keepalive,
    });
    text = await answer.text();
  } catch (fault) {
    if (signal?.aborted) throw fault;
    throw new Unreachable();
  }
  const read = json(text);
  if (!answer.ok) throw new Problem(answer.status, read || {});
  return {
    status: answer.status,
    body: read,
    etag: answer.headers.get("etag"),
    next: nextPage(answer.headers.get("link")),
    total: Number(answer.headers.get("x-total-count") ?? NaN),
  };
}

function withQuery(path, query = {}) {
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  if (!pairs.length) return path;
  return `${path}${path.includes("?") ? "&" : "?"}${new URLSearchParams(pairs)}`;
}

function json(text) {
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    return null;
  }
}

/** The path in a `Link` to the next page; of this API alone. */
function nextPage(link) {
  const path = /<([^>]*)>; rel="next"/.exec(link || "")?.[1];
  return path?.startsWith("/api_v1/") ? path : null;
}
