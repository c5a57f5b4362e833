// The audit log: who did what, on whom, from where; and whether anybody has changed it.

import { fill, h, id } from "../dom.js";
import { called, counted } from "../format.js";
import { icon } from "../icons.js";
import { pages } from "../pages.js";
import { badge, button, heading, time } from "../parts.js";
import { all } from "../people.js";
import { sentence } from "../problem.js";
import { remember } from "../router.js";
import { call } from "../session.js";
import { table } from "../table.js";

/** A filter is taken so long after the last key, in milliseconds. */
const PAUSE = 350;

export function view(place, { query, signal }) {
  const wanted = { actor: query.get("actor") || "", action: query.get("action") || "", target: query.get("target") || "", since: query.get("since") || "" };
  const actions = h("datalist", { id: id("actions") });
  const list = auditTable("Audit log", {});
  const shown = pages({
    path: "/api_v1/audit",
    table: list,
    signal,
    prepare: async (entries) => {
      suggest(actions, entries);
      return named(entries);
    },
  });
  const load = () => {
    remember("/audit", wanted);
    return shown.load({ ...wanted, since: moment(wanted.since) });
  };
  let timer = 0;
  signal.addEventListener("abort", () => clearTimeout(timer));
  const filter = (name, label, attributes) => {
    const input = h("input", { id: id(name), autocomplete: "off", spellcheck: "false", maxlength: 100, ...attributes });
    input.value = wanted[name];
    input.addEventListener("input", () => {
      wanted[name] = input.value.trim();
      clearTimeout(timer);
      timer = setTimeout(load, PAUSE);
    });
    return h("div", {}, h("label", { for: input.id }, label), input);
  };
  const verdict = h("div", { class: "verdict", role: "status" });
  fill(
    place,
    heading("Audit", {
      note: "Every sign-in and every change, in a chain that shows if anybody has touched it.",
      actions: [button("Check the chain", () => check(verdict, signal), { picture: "check" })],
    }),
    verdict,
    h(
      "form",
      { role: "search", class: "toolbar", "aria-label": "Filter", on: { submit: (event) => event.preventDefault() } },
      filter("actor", "Who", { placeholder: "A number, operator, service:…" }),
      filter("action", "What", { placeholder: "create_user", list: actions.id }),
      filter("target", "On what", { placeholder: "users/7" }),
      filter("since", "Since", { type: "datetime-local" }),
      actions,
    ),
    list.element,
    shown.element,
  );
  load();
}

/** A time of this place as the API reads it. */
function moment(local) {
  const at = new Date(local);
  return local && !Number.isNaN(at.getTime()) ? at.toISOString() : "";
}

function suggest(datalist, entries) {
  const known = new Set([...datalist.children].map((option) => option.value));
  for (const { action } of entries) {
    if (!known.has(action)) datalist.append(h("option", { value: action }));
    known.add(action);
  }
}

async function check(verdict, signal) {
  fill(verdict, h("p", { class: "banner quiet" }, "Reading the whole log…"));
  try {
    const { body } = await call("GET", "/api_v1/audit/check", { signal });
    fill(verdict, body.intact
      ? h("p", { class: "banner good" }, icon("check"), `The chain is whole: ${counted(body.entries, "entry", "entries")}, each as it was written.`)
      : h("p", { class: "banner bad" }, icon("alert"), `The chain is broken at entry ${body.broken_at}: it was changed, or one before it is gone.`));
  } catch (problem) {
    if (!signal.aborted) fill(verdict, h("p", { class: "banner bad" }, icon("alert"), sentence(problem.message)));
  }
}

/** The entries with the users that they name. */
export async function named(entries) {
  const ids = entries.flatMap(({ actor, target }) => [numbered(actor), ofUser(target)]).filter(Boolean);
  const users = await all(ids);
  return entries.map((entry) => ({ ...entry, who: users.get(numbered(entry.actor)), whom: users.get(ofUser(entry.target)) }));
}

const numbered = (actor) => (/^\d+$/.test(actor) ? actor : undefined);
const ofUser = (target) => /^users\/(\d+)$/.exec(target || "")?.[1];

/** A table of entries that went through `named`. */
export function auditTable(caption, { waiting }) {
  return table({
    caption,
    waiting,
    empty: "Nothing of that kind has happened.",
    columns: [
      { label: "What", kind: "wide", cell: what },
      { label: "Who", cell: ({ actor, who }) => somebody(actor, numbered(actor), who) },
      { label: "On what", cell: ({ target, whom }) => (target ? somebody(target, ofUser(target), whom) : h("span", { class: "soft" }, "–")) },
      { label: "When, from where", kind: "nowrap", cell: ({ at, address }) => h("div", { class: "stack" }, time(at), address && h("code", { class: "soft" }, address)) },
    ],
  });
}

function what({ action, outcome, detail }) {
  return h(
    "div",
    { class: "stack" },
    h("span", { class: "line" }, h("span", { class: "strong" }, words(action)), outcome !== "done" && badge(outcome, "bad")),
    h("span", { class: "soft clip", title: detail }, detail || h("code", {}, action)),
  );
}

/** Operations whose names say little to who does not call them. */
const NAMES = {
  create_access_token: "Sign in",
  refresh_access_token: "Stay signed in",
  log_out: "Sign out",
  patch_user: "Change user",
  update_user: "Change user",
  patch_me: "Change own account",
  update_me: "Change own account",
  patch_service_account: "Change service account",
};

/** An operation as words. */
const words = (action) => NAMES[action] || sentence(action.replaceAll("_", " ")).slice(0, -1);

function somebody(text, number, user) {
  if (!number) return h("span", { class: "clip mono", title: text }, text);
  return h("a", { href: `#/users/${number}`, class: "clip" }, user ? called(user) : `User ${number}`);
}
