// Elements made of values, never of markup: whatever a text holds, it is shown as that text.

const SVG = "http://www.w3.org/2000/svg";
const LINKS = /^(#|\/(?!\/)|otpauth:)/;

/** An element with attributes, listeners (`on: { click }`) and children: nodes, texts, lists of them; null and false are left out. */
export function h(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/** The same for drawings. */
export function svg(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(element, { on = {}, ...attributes }, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (/^(on|style$|srcdoc$)/i.test(name)) throw new Error(`${name} is not an attribute of this page`);
    if (name === "href" && !LINKS.test(value)) throw new Error("a link leads out of this page");
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  for (const [name, listener] of Object.entries(on)) element.addEventListener(name, listener);
  element.append(...nodes(children));
  return element;
}

function nodes(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
}

/** Puts these children in the place of all there are. */
export function fill(element, ...children) {
  element.replaceChildren(...nodes(children));
  return element;
}

let last = 0;

/** An id that nothing else on the page has. */
export function id(what) {
  last += 1;
  return `${what}-${last}`;
}
