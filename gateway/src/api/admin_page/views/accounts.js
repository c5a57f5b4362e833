// Accounts under which services call.

import { say } from "../announce.js";
import { open } from "../dialog.js";
import { fill, h } from "../dom.js";
import { field, form } from "../form.js";
import { badge, button, chips, heading, time } from "../parts.js";
import { call } from "../session.js";
import { table } from "../table.js";
import { roles } from "./users.js";

const PATH = "/api_v1/service-accounts";

export function view(place, { signal }) {
  const list = table({
    caption: "Service accounts",
    waiting: 3,
    empty: "No service has an account yet.",
    columns: [
      {
        label: "Account",
        kind: "wide",
        cell: (account) => h("div", { class: "stack" }, h("a", { href: `#/accounts/${account.name}` }, account.name), account.description && h("span", { class: "soft clip" }, account.description)),
      },
      { label: "State", cell: standing },
      { label: "Roles", cell: (account) => chips(account.roles) },
      { label: "Scopes", cell: (account) => chips(account.scopes) },
      { label: "Secret last used", kind: "nowrap", cell: (account) => time(account.secrets.map((secret) => secret.last_used_at).filter(Boolean).sort().pop()) },
    ],
  });
  const load = async () => {
    try {
      list.fill((await call("GET", PATH, { signal })).body);
    } catch (problem) {
      if (!signal.aborted) list.fail(problem, load);
    }
  };
  fill(
    place,
    heading("Service accounts", { note: "Under which services and jobs call, with secrets of their own.", actions: [button("New account", create, { kind: "main", picture: "plus" })] }),
    list.element,
  );
  load();
}

/** Whether it gets tokens. */
export function standing(account) {
  if (!account.is_active) return badge("Disabled", "bad");
  return account.secrets.length ? badge("Active", "good") : badge("No secret", "warn");
}

/** What an account may do, as fields. */
export function rights(known, account = { roles: [], scopes: [], audiences: [] }) {
  return [
    field("description", "What it is for", { value: account.description, optional: true, maxlength: 255 }),
    field("roles", "Roles", { type: "choices", value: account.roles, options: known.map((role) => [role.name, role.name, role.description]) }),
    field("scopes", "Scopes", { value: account.scopes.join(" "), hint: "Separated by spaces, such as users:read audit:read. Without any it may do nothing.", spellcheck: "false" }),
    field("audiences", "Services it may call directly", { value: account.audiences.join(" "), optional: true, spellcheck: "false", hint: "Separated by spaces." }),
  ];
}

/** What was filled into them, as the API takes it. */
export function granted({ description, scopes, audiences, ...values }) {
  const listed = (text) => text.split(/[\s,]+/).filter(Boolean);
  return { ...values, description: description || null, scopes: listed(scopes), audiences: listed(audiences) };
}

async function create() {
  const known = await roles();
  const name = field("name", "Name", { required: true, maxlength: 64, autocomplete: "off", spellcheck: "false", hint: "Such as orders: small letters, digits and hyphens." });
  const done = await open("New service account", (close) =>
    form([name, ...rights(known)], {
      action: "Create",
      cancel: close,
      submit: async (values) => close((await call("POST", PATH, { body: granted(values) })).body),
    }),
  );
  if (!done) return;
  say(`${done.name} is created. It needs a secret.`);
  location.hash = `#/accounts/${done.name}`;
}
