// Forms whose faults are shown beside the fields that they point at, in the platform's own words.

import { fill, h, id } from "./dom.js";

/** A field with a label. `type` is that of an input, or `choice` (one of `options`) or `choices` (any of `options`); `unseen` where the label is for screen readers alone. */
export function field(name, label, { type = "text", hint, value = "", options = [], optional = false, unseen = false, ...attributes } = {}) {
  const key = id(name);
  const fault = h("p", { class: "fault", id: `${key}-fault` });
  const told = hint ? h("p", { class: "hint", id: `${key}-hint` }, hint) : null;
  const described = [`${key}-fault`, hint && `${key}-hint`].filter(Boolean).join(" ");
  const made = type === "choices" ? choices : type === "choice" ? choice : input;
  if (unseen) attributes["aria-label"] = label;
  const built = made({ key, name, label: marked(label, optional), type, value, options, described, attributes });
  return {
    name,
    element: h("div", { class: "field" }, unseen ? null : built.label, told, built.element, fault),
    read: built.read,
    focus: () => built.focusable().focus(),
    /** Shows these faults; none takes away what was shown. */
    say(texts = []) {
      fill(fault, texts.join(" "));
      built.focusable().setAttribute("aria-invalid", String(texts.length > 0));
    },
  };
}

function marked(label, optional) {
  return optional ? [label, " ", h("span", { class: "soft" }, "(optional)")] : label;
}

function input({ key, name, label, type, value, described, attributes }) {
  const element = h("input", { id: key, name, type, "aria-describedby": described, ...attributes });
  element.value = value ?? "";
  return { label: h("label", { for: key }, label), element, read: () => element.value, focusable: () => element };
}

function choice({ key, name, label, value, options, described, attributes }) {
  const made = options.map(([of, text]) => h("option", { value: of, selected: of === value }, text));
  const element = h("select", { id: key, name, "aria-describedby": described, ...attributes }, made);
  return { label: h("label", { for: key }, label), element, read: () => element.value, focusable: () => element };
}

function choices({ key, name, label, value, options, described, attributes }) {
  const boxes = options.map(([of, text, about]) => {
    const box = h("input", { type: "checkbox", name, value: of, checked: value.includes(of) });
    return { box, element: h("label", { class: "check" }, box, h("span", {}, text, about && h("span", { class: "soft" }, about))) };
  });
  const element = h(
    "div",
    { role: "group", class: "checks", "aria-labelledby": attributes["aria-label"] ? null : `${key}-label`, "aria-describedby": described, ...attributes },
    boxes.map((one) => one.element),
  );
  return {
    label: h("span", { class: "label", id: `${key}-label` }, label),
    element,
    read: () => boxes.filter(({ box }) => box.checked).map(({ box }) => box.value),
    focusable: () => boxes[0]?.box ?? element,
  };
}

/**
 * A form of these fields. `submit` gets their values by name; a problem that it throws is shown beside the fields it points at, the
 * first of which gets the focus, and above the form where it points at none.
 */
export function form(fields, { action, kind = "main", submit, cancel, start = true, before = [] }) {
  const general = h("p", { class: "fault general", role: "alert", tabindex: "-1" });
  const send = h("button", { type: "submit", class: `button ${kind}` }, action);
  const element = h(
    "form",
    { novalidate: true, class: "form" },
    general,
    before,
    fields.map((one) => one.element),
    h(
      "div",
      { class: "dialog-end" },
      cancel && h("button", { type: "button", class: "button plain", on: { click: () => cancel() } }, "Cancel"),
      send,
    ),
  );
  const say = (faults) => {
    for (const one of fields) one.say(faults.get(one.name));
    fill(general, (faults.get("") || []).join(" "));
    const first = fields.find((one) => faults.has(one.name));
    if (first) first.focus();
    else if (faults.size) general.focus();
  };
  element.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (send.disabled) return;
    say(new Map());
    send.disabled = true;
    try {
      await submit(Object.fromEntries(fields.map((one) => [one.name, one.read()])));
    } catch (problem) {
      if (!("kind" in problem)) throw problem;
      send.disabled = false;
      say(problem.faults(fields.map((one) => one.name)));
    } finally {
      send.disabled = false;
    }
  });
  if (start) queueMicrotask(() => fields[0]?.focus());
  return element;
}
