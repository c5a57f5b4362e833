// Tables that stay tables for screen readers also where, on a narrow screen, each row is shown as a card.

import { fill, h } from "./dom.js";
import { failure } from "./parts.js";

/** As many rows stand grey while the first ones are on their way. */
const WAITING = 6;

/**
 * A table named `caption`. A column is `{ label, cell, kind }`, where `cell` makes the content of a row's cell; the first names its row.
 * `sort` of a column is the field to order by: its heading is a button then, which calls `onSort` with it.
 */
export function table({ caption, columns, empty = "There is nothing here.", waiting = WAITING, sorted = "", onSort }) {
  const body = h("tbody", { role: "rowgroup" });
  const heads = columns.map((column) => head(column, sorted, onSort));
  const whole = h(
    "table",
    { role: "table", "aria-busy": "true" },
    h("caption", { class: "unseen" }, caption),
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, heads)),
    body,
  );
  const element = h("div", { class: "table-frame" }, whole);
  const across = (content, kind) => h("tr", { role: "row", class: kind }, h("td", { role: "cell", colspan: columns.length }, content));
  fill(body, Array.from({ length: waiting }, () => bones(columns)));
  return {
    element,
    /** Shows these rows. */
    fill(rows) {
      const made = rows.map((row) => line(columns, row));
      fill(body, made.length ? made : across(typeof empty === "function" ? empty() : empty, "empty"));
      whole.setAttribute("aria-busy", "false");
      element.classList.remove("fading");
    },
    /** What is shown is about to be replaced. */
    busy() {
      whole.setAttribute("aria-busy", "true");
      element.classList.add("fading");
    },
    /** Shows why there are no rows. */
    fail(problem, again) {
      fill(body, across(failure(problem, again), "empty"));
      whole.setAttribute("aria-busy", "false");
      element.classList.remove("fading");
    },
  };
}

function head({ label, kind = "", sort, quiet }, sorted, onSort) {
  const attributes = { role: "columnheader", scope: "col", class: kind };
  if (!sort || !onSort) return h("th", attributes, quiet ? h("span", { class: "unseen" }, label) : label);
  const is = sorted === sort ? "ascending" : sorted === `-${sort}` ? "descending" : null;
  const next = is === "ascending" ? `-${sort}` : sort;
  return h(
    "th",
    { ...attributes, "aria-sort": is },
    h("button", { type: "button", class: `sort ${is || ""}`, on: { click: () => onSort(next) } }, label),
  );
}

function line(columns, row) {
  return h(
    "tr",
    { role: "row" },
    columns.map(({ label, cell, kind = "", quiet }, index) => {
      const attributes = { class: kind, "data-label": quiet ? null : label };
      return index === 0
        ? h("th", { ...attributes, role: "rowheader", scope: "row" }, cell(row))
        : h("td", { ...attributes, role: "cell" }, cell(row));
    }),
  );
}

function bones(columns) {
  return h(
    "tr",
    { role: "row", class: "bones", "aria-hidden": "true" },
    columns.map(() => h("td", { role: "cell" }, h("div", { class: "bone" }))),
  );
}
