// Users on /admin: by keyboard alone, then by mouse; found, made, changed.
import { call } from "./admin_world.mjs";

/** Signs in, finds a user and disables them without a mouse, by what a screen reader tells. */
export async function keyboardOnly({ page, check, said, focused }) {
  const press = (key) => page.keyboard.press(key);
  const reach = async (name, key = "Tab") => {
    for (let presses = 0; presses < 60; presses += 1) {
      if ((await focused()) === name) return;
      await press(key);
    }
    throw new Error(`${name} is not reached by ${key}`);
  };
  await page.getByLabel("E-mail").focus();
  await press("Control+a");
  await page.keyboard.type(process.env.ADMIN_EMAIL);
  await press("Tab");
  await page.keyboard.type(process.env.ADMIN_PASSWORD);
  await press("Enter");
  await page.getByRole("heading", { level: 1, name: "Hello" }).waitFor();
  await reach("Skip to the content", "Shift+Tab");
  const first = "a[href], button, input, select, [tabindex]";
  check(await page.evaluate((stops) => document.querySelector(stops) === document.activeElement, first), "the first stop skips to the content");
  await press("Enter");
  check((await page.evaluate(() => document.activeElement.id)) === "main", "and leads there");
  await reach("Users", "Shift+Tab");
  await press("Enter");
  await page.getByRole("heading", { level: 1, name: "Users" }).waitFor();
  check((await focused()) === "Users", "a new view has the focus on its heading");
  await page.waitForFunction(() => !document.querySelector("[aria-busy=true]"));
  await reach("Disable Grace Hopper");
  await press("Enter");
  const dialog = page.getByRole("dialog", { name: "Disable Grace Hopper?" });
  await dialog.waitFor();
  check((await focused()) === "Cancel", "a destructive question begins at Cancel");
  for (let presses = 0; presses < 4; presses += 1) {
    await press("Tab");
    // The browser's own bar may be a stop between the last and the first.
    const inside = await page.evaluate(() => document.activeElement === document.body || Boolean(document.activeElement.closest("dialog")));
    if (!inside) throw new Error("the focus leaves the dialog");
  }
  await press("Escape");
  await dialog.waitFor({ state: "detached" });
  check((await focused()) === "Disable Grace Hopper", "Escape closes it, and the focus is back where it was");
  await press("Enter");
  await dialog.waitFor();
  await reach("Disable");
  await press("Enter");
  await said("Grace Hopper is disabled.");
  check((await call("GET", "/api_v1/users/2")).is_active === false, "by keyboard alone: signed in, and a user disabled");
  await page.getByRole("row", { name: "Grace Hopper" }).getByText("Disabled").waitFor();
  await page.getByRole("button", { name: "Enable Grace Hopper" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Enable" }).click();
  await said("Grace Hopper is enabled.");
}

export async function users({ page, check, go, said, provoke, dialog, accessible }) {
  await go("/users");
  const pages = page.getByRole("navigation", { name: "Pages" });
  const told = await pages.getByRole("status").textContent();
  await pages.getByRole("button", { name: "Next" }).click();
  await pages.getByText(/^26–/).waitFor();
  await pages.getByRole("button", { name: "Previous" }).click();
  await pages.getByText(told).waitFor();
  check(/^1–25 of \d+ users$/.test(told), `pages by cursor, forth and back: ${told}`);
  await page.getByRole("columnheader", { name: "Created" }).getByRole("button").click();
  await page.locator("th[aria-sort=ascending]").waitFor();
  await page.getByRole("columnheader", { name: "Created" }).getByRole("button").click();
  await page.locator("th[aria-sort=descending]").waitFor();
  await page.getByRole("rowheader").getByText("disabled@example.com").first().waitFor();
  check(page.url().includes("sort=-created_at"), "sorted by a column, which the address keeps");
  await page.getByLabel("Search").fill("hopper");
  await pages.getByText("1 user", { exact: true }).waitFor();
  await page.getByLabel("Search").fill("nobody-is-called-so");
  await page.getByText("Nobody is like that.").waitFor();
  await page.getByLabel("Search").fill("");
  await page.getByLabel("State").selectOption("Disabled");
  await pages.getByText("1 user", { exact: true }).waitFor();
  await page.getByLabel("State").selectOption("Any");
  await page.getByLabel("Role").selectOption("secured");
  await pages.getByText("1 user", { exact: true }).waitFor();
  await page.getByLabel("Role").selectOption("Any");
  check(true, "found by text, state and role");

  await provoke([400, 422], async () => {
    await page.getByRole("button", { name: "New user" }).click();
    const made = dialog("New user");
    await made.getByLabel("E-mail").fill("no address");
    await made.getByLabel("First password").fill("short");
    await made.getByRole("button", { name: "Create" }).click();
    const address = made.locator(".field").filter({ has: page.getByLabel("E-mail") });
    await address.getByText("valid email address").waitFor();
    const described = await made.getByLabel("E-mail").evaluate((input) => document.getElementById(input.getAttribute("aria-describedby").split(" ")[0]).textContent);
    check(described.includes("valid email") && (await made.getByLabel("E-mail").evaluate((input) => input === document.activeElement)), "a fault stands beside its field, which is told of it and has the focus");
    check((await made.getByLabel("First password").getAttribute("aria-invalid")) === "true", "so does the next one");
    await accessible("a form with faults");
    await made.getByLabel("E-mail").fill("grace@example.com");
    await made.getByLabel("First password").fill("a rather long first password");
    await made.getByRole("button", { name: "Create" }).click();
    await made.getByRole("alert").getByText("already exists").waitFor();
    await made.getByLabel("E-mail").fill("karen@example.com");
    await made.getByLabel("First name").fill("Karen");
    await made.getByLabel("support").check();
    await made.getByRole("button", { name: "Create" }).click();
    await said("Karen is created.");
  });
  const [made] = await call("GET", "/api_v1/users?email=karen@example.com");
  check(made.must_change_password && made.roles.join() === "support,user", "a user is made, with roles, who must choose another password");
  await page.getByRole("button", { name: "Invite" }).click();
  await dialog("Invite a user").getByLabel("E-mail").fill("invited@example.com");
  await dialog("Invite a user").getByRole("button", { name: "Invite" }).click();
  const link = await page.getByRole("dialog").getByLabel("Link").textContent();
  check(link.includes("/account/") && link.includes("#token="), "a user is invited, and the link shown where no mail is sent");
  await page.getByRole("button", { name: "Done" }).click();
}

export async function oneUser({ page, check, go, said, provoke, dialog, accessible }) {
  const [{ id }] = await call("GET", "/api_v1/users?email=karen@example.com");
  await go(`/users/${id}`);
  await page.getByRole("heading", { level: 1, name: "Karen" }).waitFor();
  await accessible("one user");
  await page.getByLabel("Last name").fill("Spärck Jones");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.getByRole("heading", { level: 1, name: "Karen Spärck Jones" }).waitFor();
  await call("PATCH", `/api_v1/users/${id}`, { first_name: "K." });
  await provoke([412], async () => {
    await page.getByLabel("Last name").fill("Jones");
    await page.getByRole("button", { name: "Save", exact: true }).click();
    await page.getByRole("alert").filter({ hasText: /./ }).waitFor();
  });
  check((await call("GET", `/api_v1/users/${id}`)).last_name === "Spärck Jones", "what somebody else has changed meanwhile is not written over");
  await go("/users");
  await go(`/users/${id}`);
  await page.getByRole("region", { name: "Roles" }).getByLabel("support").uncheck();
  await page.getByRole("button", { name: "Save roles" }).click();
  await said("The roles are saved.");
  check((await call("GET", `/api_v1/users/${id}`)).roles.join() === "user", "roles are changed");
  await page.getByRole("button", { name: "Reset password" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Reset" }).click();
  await page.getByRole("dialog").getByLabel("Link").getByText("#token=").waitFor();
  await page.getByRole("button", { name: "Done" }).click();
  await page.getByRole("button", { name: "Reset password" }).click();
  await page.getByRole("dialog").getByLabel("How").selectOption("set");
  await page.getByRole("dialog").getByLabel("First password").fill("yet another long one");
  await page.getByRole("dialog").getByRole("button", { name: "Reset" }).click();
  await said("The password is set.");
  await call("POST", "/api_v1/auth/password", { email: "karen@example.com", password: "yet another long one", new_password: "chosen by herself, and long" }, { token: null });
  check(true, "a password is reset by a link, and by one that must be changed");
  await page.getByRole("button", { name: "Unlock" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Unlock" }).click();
  await said("is unlocked.");
  await provoke([404], async () => {
    await page.getByRole("button", { name: "Take away" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Take it away" }).click();
    await page.getByRole("dialog").getByRole("alert").getByText("no second factor").waitFor();
    check(true, "a refusal is read in the dialog that asked");
    await page.keyboard.press("Escape");
  });
  await page.getByRole("button", { name: "Delete" }).click();
  await dialog(/^Delete /).getByRole("button", { name: "Delete for good" }).click();
  await said("is deleted.");
  await page.getByRole("heading", { level: 1, name: "Users" }).waitFor();
  check((await call("GET", "/api_v1/users?email=karen@example.com")).length === 0, "a user is deleted, and the list is shown");
}
