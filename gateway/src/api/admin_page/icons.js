// Drawings of 20 by 20, in the colour of the text around them. They say nothing that no text says.

import { svg } from "./dom.js";

const DRAWN = {
  overview: "M3 3h6v6H3zM11 3h6v4h-6zM11 9h6v8h-6zM3 11h6v6H3z",
  users: "M7.5 9.5a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM2 16.5c.4-3 2.6-4.5 5.500-4.500s5.100 1.500 5.500 4.500M13 3.800a3 3 0 0 1 0 5.400M15 12.400c1.700.600 2.800 2 3 4.100",
  sessions: "M3 4h14v9H3zM7 16.500h6M10 13v3.500",
  accounts: "M6 7V4.500h8V7M3 7h14v9.500H3zM3 11h14M10 9.800v2.400",
  services: "M4 3.500h12v5H4zM4 11.500h12v5H4zM7 6h.01M7 14h.01M10 6h3M10 14h3",
  routes: "M5 16.500a2 2 0 1 0 0-4 2 2 0 0 0 0 4ZM15 7.500a2 2 0 1 0 0-4 2 2 0 0 0 0 4ZM5 12.500V9a3.500 3.500 0 0 1 3.500-3.500H13M15 7.500V11a3.500 3.500 0 0 1-3.500 3.500H7",
  keys: "M12.500 11a4 4 0 1 0-3.800-2.800L3 14v3h3v-2h2v-2h2l1.200-1.200c.4.100.800.200 1.300.200ZM13.200 6.800h.01",
  audit: "M5 2.500h7l3.500 3.500v11.500H5zM12 2.500V6h3.500M7.500 10h5M7.500 13.500h5",
  check: "M4 10.500l4 4 8-9",
  menu: "M3 5.500h14M3 10h14M3 14.500h14",
  plus: "M10 4v12M4 10h12",
  search: "M9 14.500a5.500 5.500 0 1 0 0-11 5.500 5.500 0 0 0 0 11ZM13 13l4 4",
  alert: "M10 2.800 18 16.800H2zM10 8v4M10 14.400h.01",
  back: "M12 4l-6 6 6 6",
  out: "M8 3.500H4v13h4M12 6.500l4 3.500-4 3.500M16 10H8",
  mail: "M3 4.500h14v11H3zM3.500 5l6.500 5.500L16.500 5",
  refresh: "M16.500 10a6.500 6.500 0 1 1-2-4.700M16.500 3v3.500H13",
  copy: "M7 7h9.500v9.500H7zM13 7V3.500H3.500V13H7",
};

/** The drawing of this name. */
export function icon(name) {
  const path = svg("path", { d: DRAWN[name] });
  return svg("svg", { class: "icon", viewBox: "0 0 20 20", "aria-hidden": "true", focusable: "false" }, path);
}

/** The platform's own sign. */
export function sign() {
  return svg(
    "svg",
    { class: "sign", viewBox: "0 0 32 32", "aria-hidden": "true", focusable: "false" },
    svg("rect", { width: "32", height: "32", rx: "8" }),
    svg("path", { d: "M9 25V15a7 7 0 0 1 14 0v10M16 25v-8" }),
  );
}
