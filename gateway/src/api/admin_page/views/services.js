// The services behind the gateway, and how each instance stands.

import { fill, h } from "../dom.js";
import { counted, moment } from "../format.js";
import { badge, button, card, heading, into, waiting } from "../parts.js";
import { call } from "../session.js";
import { table } from "../table.js";

/** While it follows, it looks again after so long, in milliseconds. */
const EVERY = 3_000;

const AGREEMENTS = {
  unknown: ["Contract not told", "quiet"],
  equal: ["Contract as bound", "good"],
  compatible: ["Serves more than was bound", "warn"],
  breaking: ["Contract broken", "bad"],
};
const BREAKERS = { closed: "Closed", open: "Open", "half-open": "Trying one call", ramping: "Coming back" };

export function view(place, { signal }) {
  const list = h("div", {}, card("Services", {}, waiting(4)));
  const when = h("span", { class: "soft" });
  let timer = 0;
  const look = async () => {
    const { body } = await call("GET", "/api_v1/services", { signal });
    fill(when, "As of ", moment(new Date().toISOString()));
    return body.map(service);
  };
  const follow = button("Follow", () => {
    const follows = follow.getAttribute("aria-pressed") !== "true";
    follow.setAttribute("aria-pressed", String(follows));
    clearInterval(timer);
    if (follows) timer = setInterval(() => document.hidden || into(list, signal, look), EVERY);
  }, { "aria-pressed": "false" });
  signal.addEventListener("abort", () => clearInterval(timer));
  fill(
    place,
    heading("Services", {
      note: "What is behind the gateway, as the gateway that answers sees it.",
      actions: [follow, button("Refresh", () => into(list, signal, look), { picture: "refresh" })],
    }),
    list,
    h("p", { class: "foot" }, when),
  );
  into(list, signal, look);
}

/** How a service is, in a word. */
export function health({ instances, agreement }) {
  const well = instances.filter((instance) => instance.healthy).length;
  if (!instances.length) return { text: "No instance", tone: "bad" };
  if (!well) return { text: "Down", tone: "bad" };
  if (agreement === "breaking") return { text: "Contract broken", tone: "bad" };
  if (well < instances.length) return { text: `${well} of ${instances.length} healthy`, tone: "warn" };
  return { text: "Healthy", tone: "good" };
}

function service(one) {
  const { text, tone } = health(one);
  const [agreement, shade] = AGREEMENTS[one.agreement] || [one.agreement, "quiet"];
  const instances = table({
    caption: `Instances of ${one.name}`,
    empty: "No instance is known.",
    columns: [
      { label: "Instance", kind: "wide", cell: (instance) => h("code", {}, instance.url) },
      { label: "Address", cell: (instance) => h("code", {}, instance.address) },
      { label: "State", cell: condition },
      { label: "Breaker", cell: (instance) => BREAKERS[instance.breaker] || instance.breaker },
      { label: "Calls now", kind: "number", cell: (instance) => String(instance.in_flight) },
    ],
  });
  instances.fill(one.instances);
  return card(
    one.name,
    { note: counted(one.instances.length, "instance"), actions: [badge(agreement, shade), badge(text, tone)], className: "flush" },
    one.breaks.length > 0 && h("ul", { class: "breaks" }, one.breaks.map(difference)),
    instances.element,
  );
}

function condition(instance) {
  if (instance.healthy) return badge("Healthy", "good");
  if (instance.ejected) return badge("Left out", "bad");
  return badge(instance.passes_probes ? "Failing" : "Fails its probes", "bad");
}

function difference({ pointer, told, operations }) {
  return h("li", {}, h("p", { class: "strong" }, told), h("p", { class: "soft" }, h("code", {}, pointer)), h("p", { class: "soft" }, "Shut off: ", operations.join(", ")));
}
