// Small pieces that several views show.

import { fill, h } from "./dom.js";
import { ago, called, initials, moment } from "./format.js";
import { icon } from "./icons.js";
import { sentence } from "./problem.js";

/** A button. */
export function button(text, press, { kind = "plain", picture, ...attributes } = {}) {
  return h(
    "button",
    { type: "button", class: `button ${kind}`, ...attributes, on: { click: press } },
    picture && icon(picture),
    h("span", {}, text),
  );
}

/** A link that looks like a button. */
export function linkButton(text, href, { kind = "plain", picture } = {}) {
  return h("a", { class: `button ${kind}`, href }, picture && icon(picture), h("span", {}, text));
}

/** A state in a word, with a colour beside it: good, warn, bad or quiet. */
export function badge(text, tone = "quiet") {
  return h("span", { class: `badge ${tone}` }, text);
}

/** Words such as roles. */
export function chips(words) {
  if (!words.length) return h("span", { class: "soft" }, "None");
  return h("ul", { class: "chips" }, words.map((word) => h("li", {}, word)));
}

/** How long ago, and when exactly. */
export function time(text) {
  if (!text) return h("span", { class: "soft" }, "–");
  return h("time", { datetime: text, title: moment(text) }, ago(text));
}

/** A user's letters in a circle. */
export function avatar(user, size = "") {
  return h("span", { class: `avatar tint-${user.id % 6} ${size}`, "aria-hidden": "true" }, initials(user));
}

/** A user with a link to the page about them. */
export function person(user) {
  const name = called(user);
  return h(
    "div",
    { class: "person" },
    avatar(user),
    h(
      "div",
      { class: "person-text" },
      h("a", { href: `#/users/${user.id}` }, name),
      name !== user.email && h("span", { class: "soft ellipsis" }, user.email),
    ),
  );
}

/** A part of a view with a heading of its own, what can be done beside it, and its content. */
export function card(title, { actions = [], note, level = "h2", className = "" } = {}, ...content) {
  return h(
    "section",
    { class: `card ${className}`, "aria-label": title },
    h(
      "div",
      { class: "card-head" },
      h("div", {}, h(level, {}, title), note && h("p", { class: "soft" }, note)),
      actions.length > 0 && h("div", { class: "actions" }, actions),
    ),
    ...content,
  );
}

/** A view's head: its title, what it is about, and what can be done in it. */
export function heading(title, { note, actions = [], before } = {}) {
  return h(
    "header",
    { class: "view-head" },
    before,
    h("div", { class: "view-title" }, h("h1", { tabindex: "-1" }, title), note && h("p", { class: "soft" }, note)),
    h("div", { class: "actions" }, actions),
  );
}

/** Names and values. */
export function facts(pairs) {
  return h(
    "dl",
    { class: "facts" },
    pairs.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
  );
}

/** What went wrong where something should stand, and how to try once more. */
export function failure(problem, again) {
  return h(
    "div",
    { class: "failure", role: "alert" },
    icon("alert"),
    h(
      "div",
      {},
      h("p", {}, sentence(problem.message)),
      problem.request && h("p", { class: "soft" }, "Request ", h("code", {}, problem.request)),
    ),
    again && button("Try again", again),
  );
}

/** Loads into `place`: what `work` resolves to, or why it did not. What was left in the meantime says nothing. */
export async function into(place, signal, work) {
  place.setAttribute("aria-busy", "true");
  try {
    const content = await work();
    if (!signal.aborted) fill(place, content);
  } catch (problem) {
    if (signal.aborted) return;
    if (!("kind" in problem)) console.error(problem);
    fill(place, failure(problem, () => into(place, signal, work)));
  } finally {
    if (!signal.aborted) place.removeAttribute("aria-busy");
  }
}

/** Grey lines of the size of what is coming. */
export function waiting(lines = 3) {
  return h("div", { class: "waiting", "aria-hidden": "true" }, Array.from({ length: lines }, () => h("div", { class: "bone" })));
}

/** A value to be copied: a text that is shown whole, and a button. */
export function copyable(label, value) {
  const shown = h("output", { class: "copy-value", tabindex: "0", "aria-label": label }, value);
  const copy = button("Copy", async () => {
    try {
      await navigator.clipboard.writeText(value);
      fill(copy, icon("check"), h("span", {}, "Copied"));
    } catch {
      getSelection().selectAllChildren(shown);
    }
  }, { picture: "copy" });
  return h("div", { class: "copy" }, shown, copy);
}
