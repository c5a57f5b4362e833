// How the platform is, in one look.

import { fill, h } from "../dom.js";
import { count, counted } from "../format.js";
import { card, heading, into, linkButton, time, waiting } from "../parts.js";
import { call, me } from "../session.js";
import { auditTable, named } from "./audit.js";
import { health } from "./services.js";

/** As many entries of the audit log are shown. */
const LATELY = 8;

export function view(place, { signal }) {
  const tiles = [
    tile("Users", "#/users", signal, async () => {
      const [all, disabled] = await Promise.all([counting({}, signal), counting({ is_active: "false" }, signal)]);
      return [count(all), disabled ? `${count(disabled)} disabled` : "All of them active"];
    }),
    tile("Signed in", "#/sessions", signal, async () => {
      const { body, next } = await call("GET", "/api_v1/sessions", { query: { limit: 100 }, signal });
      const users = new Set(body.map((session) => session.user_id)).size;
      return [`${count(body.length)}${next ? "+" : ""}`, `${body.length === 1 ? "session" : "sessions"} of ${counted(users, "user")}`];
    }),
    tile("Services", "#/services", signal, async () => {
      const { body } = await call("GET", "/api_v1/services", { signal });
      const well = body.filter((service) => health(service).tone === "good").length;
      return [`${count(well)} of ${count(body.length)}`, well === body.length ? "All healthy" : "Look at what is wrong", well === body.length ? "" : "bad"];
    }),
    tile("Signing key", "#/keys", signal, async () => {
      const { body } = await call("GET", "/api_v1/keys", { signal });
      const active = body.find((key) => key.purpose === "access" && key.state === "active");
      return active ? [active.algorithm, ["Signs since ", time(active.signs_from || active.created_at)]] : ["–", "No active key"];
    }),
  ];
  const lately = auditTable("What happened lately", { waiting: LATELY });
  fill(
    place,
    heading(me().first_name ? `Hello, ${me().first_name}` : "Hello", { note: "This is how your platform is right now." }),
    h("ul", { class: "tiles" }, tiles),
    card("Lately", { actions: [linkButton("All of it", "#/audit")], className: "flush" }, lately.element),
  );
  const load = async () => {
    try {
      const { body } = await call("GET", "/api_v1/audit", { query: { limit: LATELY }, signal });
      lately.fill(await named(body));
    } catch (problem) {
      if (!signal.aborted) lately.fail(problem, load);
    }
  };
  load();
}

async function counting(filter, signal) {
  return (await call("GET", "/api_v1/users", { query: { ...filter, limit: 1 }, signal })).total;
}

/** A number and what is to be said of it, with a way to where it is from. */
function tile(name, href, signal, work) {
  const content = h("div", { class: "tile-content" }, waiting(2));
  into(content, signal, async () => {
    const [number, note, tone = ""] = await work();
    return [h("p", { class: "tile-number" }, number), h("p", { class: `soft ${tone}` }, note)];
  });
  return h("li", { class: "tile" }, h("h2", {}, h("a", { href }, name)), content);
}
