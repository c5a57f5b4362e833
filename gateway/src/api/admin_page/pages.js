// A list that is read page by page, by the cursors that its answers give.

import { fill, h } from "./dom.js";
import { count } from "./format.js";
import { call } from "./session.js";
import { button } from "./parts.js";

/**
 * Shows `path` in `table`, and the way to the pages before and after it below. `load(query)` begins anew at the first page;
 * `again()` reads the page that is shown once more. `unit` is what is counted, one and more of it.
 */
export function pages({ path, table, signal, unit = ["entry", "entries"], size = 25, prepare = async (rows) => rows }) {
  const told = h("p", { class: "soft", role: "status" });
  const turns = h("div", { class: "actions" });
  // Not seen before the first rows are there: it would jump.
  const element = h("nav", { class: "pages", "aria-label": "Pages", hidden: true }, told, turns);
  let visited = [];
  let latest = 0;

  async function read(target, back) {
    latest += 1;
    const mine = latest;
    table.busy();
    try {
      const answer = await call("GET", target, { signal });
      const rows = await prepare(answer.body);
      if (mine !== latest || signal.aborted) return;
      table.fill(rows);
      show(answer, back);
    } catch (problem) {
      if (mine !== latest || signal.aborted) return;
      if (!("kind" in problem)) throw problem;
      table.fail(problem, () => read(target, back));
    }
  }

  function show({ body, next, total }, back) {
    const turn = (name, to, pages) => {
      const made = button(name, () => {
        visited = pages;
        read(to, name);
      });
      made.disabled = !to;
      return made;
    };
    const earlier = turn("Previous", visited[visited.length - 2], visited.slice(0, -1));
    const later = turn("Next", next, next ? [...visited, next] : visited);
    element.hidden = false;
    fill(told, range((visited.length - 1) * size, body.length, total));
    fill(turns, (!earlier.disabled || !later.disabled) && [earlier, later]);
    // The button that was pressed is a new one now, or the other where the list ends.
    if (back) [later, earlier].filter((one) => !one.disabled).sort((one) => (one.textContent === back ? -1 : 1))[0]?.focus();
  }

  /** `26–50 of 1,204 users`, or as much of that as is known. */
  function range(before, rows, total) {
    const [one, more] = unit;
    if (!rows) return `No ${more}`;
    if (before === 0 && rows === 1 && !(total > 1)) return `1 ${one}`;
    return `${count(before + 1)}–${count(before + rows)}${Number.isNaN(total) ? "" : ` of ${count(total)}`} ${more}`;
  }

  return {
    element,
    load(query = {}) {
      const kept = Object.entries(query).filter(([, value]) => value !== "" && value !== undefined && value !== null);
      visited = [`${path}?${new URLSearchParams([...kept, ["limit", String(size)]])}`];
      return read(visited[0]);
    },
    again: () => read(visited[visited.length - 1]),
  };
}
