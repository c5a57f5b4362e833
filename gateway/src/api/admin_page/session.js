// Who is signed in, and calls in their name. Tokens are held by this module alone: nothing is stored, and a reload signs out.

import { send } from "./http.js";
import { Problem } from "./problem.js";

/** An access token is renewed so long before it ends, in milliseconds. */
const AHEAD = 30_000;

let tokens = null;
let user = null;
let renewal = null;
let whenEnded = () => {};
let askAgain = async () => false;

/** The user who is signed in; null without one. */
export const me = () => user;

/** Sets what is done once the session has ended by itself, and how a user is asked to sign in anew (true once they have). */
export function handle({ ended, again }) {
  whenEnded = ended;
  askAgain = again;
}

/** Signs in with `{ email, password, code }`. Throws the problem, also where the account may not administer. */
export async function signIn(credentials) {
  await take(await send("POST", "/api_v1/auth/access", { body: credentials }));
}

/** Sets a new password in the place of the old one, and signs in with it. */
export async function changePassword(credentials) {
  await take(await send("POST", "/api_v1/auth/password", { body: credentials }));
}

async function take(answer) {
  const before = tokens;
  const taken = kept(answer.body);
  const who = await send("GET", "/api_v1/users/me", { token: taken.access });
  if (!who.body.roles.includes("admin")) {
    await end(taken);
    throw new Problem(403, { type: "not-an-administrator", detail: "This account is not an administrator's." });
  }
  tokens = taken;
  user = who.body;
  if (before) await end(before);
}

function kept(body) {
  return { access: body.access_token, refresh: body.refresh_token, until: Date.now() + body.expires_in * 1_000 };
}

/** Ends the session. */
export async function signOut() {
  const ending = tokens;
  tokens = user = null;
  if (ending) await end(ending);
}

/** Ends the session while the page is left for good: nobody has its tokens any more. */
export function leave() {
  if (tokens) end(tokens, true);
  tokens = user = null;
}

/** Best effort: what can't be ended now ends by itself. */
async function end(ending, keepalive = false) {
  await send("POST", "/api_v1/auth/logout", { token: ending.access, keepalive }).catch(() => {});
}

/** A call in the user's name. A token that has run out is renewed, and a sign-in that is too long ago is asked for anew. */
export async function call(method, path, options = {}) {
  try {
    return await authorised(method, path, options);
  } catch (problem) {
    if (problem.kind !== "recent-sign-in-required" || !(await askAgain())) throw problem;
    return authorised(method, path, options);
  }
}

async function authorised(method, path, options) {
  if (!tokens) throw new Problem(401, { type: "signed-out", detail: "You are signed out." });
  if (tokens.until - AHEAD < Date.now()) await renew();
  try {
    return await send(method, path, { ...options, token: tokens.access });
  } catch (problem) {
    if (problem.kind !== "invalid-token") throw problem;
    await renew();
    return send(method, path, { ...options, token: tokens.access });
  }
}

/** Renews the tokens, once for all who wait for it. */
function renew() {
  renewal ??= renewed().finally(() => {
    renewal = null;
  });
  return renewal;
}

async function renewed() {
  try {
    tokens = kept((await send("POST", "/api_v1/auth/refresh", { body: { refresh_token: tokens.refresh } })).body);
  } catch (problem) {
    if (problem.status === 401) {
      tokens = user = null;
      whenEnded();
    }
    throw problem;
  }
}
