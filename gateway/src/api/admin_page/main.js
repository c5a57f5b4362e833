// Where the page begins: the sign-in, and behind it the views.

import { fill } from "./dom.js";
import { heading } from "./parts.js";
import { clear } from "./people.js";
import { route } from "./router.js";
import { handle, leave, me, signOut } from "./session.js";
import { shell } from "./shell.js";
import { view as account } from "./views/account.js";
import { view as accounts } from "./views/accounts.js";
import { view as audit } from "./views/audit.js";
import { view as keys } from "./views/keys.js";
import { view as overview } from "./views/overview.js";
import { view as routes } from "./views/routes.js";
import { view as services } from "./views/services.js";
import { view as sessions } from "./views/sessions.js";
import { againDialog, signInView } from "./views/sign_in.js";
import { view as user } from "./views/user.js";
import { view as users } from "./views/users.js";

const VIEWS = [
  { section: "overview", pattern: /^\/$/, title: "Overview", view: overview },
  { section: "users", pattern: /^\/users$/, title: "Users", view: users },
  { section: "users", pattern: /^\/users\/([^/]+)$/, title: "User", view: user },
  { section: "sessions", pattern: /^\/sessions$/, title: "Sessions", view: sessions },
  { section: "services", pattern: /^\/services$/, title: "Services", view: services },
  { section: "routes", pattern: /^\/routes$/, title: "Routes", view: routes },
  { section: "accounts", pattern: /^\/accounts$/, title: "Service accounts", view: accounts },
  { section: "accounts", pattern: /^\/accounts\/([^/]+)$/, title: "Service account", view: account },
  { section: "keys", pattern: /^\/keys$/, title: "Keys", view: keys },
  { section: "audit", pattern: /^\/audit$/, title: "Audit", view: audit },
];

const page = document.getElementById("page");
let stop = () => {};

function gate(message) {
  stop();
  stop = () => {};
  clear();
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
  document.title = "Sign in · Platform";
  fill(page, signInView({ message, done: enter }));
}

function enter() {
  const { element, main, mark } = shell({ user: me(), leave: out });
  fill(page, element);
  const lost = {
    title: "Not found",
    view: (place) => fill(place, heading("There is no such view", { note: "The address may be that of another version." })),
  };
  stop = route({ routes: VIEWS, place: main, shown: ({ section }) => mark(section), lost });
}

async function out() {
  await signOut();
  gate("You are signed out.");
}

handle({ ended: () => gate("Your session has ended. Sign in to go on."), again: againDialog });
addEventListener("pagehide", (event) => {
  if (!event.persisted) leave();
});
gate("");
