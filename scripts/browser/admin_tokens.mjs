// Tokens of /admin: renewed in silence, asked for anew where a sign-in is long ago, gone with the page.
import { age, call, signIn } from "./admin_world.mjs";
import { enter } from "./admin_sign_in.mjs";

/** Ends the page's access tokens, not its session: the next call has to renew them. */
async function voidTokens() {
  const { roles } = await call("GET", "/api_v1/users/1", undefined, await second());
  const other = roles.includes("support") ? ["admin", "user"] : ["admin", "support", "user"];
  await call("PATCH", "/api_v1/users/1", { roles: other }, await second());
}

/** The other administrator, whose token no change of the first one ends. */
async function second() {
  return { token: (await signIn("second@example.com")).access_token };
}

export async function longAgo({ page, check, said, provoke, go }) {
  age(1);
  await provoke([401], async () => {
    await voidTokens();
    await go("/users?q=hopper");
    await page.getByRole("button", { name: "Disable Grace Hopper" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Disable" }).click();
    const again = page.getByRole("dialog", { name: "Confirm that it is you" });
    await again.waitFor();
    await again.getByLabel("Password").fill(process.env.ADMIN_PASSWORD);
    await again.getByRole("button", { name: "Confirm" }).click();
    await said("Grace Hopper is disabled.");
  });
  check((await call("GET", "/api_v1/users/2", undefined, await second())).is_active === false, "a sign-in of long ago is asked for anew, and what was asked is done after it");
}

export async function renewed({ page, check, provoke, go }) {
  await provoke([401], async () => {
    await voidTokens();
    await go("/");
    await go("/users");
    await page.getByRole("rowheader").first().waitFor();
  });
  check(await page.getByRole("button", { name: "Sign out" }).isVisible(), "tokens that were ended are renewed in silence");
}

export async function endedElsewhere({ page, check, provoke, go }) {
  await call("DELETE", "/api_v1/users/1/sessions", undefined, await second());
  await provoke([401], async () => {
    await page.evaluate(() => {
      location.hash = "#/keys";
    });
    await page.getByText("Your session has ended. Sign in to go on.").waitFor();
  });
  check((await page.evaluate(() => document.activeElement.name)) === "email", "a session that was ended elsewhere leads to the sign-in, with the focus in it");
  await enter(page, process.env.ADMIN_EMAIL, process.env.ADMIN_PASSWORD);
  await page.getByRole("heading", { level: 1, name: "Keys" }).waitFor();
  check(true, "and from there to where it was");
  await go("/");
}

export async function reloaded({ page, check }) {
  const other = await second();
  const before = await call("GET", "/api_v1/users/1/sessions", undefined, other);
  await page.reload();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  for (let tries = 0; ; tries += 1) {
    const after = await call("GET", "/api_v1/users/1/sessions", undefined, other);
    if (after.length === before.length - 1) break;
    if (tries > 50) throw new Error("the session lives on after the page is gone");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  check(true, "a page that is left takes its session with it");
}
