// One service account: what it may do, and its secrets.

import { say } from "../announce.js";
import { confirm, show } from "../dialog.js";
import { fill, h } from "../dom.js";
import { form } from "../form.js";
import { icon } from "../icons.js";
import { button, card, copyable, into, time, waiting } from "../parts.js";
import { call } from "../session.js";
import { table } from "../table.js";
import { granted, rights, standing } from "./accounts.js";
import { roles } from "./users.js";

export function view(place, { parameters: [name], signal }) {
  const path = `/api_v1/service-accounts/${encodeURIComponent(name)}`;
  const back = h("a", { class: "back", href: "#/accounts" }, icon("back"), "Service accounts");
  const body = h("div", {}, card("Account", {}, waiting(6)));
  fill(place, h("header", { class: "view-head" }, back, h("div", { class: "view-title" }, h("h1", { tabindex: "-1" }, name))), body);
  const load = () => into(body, signal, async () => {
    const [{ body: account }, known] = await Promise.all([call("GET", path, { signal }), roles()]);
    return [
      h("div", { class: "person summary" }, h("div", { class: "person-text" }, h("span", {}, standing(account)), h("span", { class: "soft" }, "Created ", time(account.created_at))), h("div", { class: "actions" }, turn(account, path, load))),
      rightsCard(account, known, path, load),
      secrets(account, path, load),
      gone(account, path),
    ];
  });
  load();
}

function turn(account, path, load) {
  const active = account.is_active;
  const ask = () => confirm({
    title: active ? `Disable ${account.name}?` : `Enable ${account.name}?`,
    text: active ? "It gets no tokens any more, and those it has end at once." : "Its secrets are good again.",
    action: active ? "Disable" : "Enable",
    kind: active ? "danger" : "main",
    run: async () => {
      await call("PATCH", path, { body: { is_active: !active } });
      say(`${account.name} is ${active ? "disabled" : "enabled"}.`);
    },
  }).then((done) => done && load());
  return button(active ? "Disable" : "Enable", ask, { kind: "plain small" });
}

function rightsCard(account, known, path, load) {
  const submit = async (values) => {
    await call("PATCH", path, { body: granted(values) });
    say("The account is saved.");
    load();
  };
  return card("What it may do", { note: "Its tokens end where it may do something else from then on." }, form(rights(known, account), { action: "Save", start: false, submit }));
}

function secrets(account, path, load) {
  const make = async () => {
    let made = null;
    const done = await confirm({
      title: "Give it another secret?",
      text: "Those it has stay good, so that one can be replaced while it is in use.",
      action: "Make one",
      kind: "main",
      run: async () => {
        made = (await call("POST", `${path}/secrets`, { body: {} })).body;
      },
    });
    if (!done) return;
    await show("Keep this secret now", h("p", {}, "It is shown this one time, and kept here as a hash alone."), copyable("Secret", made.secret));
    load();
  };
  const list = table({
    caption: "Secrets",
    empty: "It has no secret, and so gets no token.",
    columns: [
      { label: "Secret", cell: (secret) => `Number ${secret.id}` },
      { label: "Created", cell: (secret) => time(secret.created_at) },
      { label: "Last used", cell: (secret) => time(secret.last_used_at) },
      { label: "Ends", cell: (secret) => (secret.expires_at ? time(secret.expires_at) : "Never") },
      { label: "Actions", quiet: true, kind: "end", cell: (secret) => revoke(secret, path, load) },
    ],
  });
  list.fill(account.secrets);
  return card("Secrets", { className: "flush", actions: [button("New secret", make, { kind: "plain small", picture: "plus" })] }, list.element);
}

function revoke(secret, path, load) {
  const ask = () => confirm({
    title: `Revoke secret ${secret.id}?`,
    text: "It is good no more, and tokens that were got with it end at once.",
    action: "Revoke",
    run: async () => {
      await call("DELETE", `${path}/secrets/${secret.id}`);
      say("The secret is revoked.");
    },
  }).then((done) => done && load());
  return h("button", { type: "button", class: "button plain small", on: { click: ask } }, "Revoke", h("span", { class: "unseen" }, ` secret ${secret.id}`));
}

function gone(account, path) {
  const ask = async () => {
    const done = await confirm({
      title: `Delete ${account.name}?`,
      text: "Its secrets and tokens end at once. It can't be undone.",
      action: "Delete for good",
      run: async () => {
        await call("DELETE", path);
        say(`${account.name} is deleted.`);
      },
    });
    if (done) location.hash = "#/accounts";
  };
  return card("When it is not needed any more", { actions: [button("Delete", ask, { kind: "danger" })], note: "Deletes the account for good." });
}
