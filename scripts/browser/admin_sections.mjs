// The sections of /admin beside users: each thing that can be done in them is done, and looked up by the API.
import { base, call, signIn } from "./admin_world.mjs";

export async function sessions({ page, check, go, said, dialog }) {
  const agent = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";
  await signIn("grace@example.com", { agent });
  await signIn("grace@example.com", { agent });
  await go("/sessions");
  await page.getByRole("row", { name: "Grace Hopper" }).first().getByText("Firefox on Linux", { exact: true }).waitFor();
  await page.getByRole("button", { name: "End session Firefox on Linux of Grace Hopper" }).first().click();
  await dialog("End this session?").getByRole("button", { name: "End it" }).click();
  await said("The session has ended.");
  check((await call("GET", "/api_v1/users/2/sessions")).length === 1, "one of everybody's sessions is ended");
  await go("/users/2");
  await page.getByRole("button", { name: "End all" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "End all" }).click();
  await said("All their sessions have ended.");
  await page.getByText("Nobody is signed in.").waitFor();
  check((await call("GET", "/api_v1/users/2/sessions")).length === 0, "all sessions of a user are ended");
}

export async function services({ page, check, go }) {
  await go("/services");
  const users = page.getByRole("region", { name: "users" });
  await users.getByText("Contract as bound").waitFor();
  await users.getByRole("row", { name: "http://127.0.0.1" }).getByText("Healthy").waitFor();
  const before = await page.locator(".foot").textContent();
  await page.getByRole("button", { name: "Follow" }).click();
  check((await page.getByRole("button", { name: "Follow" }).getAttribute("aria-pressed")) === "true", "services are shown with the health of each instance");
  await page.waitForFunction((text) => document.querySelector(".foot").textContent !== text, before);
  await page.getByRole("button", { name: "Follow" }).click();
  check(true, "and followed while that is wanted");
}

export async function audit({ page, check, go }) {
  await go("/audit");
  await page.getByRole("button", { name: "Check the chain" }).click();
  await page.getByText(/The chain is whole: [\d,]+ entries/).waitFor();
  check(true, "the chain of the audit log is checked");
  await page.getByLabel("What", { exact: true }).fill("delete_user");
  await page.getByRole("navigation", { name: "Pages" }).getByText("1 entry", { exact: true }).waitFor();
  await page.getByRole("row", { name: "Delete user" }).waitFor();
  await page.getByLabel("What", { exact: true }).fill("");
  await page.getByLabel("Who").fill("nobody");
  await page.getByText("Nothing of that kind has happened.").waitFor();
  await page.getByLabel("Who").fill("");
  await page.getByLabel("On what").fill("users/2");
  await page.getByRole("row", { name: "Grace Hopper" }).first().waitFor();
  await page.getByLabel("Since").fill("2199-01-01T00:00");
  await page.getByText("Nothing of that kind has happened.").waitFor();
  check(page.url().includes("target=users%2F2"), "its entries are found by who, what, on whom and since when");
  await go("/audit");
  await page.getByRole("navigation", { name: "Pages" }).getByRole("button", { name: "Next" }).click();
  await page.getByRole("navigation", { name: "Pages" }).getByText(/^26–/).waitFor();
}

export async function keys({ page, check, go, said, dialog }) {
  await go("/keys");
  const before = await call("GET", "/api_v1/keys");
  await page.getByRole("button", { name: "Rotate Access tokens" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Rotate" }).click();
  await said("The next key");
  const next = before.find((key) => key.purpose === "internal" && key.state === "next");
  await page.getByRole("button", { name: `Retire key ${next.kid}` }).click();
  await dialog("Retire this key at once?").getByRole("button", { name: "Retire it" }).click();
  await said("The key is out of use.");
  const after = await call("GET", "/api_v1/keys");
  const signs = (list) => list.find((key) => key.purpose === "access" && key.state === "next")?.signs_from;
  check(signs(after) !== signs(before) || after.length > before.length, "a key is rotated");
  check(after.find((key) => key.kid === next.kid)?.state !== "next", "and another retired at once");
}

export async function accounts({ page, check, go, said, provoke, dialog, accessible }) {
  await go("/accounts");
  await provoke([422], async () => {
    await page.getByRole("button", { name: "New account" }).click();
    const made = dialog("New service account");
    await made.getByLabel("Name").fill("Not a name");
    await made.getByRole("button", { name: "Create" }).click();
    await made.locator(".field").filter({ has: page.getByLabel("Name") }).locator(".fault:not(:empty)").waitFor();
    await made.getByLabel("Name").fill("nightly");
    await made.getByLabel("Scopes").fill("users:read, audit:read");
    await made.getByRole("checkbox", { name: /^user/ }).check();
    await made.getByRole("button", { name: "Create" }).click();
    await page.getByRole("heading", { level: 1, name: "nightly" }).waitFor();
  });
  await page.getByRole("button", { name: "New secret" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Make one" }).click();
  const secret = await dialog("Keep this secret now").getByLabel("Secret").textContent();
  await page.getByRole("button", { name: "Done" }).click();
  const form = new URLSearchParams({ grant_type: "client_credentials", client_id: "nightly", client_secret: secret });
  const token = await fetch(`${base}/oauth/token`, { method: "POST", body: form }).then((answer) => (answer.status === 404 ? null : answer.status));
  check(secret.length > 20 && (token === null || token === 200), "a service account is made, and its secret shown once is good");
  await page.getByRole("button", { name: "Revoke secret" }).waitFor();
  await accessible("one service account");
  await page.getByRole("button", { name: "Revoke secret" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
  await said("The secret is revoked.");
  await page.getByRole("button", { name: "Disable" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Disable" }).click();
  await said("nightly is disabled.");
  check((await call("GET", "/api_v1/service-accounts/nightly")).is_active === false, "it is disabled");
  await page.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete for good" }).click();
  await page.getByRole("heading", { level: 1, name: "Service accounts" }).waitFor();
  check((await call("GET", "/api_v1/service-accounts")).every(({ name }) => name !== "nightly"), "and deleted");
}

export async function routes({ page, check, go }) {
  await go("/routes");
  const { paths } = await call("GET", "/api_v1/openapi.json");
  const methods = ["get", "put", "post", "patch", "delete", "head", "options"];
  const declared = Object.values(paths).flatMap((path) => Object.keys(path).filter((name) => methods.includes(name))).length;
  await page.getByRole("status").getByText(`${declared} operations`).waitFor();
  await page.getByLabel("Search").fill("retire key");
  await page.getByRole("status").getByText("1 operation").waitFor();
  check(true, `all ${declared} operations are listed, and found by words`);
}
