// A platform with people and services in it, as the walk through /admin finds it; some of them mean ill.
import { createHmac } from "node:crypto";
import { execFileSync } from "node:child_process";
import { join } from "node:path";

export const base = process.env.PLATFORM_URL;

/** Texts that would run where a page made markup of them. */
export const PAYLOADS = [
  "<img src=x onerror=\"globalThis.owned='img'\">",
  "\"><script>globalThis.owned='script'</script>",
  "javascript:globalThis.owned='link'",
  "<svg onload=globalThis.owned='svg'>",
  "{{constructor.constructor('globalThis.owned=1')()}}",
];

/** A call of the API by this token; throws unless it goes well. */
export async function call(method, path, body, { token = process.env.ADMIN_TOKEN, agent } = {}) {
  const headers = { "content-type": method === "PATCH" ? "application/merge-patch+json" : "application/json" };
  if (token) headers.authorization = `Bearer ${token}`;
  if (agent) headers["user-agent"] = agent;
  const answer = await fetch(base + path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return text ? JSON.parse(text) : null;
}

export const password = (of) => `${of}: a long way from home`;

/** Makes a user who can sign in. */
export async function makeUser(email, more = {}) {
  return call("POST", "/api_v1/users", { email, password: password(email), ...more });
}

/** Signs a user in, and gives the tokens. */
export async function signIn(email, { agent, of = email } = {}) {
  return call("POST", "/api_v1/auth/access", { email, password: password(of) }, { token: null, agent });
}

/** Fills the platform. */
export async function people() {
  await call("POST", "/api_v1/roles", { name: "secured", description: PAYLOADS[0] });
  await call("POST", "/api_v1/roles", { name: "support", description: "Helps customers" });
  await makeUser("grace@example.com", { first_name: "Grace", last_name: "Hopper" });
  await makeUser("second@example.com", { first_name: "Second", last_name: "Admin", roles: ["admin", "user"] });
  await makeUser("fresh@example.com", { first_name: "Fresh", roles: ["admin", "user"], must_change_password: true });
  await makeUser("guarded@example.com", { first_name: "Guarded", roles: ["admin", "secured", "user"] });
  for (const [index, payload] of PAYLOADS.entries()) {
    const email = `mallory${index}@example.com`;
    await makeUser(email, { first_name: payload, last_name: PAYLOADS[(index + 1) % PAYLOADS.length] });
    await signIn(email, { agent: payload });
    // Refused: what was presented as an address comes near the audit log as well.
    await fetch(`${base}/api_v1/auth/access`, { method: "POST", headers: { "content-type": "application/json", "user-agent": payload }, body: JSON.stringify({ email: payload, password: "x" }) });
  }
  await Promise.all(Array.from({ length: 30 }, (_, index) => makeUser(`user${index}@example.com`, { first_name: "User", last_name: String(index) })));
  await call("POST", "/api_v1/service-accounts", { name: "reports", description: PAYLOADS[1], scopes: ["users:read"], roles: ["user"] });
}

/** The code that a generator with this secret shows now, or so many steps later (RFC 6238). */
export function totp(secret, later = 0) {
  const bits = [...secret.replace(/\s/g, "")].map((letter) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(letter).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + later));
  const hash = createHmac("sha1", key).update(counter).digest();
  const from = hash[19] & 15;
  return String((hash.readUInt32BE(from) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

/** Lets every sign-in of a user be thirteen hours ago. */
export function age(user) {
  const change = "import sqlite3,sys; c=sqlite3.connect(sys.argv[1],timeout=20); c.execute('UPDATE sessions SET created_at=created_at-46800000000 WHERE user_id=?',(int(sys.argv[2]),)); c.commit()";
  execFileSync("python3", ["-c", change, join(process.env.PLATFORM_FOLDER, "data", "gateway.db"), String(user)]);
}
