// Views by the address after `#`. A change of view moves the focus to its heading, as a new page would.

import { fill } from "./dom.js";

/**
 * Shows, in `place`, the view that the address names, and again whenever it changes. A route is `{ pattern, title, view }`;
 * `view(place, { parameters, query, signal })` builds the view. `shown` is told of each.
 */
export function route({ routes, place, shown, lost }) {
  let leaving = new AbortController();

  function go(moved) {
    leaving.abort();
    leaving = new AbortController();
    const [path, search = ""] = (location.hash.slice(1) || "/").split("?");
    const found = routes.map((one) => ({ one, match: one.pattern.exec(path) })).find(({ match }) => match);
    const { one, match } = found || { one: lost, match: [] };
    document.title = `${one.title} · Platform`;
    fill(place);
    const parameters = match.slice(1).map(decoded);
    one.view(place, { parameters, query: new URLSearchParams(search), signal: leaving.signal });
    shown(one);
    if (moved) {
      scrollTo(0, 0);
      place.querySelector("h1")?.focus();
    }
  }

  const changed = () => go(true);
  addEventListener("hashchange", changed);
  go(true);
  return () => {
    leaving.abort();
    removeEventListener("hashchange", changed);
  };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Keeps what a view shows in the address, without a view of its own for it. */
export function remember(path, query) {
  const kept = Object.entries(query).filter(([, value]) => value);
  const search = kept.length ? `?${new URLSearchParams(kept)}` : "";
  history.replaceState(null, "", `#${path}${search}`);
}
