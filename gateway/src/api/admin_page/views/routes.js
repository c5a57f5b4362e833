// Every operation that the gateway serves, as its own document describes it.

import { fill, h, id } from "../dom.js";
import { counted } from "../format.js";
import { icon } from "../icons.js";
import { heading, linkButton } from "../parts.js";
import { Problem } from "../problem.js";
import { call } from "../session.js";
import { table } from "../table.js";

const METHODS = ["get", "post", "put", "patch", "delete", "head", "options"];

export function view(place, { signal }) {
  const list = table({
    caption: "Operations",
    waiting: 10,
    empty: "No operation is like that.",
    columns: [
      { label: "Path", kind: "wide", cell: (one) => h("span", { class: "operation" }, h("span", { class: `method ${one.method}` }, one.method.toUpperCase()), h("code", { class: "path" }, one.path)) },
      { label: "What it does", cell: (one) => one.summary || one.id },
      { label: "Group", cell: (one) => one.group },
      { label: "Who", kind: "nowrap", cell: (one) => one.who },
    ],
  });
  const search = h("input", { id: id("search"), type: "search", placeholder: "Path or words", autocomplete: "off", spellcheck: "false" });
  const told = h("p", { class: "soft", role: "status" });
  const docs = linkButton("Try them in the docs", "/docs");
  let all = [];
  const narrow = () => {
    const wanted = search.value.trim().toLowerCase().split(/\s+/);
    const found = all.filter((one) => wanted.every((word) => one.text.includes(word)));
    list.fill(found);
    fill(told, counted(found.length, "operation"));
  };
  search.addEventListener("input", narrow);
  const load = async () => {
    try {
      all = operations((await call("GET", "/api_v1/openapi.json", { signal })).body);
      narrow();
    } catch (problem) {
      if (signal.aborted) return;
      const off = problem.status === 404;
      docs.hidden = off;
      list.fail(off ? new Problem(404, { detail: "The document is not served here (gateway.docs is off)" }) : problem, off ? null : load);
    }
  };
  fill(
    place,
    heading("Routes", { note: "Every operation that is served, those of bound services too.", actions: [docs] }),
    h(
      "form",
      { role: "search", class: "toolbar", on: { submit: (event) => event.preventDefault() } },
      h("div", { class: "grow" }, h("label", { for: search.id }, "Search"), h("div", { class: "with-icon" }, icon("search"), search)),
    ),
    list.element,
    h("div", { class: "pages" }, told),
  );
  load();
}

function operations(document) {
  return Object.entries(document.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) => {
      const operation = item[method];
      const one = { path, method, id: operation.operationId || "", summary: operation.summary || "", group: (operation.tags || []).join(", "), who: access(operation) };
      return { ...one, text: Object.values(one).join(" ").toLowerCase() };
    }),
  );
}

const WHO = { public: "Anybody", optional: "Anybody, or signed in", "signed-in": "Signed in" };

/** Who may call, in words. */
function access(operation) {
  const told = String(operation["x-platform-access"] || "");
  return WHO[told] || told.replace(/^role:/, "Role ");
}
