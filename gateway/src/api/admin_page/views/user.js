// One user: who they are, what they may do, where they are signed in, and what was done to them.

import { say } from "../announce.js";
import { confirm, open } from "../dialog.js";
import { fill, h } from "../dom.js";
import { called } from "../format.js";
import { field, form } from "../form.js";
import { icon } from "../icons.js";
import { avatar, button, card, facts, into, linkButton, time, waiting } from "../parts.js";
import { clear } from "../people.js";
import { call, me } from "../session.js";
import { auditTable, named } from "./audit.js";
import { sessionsTable } from "./sessions.js";
import { brought, roles, state, turnButton } from "./users.js";

/** As many entries of the audit log are shown. */
const LATELY = 10;

export function view(place, { parameters: [id], signal }) {
  const path = `/api_v1/users/${encodeURIComponent(id)}`;
  const back = h("a", { class: "back", href: "#/users" }, icon("back"), "Users");
  const title = h("h1", { tabindex: "-1" }, "User");
  const head = h("header", { class: "view-head" }, back, h("div", { class: "view-title" }, title));
  const body = h("div", {}, card("Account", {}, waiting(6)));
  fill(place, head, body);
  const load = () => into(body, signal, async () => {
    const [{ body: user, etag }, known] = await Promise.all([call("GET", path, { signal }), roles()]);
    document.title = `${called(user)} · Platform`;
    fill(title, called(user));
    return content({ user, etag, known, path, signal, load });
  });
  load();
}

function content({ user, etag, known, path, signal, load }) {
  const sessions = sessionsCard({ user, path, signal });
  return [
    h(
      "div",
      { class: "person summary" },
      avatar(user, "large"),
      h("div", { class: "person-text" }, h("span", {}, h("span", {}, user.email), state(user)), h("span", { class: "soft" }, "Number ", String(user.id), ", created ", time(user.created_at))),
      h("div", { class: "actions" }, turnButton(user, load), button("Reset password", () => reset(user, path), { kind: "plain small" })),
    ),
    h("div", { class: "columns" }, profile({ user, etag, path, load }), rolesCard({ user, etag, known, path, load })),
    sessions,
    activity(user, signal),
    danger({ user, path, sessions }),
  ];
}

function profile({ user, etag, path, load }) {
  const fields = [
    field("email", "E-mail", { type: "email", value: user.email, autocomplete: "off", required: true, maxlength: 320 }),
    field("first_name", "First name", { value: user.first_name, autocomplete: "off", optional: true, maxlength: 255 }),
    field("last_name", "Last name", { value: user.last_name, autocomplete: "off", optional: true, maxlength: 255 }),
  ];
  if (user.id === me()?.id) {
    fields.push(field("current_password", "Your password", { type: "password", hint: "For another e-mail address.", autocomplete: "current-password", optional: true, maxlength: 1024 }));
  }
  const submit = async ({ email, first_name: first, last_name: last, current_password: current }) => {
    const proof = current ? { current_password: current } : {};
    await call("PATCH", path, { match: etag, body: { email, first_name: first || null, last_name: last || null, ...proof } });
    clear();
    say("The account is saved.");
    load();
  };
  return card(
    "Account",
    {},
    form(fields, { action: "Save", start: false, submit }),
    facts([
      ["Address confirmed", user.email_verified ? "Yes" : "No"],
      ["Changed", time(user.updated_at)],
    ]),
  );
}

function rolesCard({ user, etag, known, path, load }) {
  const options = known.map((role) => [role.name, role.name, role.description]);
  const submit = async (values) => {
    await call("PATCH", path, { match: etag, body: values });
    say("The roles are saved.");
    load();
  };
  return card(
    "Roles",
    { note: "What they may do. A change holds at once." },
    form([field("roles", "Roles", { type: "choices", value: user.roles, options, unseen: true })], { action: "Save roles", start: false, submit }),
  );
}

function sessionsCard({ user, path, signal }) {
  const list = sessionsTable("Sessions", { whose: false, waiting: 2, ended: () => load(), path: () => `${path}/sessions` });
  const endAll = () => confirm({
    title: `End all sessions of ${called(user)}?`,
    text: "They are signed out everywhere at once, and sign in again with their password.",
    action: "End all",
    run: async () => {
      await call("DELETE", `${path}/sessions`);
      say("All their sessions have ended.");
    },
  }).then((done) => done && load());
  const load = async () => {
    try {
      const { body } = await call("GET", `${path}/sessions`, { signal });
      list.fill(body);
    } catch (problem) {
      if (!signal.aborted) list.fail(problem, load);
    }
  };
  load();
  const own = user.id === me().id;
  return card("Sessions", { note: "Where they are signed in.", className: "flush", actions: own ? [] : [button("End all", endAll, { kind: "plain small" })] }, list.element);
}

function activity(user, signal) {
  const list = auditTable("Activity", { waiting: 4 });
  const load = async () => {
    try {
      const { body } = await call("GET", "/api_v1/audit", { query: { target: `users/${user.id}`, limit: LATELY }, signal });
      list.fill(await named(body));
    } catch (problem) {
      if (!signal.aborted) list.fail(problem, load);
    }
  };
  load();
  const actions = [linkButton("What they did", `#/audit?actor=${user.id}`, { kind: "plain small" })];
  return card("Activity", { note: "What was done to this account.", className: "flush", actions }, list.element);
}

function danger({ user, path }) {
  const name = called(user);
  const act = (title, text, action, run, said, kind = "danger") => () => confirm({
    title,
    text,
    action,
    kind,
    run: async () => {
      await run();
      say(said);
    },
  });
  const unlock = act(`Unlock ${name}?`, "Failed attempts to sign in are forgotten: the next one need not wait.", "Unlock", () => call("POST", `${path}/unlock`), `${name} is unlocked.`, "main");
  const factor = act(`Take the second factor of ${name} away?`, "For who has lost the generator and the recovery codes. All their sessions end.", "Take it away", () => call("DELETE", `${path}/second-factor`), "The second factor is gone.");
  const gone = act(`Delete ${name}?`, "The account is gone for good, and its sessions with it. It can't be undone.", "Delete for good", () => call("DELETE", path), `${name} is deleted.`);
  const remove = async () => {
    if (!(await gone())) return;
    clear();
    location.hash = "#/users";
  };
  const row = (text, about, made) => h("div", { class: "choice" }, h("div", {}, h("p", { class: "strong" }, text), h("p", { class: "soft" }, about)), made);
  return card(
    "When something is wrong",
    {},
    row("Locked out by failed attempts", "Lets them try again at once.", button("Unlock", unlock)),
    row("Second factor lost", "Takes it away; they can set up another.", button("Take away", factor)),
    user.id !== me().id && row("The account should not exist", "Deletes it for good.", button("Delete", remove, { kind: "danger" })),
  );
}

/** A new password: by a link that the user follows, or one that must be changed at the next sign-in. */
async function reset(user, path) {
  const options = [["link", "Give them a link to set one"], ["set", "Set one that they change when they sign in"]];
  const how = field("how", "How", { type: "choice", options, value: "link" });
  const password = field("password", "First password", { type: "password", autocomplete: "new-password", maxlength: 1024, hint: "All their sessions end." });
  password.element.hidden = true;
  how.element.addEventListener("change", () => {
    password.element.hidden = how.read() !== "set";
  });
  const done = await open(`Reset the password of ${called(user)}`, (close) =>
    form([how, password], {
      action: "Reset",
      cancel: close,
      submit: async (values) => {
        if (values.how === "set") {
          await call("PATCH", path, { body: { password: values.password, must_change_password: true } });
          close({ set: true });
        } else {
          close((await call("POST", `${path}/password-reset`, { body: {} })).body);
        }
      },
    }),
  );
  if (done?.set) say("The password is set. They change it when they sign in.");
  else if (done) await brought(user, done, "link");
}
