// What stands around every view: the way to the others, and who is signed in.

import { h } from "./dom.js";
import { called } from "./format.js";
import { icon, sign } from "./icons.js";
import { avatar } from "./parts.js";

const SECTIONS = [
  ["", [["overview", "Overview", "/"]]],
  [
    "People",
    [
      ["users", "Users", "/users"],
      ["sessions", "Sessions", "/sessions"],
    ],
  ],
  [
    "Platform",
    [
      ["services", "Services", "/services"],
      ["routes", "Routes", "/routes"],
      ["accounts", "Service accounts", "/accounts"],
      ["keys", "Keys", "/keys"],
      ["audit", "Audit", "/audit"],
    ],
  ],
];

/** The shell; `main` is where views stand, `mark(section)` says which is shown. */
export function shell({ user, leave }) {
  const main = h("main", { id: "main", tabindex: "-1" });
  const links = new Map();
  const groups = SECTIONS.map(([name, entries]) =>
    h(
      "div",
      { class: "nav-group" },
      name && h("h2", { class: "nav-name" }, name),
      h("ul", {}, entries.map(([section, text, path]) => {
        const link = h("a", { href: `#${path}` }, icon(section), h("span", {}, text));
        links.set(section, link);
        return h("li", {}, link);
      })),
    ),
  );
  const menu = h("button", { type: "button", class: "button plain menu", "aria-expanded": "false", "aria-controls": "sections" }, icon("menu"), h("span", {}, "Menu"));
  const nav = h("nav", { id: "sections", "aria-label": "Sections" }, groups);
  const toggle = (open) => {
    menu.setAttribute("aria-expanded", String(open));
    side.classList.toggle("open", open);
  };
  const account = h(
    "div",
    { class: "account" },
    avatar(user),
    h("div", { class: "person-text" }, h("span", { class: "ellipsis strong" }, called(user)), called(user) !== user.email && h("span", { class: "soft ellipsis" }, user.email)),
    h("button", { type: "button", class: "button ghost", on: { click: leave }, title: "Sign out" }, icon("out"), h("span", { class: "unseen" }, "Sign out")),
  );
  const side = h(
    "div",
    { class: "side" },
    h("div", { class: "brand" }, h("a", { href: "#/", class: "wordmark" }, sign(), h("span", {}, "Platform")), menu),
    h("div", { class: "side-rest" }, nav, account),
  );
  menu.addEventListener("click", () => toggle(menu.getAttribute("aria-expanded") !== "true"));
  side.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && side.classList.contains("open")) {
      toggle(false);
      menu.focus();
    }
  });
  const skip = h("a", { class: "skip", href: "#main", on: { click: (event) => {
    // The address is the view's; only the focus moves.
    event.preventDefault();
    main.focus();
  } } }, "Skip to the content");
  const mark = (section) => {
    toggle(false);
    for (const [name, link] of links) {
      if (name === section) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
  };
  return { element: h("div", { class: "shell" }, skip, h("header", { class: "side-frame" }, side), main), main, mark };
}
