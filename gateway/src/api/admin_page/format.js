// Values as people read them.

const WHEN = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "medium" });
const DAY = new Intl.DateTimeFormat("en", { dateStyle: "medium" });
const AGO = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const COUNT = new Intl.NumberFormat("en");

/** `1,204`. */
export const count = (number) => COUNT.format(number);

/** `1 user`, `2 users`. */
export const counted = (number, one, more = `${one}s`) => `${count(number)} ${number === 1 ? one : more}`;

/** A moment to the second. */
export const moment = (text) => WHEN.format(new Date(text));

/** Its day. */
export const day = (text) => DAY.format(new Date(text));

const UNITS = [
  ["year", 31_536_000],
  ["month", 2_592_000],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];

/** How long ago a moment is, or in how long it comes. */
export function ago(text, now = Date.now()) {
  const seconds = Math.round((new Date(text).getTime() - now) / 1_000);
  const [unit, length] = UNITS.find(([, length]) => Math.abs(seconds) >= length) || ["second", 1];
  if (unit === "second") return seconds > 10 ? "in a moment" : "just now";
  return AGO.format(Math.trunc(seconds / length), unit);
}

/** What a user is called: by name where there is one, else by address. */
export function called(user) {
  return [user.first_name, user.last_name].filter(Boolean).join(" ").trim() || user.email;
}

/** Two letters for a user. */
export function initials(user) {
  const words = called(user).split(/[\s@._-]+/).filter(Boolean);
  const letters = [words[0], user.first_name && user.last_name ? words[words.length - 1] : null].filter(Boolean);
  return letters.map((word) => [...word][0]).join("").toUpperCase();
}

const BROWSERS = [
  [/^Mozilla.* Edg\//, "Edge"],
  [/^Mozilla.* Firefox\//, "Firefox"],
  [/^Mozilla.* (Headless)?Chrom(e|ium)\//, "Chrome"],
  [/^Mozilla.* Safari\//, "Safari"],
];
const SYSTEMS = [
  [/iPhone|iPad/, "iOS"],
  [/Android/, "Android"],
  [/Windows/, "Windows"],
  [/Mac OS X/, "macOS"],
  [/Linux|X11/, "Linux"],
];

/** A `User-Agent`, shorter where it is a browser's. */
export function device(agent) {
  if (!agent) return "Unknown";
  const browser = BROWSERS.find(([pattern]) => pattern.test(agent))?.[1];
  const system = SYSTEMS.find(([pattern]) => pattern.test(agent))?.[1];
  return browser ? [browser, system].filter(Boolean).join(" on ") : agent;
}
