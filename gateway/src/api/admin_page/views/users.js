// All users: found, created, invited.

import { confirm, open, show } from "../dialog.js";
import { fill, h, id } from "../dom.js";
import { called, day } from "../format.js";
import { field, form } from "../form.js";
import { icon } from "../icons.js";
import { pages } from "../pages.js";
import { badge, button, chips, copyable, heading, person, time } from "../parts.js";
import { clear } from "../people.js";
import { remember } from "../router.js";
import { call, me } from "../session.js";
import { say } from "../announce.js";
import { table } from "../table.js";

/** A search begins so long after the last key, in milliseconds. */
const PAUSE = 250;

export function view(place, { query, signal }) {
  const wanted = { q: query.get("q") || "", is_active: query.get("is_active") || "", role: query.get("role") || "", sort: query.get("sort") || "" };
  let list;
  const frame = h("div", {});
  const load = () => {
    remember("/users", wanted);
    return list.load(wanted);
  };
  const begin = () => {
    const users = usersTable(wanted.sort, (sort) => {
      wanted.sort = sort;
      begin();
      frame.querySelector(`th[aria-sort] button`)?.focus();
    });
    list = pages({ path: "/api_v1/users", table: users, signal, unit: ["user", "users"] });
    fill(frame, users.element, list.element);
    load();
  };
  const again = () => list.again();
  const search = h("input", { id: id("search"), type: "search", placeholder: "Name or e-mail", autocomplete: "off", spellcheck: "false", maxlength: 200 });
  search.value = wanted.q;
  let timer = 0;
  search.addEventListener("input", () => {
    wanted.q = search.value.trim();
    clearTimeout(timer);
    timer = setTimeout(load, PAUSE);
  });
  signal.addEventListener("abort", () => clearTimeout(timer));
  const filter = (name, label, options) => {
    const select = h("select", { id: id(name) }, options.map(([value, text]) => h("option", { value, selected: value === wanted[name] }, text)));
    select.addEventListener("change", () => {
      wanted[name] = select.value;
      load();
    });
    return [h("label", { for: select.id }, label), select];
  };
  const [roleLabel, roleSelect] = filter("role", "Role", [["", "Any"]]);
  roles().then((known) => {
    if (signal.aborted) return;
    roleSelect.append(...known.map(({ name }) => h("option", { value: name, selected: name === wanted.role }, name)));
  }, () => {});
  fill(
    place,
    heading("Users", {
      note: "Who may sign in, and what they may do.",
      actions: [
        button("Invite", () => invite(again), { picture: "mail" }),
        button("New user", () => create(again), { kind: "main", picture: "plus" }),
      ],
    }),
    h(
      "form",
      { role: "search", class: "toolbar", on: { submit: (event) => event.preventDefault() } },
      h("div", { class: "grow" }, h("label", { for: search.id }, "Search"), h("div", { class: "with-icon" }, icon("search"), search)),
      h("div", {}, filter("is_active", "State", [["", "Any"], ["true", "Active"], ["false", "Disabled"]])),
      h("div", {}, roleLabel, roleSelect),
    ),
    frame,
  );
  begin();

  function usersTable(sorted, onSort) {
    return table({
      caption: "Users",
      sorted,
      onSort,
      empty: () => h("p", {}, wanted.q || wanted.role || wanted.is_active ? "Nobody is like that." : "There is nobody yet."),
      columns: [
        { label: "User", sort: "email", kind: "wide", cell: person },
        { label: "State", cell: state },
        { label: "Roles", cell: (user) => chips(user.roles) },
        { label: "Created", sort: "created_at", kind: "nowrap", cell: (user) => h("time", { datetime: user.created_at }, day(user.created_at)) },
        { label: "Actions", quiet: true, kind: "end", cell: (user) => turnButton(user, again) },
      ],
    });
  }
}

/** Whether a user may sign in, and what stands in the way. */
export function state(user) {
  if (!user.is_active) return badge("Disabled", "bad");
  if (user.must_change_password) return badge("New password due", "warn");
  return badge("Active", "good");
}

/** Disables a user, or enables them. */
export function turnButton(user, changed) {
  if (user.id === me().id) return h("span", { class: "soft" }, "You");
  const name = called(user);
  const active = user.is_active;
  const turn = async () => {
    await call("PATCH", `/api_v1/users/${user.id}`, { body: { is_active: !active } });
    clear();
    say(`${name} is ${active ? "disabled" : "enabled"}.`);
  };
  const ask = async () => {
    const done = await confirm({
      title: active ? `Disable ${name}?` : `Enable ${name}?`,
      text: active ? "They can't sign in any more, and every session of theirs ends at once." : "They can sign in again, with the password they had.",
      action: active ? "Disable" : "Enable",
      kind: active ? "danger" : "main",
      run: turn,
    });
    if (done) changed();
  };
  return h(
    "button",
    { type: "button", class: "button plain small", on: { click: ask } },
    active ? "Disable" : "Enable",
    h("span", { class: "unseen" }, ` ${name}`),
  );
}

/** The roles there are. */
export async function roles() {
  return (await call("GET", "/api_v1/roles")).body;
}

const named = () => [
  field("first_name", "First name", { autocomplete: "off", optional: true, maxlength: 255 }),
  field("last_name", "Last name", { autocomplete: "off", optional: true, maxlength: 255 }),
];
const address = () => field("email", "E-mail", { type: "email", autocomplete: "off", required: true, maxlength: 320 });
const rolesField = (known) =>
  field("roles", "Roles", { type: "choices", value: ["user"], options: known.map((role) => [role.name, role.name, role.description]) });

/** Only what was filled in. */
const filledIn = (values) => Object.fromEntries(Object.entries(values).filter(([, value]) => value !== ""));

async function create(changed) {
  const known = await roles();
  const done = await open("New user", (close) =>
    form(
      [
        address(),
        ...named(),
        field("password", "First password", { type: "password", autocomplete: "new-password", required: true, maxlength: 1024, hint: "They choose another one when they first sign in." }),
        rolesField(known),
      ],
      {
        action: "Create",
        cancel: close,
        submit: async (values) => {
          const { body } = await call("POST", "/api_v1/users", { body: { ...filledIn(values), must_change_password: true } });
          close(body);
        },
      },
    ),
  );
  if (!done) return;
  say(`${called(done)} is created.`);
  changed();
}

async function invite(changed) {
  const known = await roles();
  const done = await open("Invite a user", (close) =>
    form([address(), ...named(), rolesField(known)], {
      action: "Invite",
      cancel: close,
      submit: async (values) => close((await call("POST", "/api_v1/invitations", { body: filledIn(values) })).body),
    }),
  );
  if (!done) return;
  changed();
  await brought(done.user, done.invitation, "invitation");
}

/** Tells where a link went; it is shown where it was not sent. */
export async function brought(user, { sent, link, expires_at: until }, what) {
  if (sent) return say(`The ${what} is on its way to ${user.email}.`);
  return show(
    `Pass this link on to ${called(user)}`,
    h("p", {}, "The platform sends no mail. The link is shown this one time; whoever has it can set the password."),
    copyable("Link", link),
    h("p", { class: "soft" }, "Good until it is used; it ends ", time(until), "."),
  );
}
