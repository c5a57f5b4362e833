// Who is signed in, and from where.

import { say } from "../announce.js";
import { confirm } from "../dialog.js";
import { fill, h } from "../dom.js";
import { called, device } from "../format.js";
import { pages } from "../pages.js";
import { button, heading, person, time } from "../parts.js";
import { all } from "../people.js";
import { call } from "../session.js";
import { table } from "../table.js";

export function view(place, { signal }) {
  const list = sessionsTable("Sessions", { whose: true, ended: () => shown.again(), path: (session) => `/api_v1/users/${session.user_id}/sessions` });
  const shown = pages({ path: "/api_v1/sessions", table: list, signal, unit: ["session", "sessions"], prepare: withUsers });
  fill(
    place,
    heading("Sessions", {
      note: "Every sign-in that has not ended, the newest first.",
      actions: [button("Refresh", () => shown.again(), { picture: "refresh" })],
    }),
    list.element,
    shown.element,
  );
  shown.load();
}

async function withUsers(sessions) {
  const users = await all(sessions.map((session) => session.user_id));
  return sessions.map((session) => ({ ...session, user: users.get(String(session.user_id)) }));
}

/** A table of sessions; with `whose`, of many users. */
export function sessionsTable(caption, { whose, waiting, ended, path }) {
  const user = { label: "User", kind: "wide", cell: ({ user, user_id: id }) => (user ? person(user) : `User ${id}`) };
  const columns = [
    {
      label: "Device",
      kind: "wide",
      cell: (session) => h("span", { class: "clip", title: session.device }, device(session.device)),
    },
    { label: "Address", cell: ({ address }) => h("code", {}, address || "–") },
    { label: "Signed in", kind: "nowrap", cell: (session) => time(session.created_at) },
    { label: "Last used", kind: "nowrap", cell: (session) => time(session.last_used_at) },
    { label: "Actions", quiet: true, kind: "end", cell: (session) => endButton(session, { ended, path }) },
  ];
  return table({ caption, waiting, empty: "Nobody is signed in.", columns: whose ? [user, ...columns] : columns });
}

function endButton(session, { ended, path }) {
  if (session.current) return h("span", { class: "soft" }, "This one");
  const what = `${device(session.device)}${session.user ? ` of ${called(session.user)}` : ""}`;
  const ask = async () => {
    const done = await confirm({
      title: "End this session?",
      text: `${what}: signed out at once, with every token.`,
      action: "End it",
      run: async () => {
        await call("DELETE", `${path(session)}/${encodeURIComponent(session.id)}`);
        say("The session has ended.");
      },
    });
    if (done) ended();
  };
  return h("button", { type: "button", class: "button plain small", on: { click: ask } }, "End", h("span", { class: "unseen" }, ` session ${what}`));
}
