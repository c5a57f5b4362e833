// Walks through every section of /admin in a real headless Chromium, as an administrator would, against a platform in which some users
// mean ill. Any refusal by the content security policy, request to elsewhere, script of a user's, or rule of WCAG fails it.
import { drive, watch } from "./chromium.mjs";
import { isTooWide, shift, violations } from "./accessible.mjs";
import { PAYLOADS, base, people } from "./admin_world.mjs";
import { accounts, audit, keys, routes, services, sessions } from "./admin_sections.mjs";
import { refusals, enrolment, freshPassword } from "./admin_sign_in.mjs";
import { endedElsewhere, longAgo, reloaded, renewed } from "./admin_tokens.mjs";
import { keyboardOnly, oneUser, users } from "./admin_users.mjs";

const SECTIONS = ["/", "/users", "/sessions", "/services", "/routes", "/accounts", "/keys", "/audit"];

await drive(async ({ browser, faults, check, shoot }) => {
  await people();
  // Chromium writes each refusal to its console; those that a step provokes are named by it.
  const provoked = new Set();
  const page = await browser.newPage();
  page.setDefaultTimeout(15_000);
  watch(page, "/admin", base, { push: (fault) => [...provoked].some((status) => fault.includes(`status of ${status}`)) || faults.push(fault) });
  await page.addInitScript(() => {
    addEventListener("securitypolicyviolation", (event) => console.error(`refused by the policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
    addEventListener("unhandledrejection", (event) => console.error(`not handled: ${event.reason}`));
  });
  const walk = {
    page,
    check,
    provoke: async (statuses, work) => {
      for (const status of statuses) provoked.add(status);
      await work();
      provoked.clear();
    },
    /** Goes to a view by its address and waits until everything in it has come. */
    go: async (path) => {
      await page.evaluate((hash) => {
        location.hash = hash;
      }, path);
      await page.waitForFunction((hash) => location.hash.split("?")[0] === `#${hash.split("?")[0]}` && document.querySelector("main h1") && !document.querySelector("[aria-busy=true]"), path);
    },
    said: (text) => page.locator("#notice").getByText(text).waitFor(),
    dialog: (name) => page.getByRole("dialog", { name }),
    /** What has the focus, as a screen reader calls it. */
    focused: () => page.evaluate(() => document.activeElement.textContent.trim() || document.activeElement.name),
    accessible: async (what) => {
      const found = await violations(page);
      check(found.length === 0, `${what}: nothing against WCAG 2.2 AA${found.length ? `\n${found.join("\n")}` : ""}`);
    },
  };

  const answer = await page.goto(`${base}/admin`);
  const policy = answer.headers()["content-security-policy"];
  check(!/unsafe|https?:|\*/.test(policy) && policy.includes("require-trusted-types-for 'script'"), `a policy without exceptions: ${policy}`);
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await walk.accessible("sign-in");
  await shoot(page, "admin-sign-in.png");
  await refusals(walk);
  await enrolment(walk);
  await freshPassword(walk);
  await keyboardOnly(walk);

  for (const path of SECTIONS) {
    const before = await shift(page);
    await walk.go(path);
    const jumped = (await shift(page)) - before;
    check(jumped < 0.05, `${path}: what is shown does not jump (layout shift ${jumped.toFixed(3)})`);
    const { title, focus } = await page.evaluate(() => ({ title: document.title, focus: document.activeElement.tagName }));
    check(focus === "H1" && title.endsWith("· Platform"), `${path}: the focus is on its heading, the title is ${title}`);
    await walk.accessible(path);
    await shoot(page, `admin-${path.slice(1) || "overview"}.png`);
  }
  await page.emulateMedia({ colorScheme: "dark" });
  for (const path of [...SECTIONS, "/users/2", "/accounts/reports"]) {
    await walk.go(path);
    await walk.accessible(`${path}, dark`);
    await shoot(page, `admin-dark-${path.slice(1).replace("/", "-") || "overview"}.png`);
  }
  await page.emulateMedia({ colorScheme: "light" });
  const wide = page.viewportSize();
  for (const width of [320, 360, 800, 1920]) {
    await page.setViewportSize({ width, height: 800 });
    for (const path of [...SECTIONS, "/users/2", "/accounts/reports"]) {
      await walk.go(path);
      if (await isTooWide(page)) throw new Error(`${path} is wider than ${width} px`);
      if (width === 360) await shoot(page, `admin-narrow-${path.slice(1).replace("/", "-") || "overview"}.png`);
    }
    check(true, `every section fits ${width} px`);
    if (width === 360) await walk.accessible("the last of them at 360 px");
  }
  await page.setViewportSize(wide);
  await users(walk);
  await oneUser(walk);
  await sessions(walk);
  await services(walk);
  // The log names a user who is deleted by now.
  await walk.provoke([404], () => audit(walk));
  await keys(walk);
  await accounts(walk);
  await routes(walk);

  await walk.go("/users?q=mallory");
  for (const payload of PAYLOADS) await page.getByRole("rowheader").getByText(payload).first().waitFor();
  await walk.go("/sessions");
  for (const payload of PAYLOADS.slice(0, 2)) await page.getByRole("cell", { name: payload }).first().waitFor();
  await walk.provoke([404], () => walk.go("/audit"));
  await walk.go("/accounts/reports");
  await walk.go("/users/2");
  check((await page.evaluate(() => globalThis.owned)) === undefined, "what users call themselves and their devices is shown, and not run");
  check((await page.locator("main img, main script, main iframe, [style]").count()) === 0, "no markup of theirs, and no inline style, is in the page");

  await longAgo(walk);
  await renewed(walk);
  await endedElsewhere(walk);
  await reloaded(walk);
  const kept = await page.evaluate(async () => [localStorage.length, sessionStorage.length, document.cookie.length, (await indexedDB.databases()).length, (await caches.keys()).length]);
  check(kept.every((count) => count === 0), "the browser keeps nothing: no token in any storage");
});
