// The one place where the page says what has been done: seen for a while, and read out by screen readers.

import { fill, h } from "./dom.js";
import { icon } from "./icons.js";

const SHOWN = 6_000;
let timer = 0;

/** Says a sentence. */
export function say(text) {
  const place = document.getElementById("notice");
  // Emptied first: the same sentence twice is read twice.
  fill(place);
  clearTimeout(timer);
  requestAnimationFrame(() => {
    fill(place, h("p", { class: "notice-card" }, icon("check"), text));
    timer = setTimeout(() => fill(place), SHOWN);
  });
}
