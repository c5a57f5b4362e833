// Signing in to /admin: what is refused, what more is asked for, and by keyboard alone.
import { call, makeUser, password, totp } from "./admin_world.mjs";

/** Fills in the first step. */
export async function enter(page, email, secret) {
  if (await page.getByLabel("E-mail").count()) await page.getByLabel("E-mail").fill(email);
  await page.getByLabel("Password", { exact: true }).fill(secret);
  await page.getByRole("button", { name: "Sign in" }).click();
}

export async function signOut({ page }) {
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByText("You are signed out.").waitFor();
}

export async function refusals({ page, check, provoke }) {
  await provoke([400, 403, 422], async () => {
    await enter(page, process.env.ADMIN_EMAIL, "not the password");
    await page.getByRole("alert").getByText("Incorrect email or password").waitFor();
    await enter(page, "grace@example.com", password("grace@example.com"));
    await page.getByRole("alert").getByText("not an administrator").waitFor();
  });
  const sessions = await call("GET", "/api_v1/users/2/sessions");
  check(sessions.length === 0, "who is no administrator is told so, and has no session from it");
}

/** A role that asks for a second factor: it is set up here, and asked for from then on. */
export async function enrolment(walk) {
  const { page, check, provoke } = walk;
  const email = "guarded@example.com";
  await provoke([400, 403], async () => {
    await enter(page, email, password(email));
    await page.getByRole("heading", { name: "Set up a second factor" }).waitFor();
    await walk.accessible("setting up a second factor");
    const secret = await page.getByLabel("Secret").textContent();
    await page.getByLabel("Code that it shows now").fill("000000");
    await page.getByRole("button", { name: "Confirm the code" }).click();
    await page.getByText("Incorrect code").waitFor();
    await page.getByLabel("Code that it shows now").fill(totp(secret));
    await page.getByRole("button", { name: "Confirm the code" }).click();
    await page.getByRole("heading", { name: "Keep your recovery codes" }).waitFor();
    check((await page.locator(".codes li").count()) >= 8, "a second factor is set up, and its recovery codes are shown");
    const recovery = await page.locator(".codes li").first().textContent();
    await page.getByRole("button", { name: "I have kept them" }).click();
    await page.getByLabel("Code", { exact: true }).fill(totp(secret, 1));
    await page.getByRole("button", { name: "Continue" }).click();
    await page.getByRole("heading", { name: "Hello, Guarded" }).waitFor();
    await signOut(walk);
    await enter(page, email, password(email));
    await page.getByLabel("Code", { exact: true }).fill("no-code");
    await page.getByRole("button", { name: "Continue" }).click();
    const refused = page.locator(".field").filter({ has: page.getByLabel("Code", { exact: true }) });
    await refused.getByText("ncorrect").waitFor();
    check((await page.getByLabel("Code", { exact: true }).getAttribute("aria-invalid")) === "true", "a wrong code is told beside its field");
    await page.getByLabel("Code", { exact: true }).fill(recovery);
    await page.getByRole("button", { name: "Continue" }).click();
    await page.getByRole("heading", { name: "Hello, Guarded" }).waitFor();
    check(true, "a second factor is asked for, and a recovery code is taken");
    await signOut(walk);
  });
}

export async function freshPassword(walk) {
  const { page, check, provoke } = walk;
  const email = "fresh@example.com";
  await provoke([403, 422], async () => {
    await enter(page, email, password(email));
    await page.getByRole("heading", { name: "Choose a new password" }).waitFor();
    const set = async (first, again) => {
      await page.getByLabel("New password").fill(first);
      await page.getByLabel("The same again").fill(again);
      await page.getByRole("button", { name: "Set the password" }).click();
    };
    await set(password("other"), "another one");
    await page.getByText("The two are not the same.").waitFor();
    await set("password1", "password1");
    const field = page.locator(".field").filter({ has: page.getByLabel("New password") });
    await field.getByText("too easily guessed").waitFor();
    await set(password("other"), password("other"));
    await page.getByRole("heading", { name: "Hello, Fresh" }).waitFor();
  });
  check(true, "who must change the password does it on the way in, and is told what is wrong with a bad one");
  await signOut(walk);
  await makeUser("disabled@example.com", { roles: ["admin", "user"], is_active: false });
  await provoke([400], async () => {
    await enter(page, "disabled@example.com", password("disabled@example.com"));
    await page.getByRole("alert").getByText("Inactive user").waitFor();
  });
}
