// What tokens are signed with: rotation, and taking a key out of use.

import { say } from "../announce.js";
import { confirm, open } from "../dialog.js";
import { fill, h } from "../dom.js";
import { field, form } from "../form.js";
import { badge, button, card, heading, time } from "../parts.js";
import { call } from "../session.js";
import { table } from "../table.js";

const PURPOSES = [
  ["access", "Access tokens", "What clients carry. Anybody can check them with the public half."],
  ["internal", "Internal tokens", "What the gateway gives to services, a minute at a time."],
];
const STATES = { next: ["Next", "quiet"], active: ["Signs", "good"], retired: ["Retired", "warn"] };

export function view(place, { signal }) {
  const load = async () => {
    try {
      const { body } = await call("GET", "/api_v1/keys", { signal });
      for (const [purpose, list] of lists) list.fill(body.filter((key) => key.purpose === purpose).reverse());
    } catch (problem) {
      if (!signal.aborted) for (const [, list] of lists) list.fail(problem, load);
    }
  };
  const lists = PURPOSES.map(([purpose, name]) => [purpose, keysTable(name, load)]);
  fill(
    place,
    heading("Keys", { note: "A key is published before it signs, and verifies until its last token has expired: a rotation breaks nothing." }),
    PURPOSES.map(([purpose, name, note], index) =>
      card(name, { note, className: "flush", actions: [button("Rotate", () => rotate(purpose, name, load), { "aria-label": `Rotate ${name}`, picture: "refresh" })] }, lists[index][1].element),
    ),
  );
  load();
}

function keysTable(name, changed) {
  return table({
    caption: `Keys of ${name.toLowerCase()}`,
    waiting: 2,
    columns: [
      { label: "Key", kind: "wide", cell: (key) => h("code", { class: "clip", title: key.kid }, key.kid) },
      { label: "Algorithm", cell: (key) => key.algorithm },
      { label: "State", cell: (key) => badge(...(STATES[key.state] || [key.state])) },
      { label: "Signs from", kind: "nowrap", cell: (key) => time(key.signs_from) },
      { label: "Verifies until", kind: "nowrap", cell: (key) => time(key.verifies_until) },
      { label: "Actions", quiet: true, kind: "end", cell: (key) => retireButton(key, changed) },
    ],
  });
}

async function rotate(purpose, name, changed) {
  const options = [["", "As it is"], ["EdDSA", "EdDSA (Ed25519)"], ["ES256", "ES256 (P-256)"]];
  const algorithm = field("algorithm", "Algorithm of the next key", { type: "choice", options, hint: "ES256 is for clients that lack Ed25519." });
  const done = await open(`Rotate the key of ${name.toLowerCase()}`, (close) => [
    h("p", {}, "The next key begins to sign as soon as everybody can know it. Tokens that are out stay good."),
    form([algorithm], {
      action: "Rotate",
      cancel: close,
      submit: async (values) => close((await call("POST", "/api_v1/keys/rotate", { body: { purpose, ...(values.algorithm && { algorithm: values.algorithm }) } })).body),
    }),
  ]);
  if (!done) return;
  say(done.state === "active" ? "The next key signs now." : "The next key is to sign as soon as it has been published for long enough.");
  changed();
}

function retireButton(key, changed) {
  if (key.state === "retired" && (!key.verifies_until || new Date(key.verifies_until) <= new Date())) return h("span", { class: "soft" }, "Out of use");
  const ask = async () => {
    const done = await confirm({
      title: "Retire this key at once?",
      text: "For a key that somebody else may have. Every token that it signed is refused from now on; clients renew theirs by themselves.",
      action: "Retire it",
      run: async () => {
        await call("POST", `/api_v1/keys/${encodeURIComponent(key.kid)}/retire`);
        say("The key is out of use.");
      },
    });
    if (done) changed();
  };
  return h("button", { type: "button", class: "button plain small", on: { click: ask } }, "Retire", h("span", { class: "unseen" }, ` key ${key.kid}`));
}
