// What the platform answers when something does not go well (RFC 9457), and what stands for it where no answer came.

/** A problem answer. */
export class Problem extends Error {
  constructor(status, body) {
    super(body.detail || body.title || `The platform answered ${status}.`);
    this.status = status;
    this.kind = String(body.type || "").split(":").pop();
    this.errors = Array.isArray(body.errors) ? body.errors : [];
    this.request = body.request_id;
  }

  /** Faults by the name of the field they point at; those that point at none of `names` are under `""`. */
  faults(names) {
    const found = new Map();
    const add = (name, text) => found.set(name, [...(found.get(name) || []), text]);
    for (const error of this.errors) {
      const name = String(error.pointer || error.name || error.parameter || "").replace(/^\//, "").split("/")[0];
      if (names.includes(name)) add(name, sentence(error.detail));
      else add("", sentence(name ? `${name}: ${error.detail}` : error.detail));
    }
    if (!this.errors.length) add("", sentence(this.message));
    return found;
  }
}

/** No answer came. */
export class Unreachable extends Problem {
  constructor() {
    super(0, { type: "unreachable", detail: "The platform can't be reached. Try again in a moment." });
  }
}

/** A text with a capital at its start and a full stop at its end. */
export function sentence(text) {
  const whole = String(text).trim();
  const ended = /[.!?]$/.test(whole) ? whole : `${whole}.`;
  return ended.charAt(0).toUpperCase() + ended.slice(1);
}
