// Drives /docs and /redoc in a real headless Chromium that has no way out of this machine: signs in by "Authorize",
// tries "list users", and fails on any request to another host, script error or refusal by the content security policy.
import { authorize, drive, watch } from "./chromium.mjs";

const base = process.env.PLATFORM_URL;

await drive(async ({ browser, faults, check, shoot }) => {
  let page = await browser.newPage();
  page.setDefaultTimeout(20_000);
  watch(page, "/docs", base, faults);
  await page.goto(`${base}/docs`);
  await page.locator(".opblock").first().waitFor();
  const served = await (await fetch(`${base}/api_v1/openapi.json`)).json();
  const declared = Object.values(served.paths).flatMap((path) =>
    Object.keys(path).filter((method) => ["get", "put", "post", "patch", "delete", "head", "options"].includes(method)),
  ).length;
  const shown = await page.locator(".opblock").count();
  check(shown === declared, `/docs shows all ${declared} operations (${shown})`);

  await authorize(page, process.env.ADMIN_TOKEN);

  const list = page.locator("#operations-Users-list_users");
  await list.locator(".opblock-summary").click();
  await list.locator(".execute").waitFor();
  const [answer] = await Promise.all([
    page.waitForResponse((response) => new URL(response.url()).pathname === "/api_v1/users"),
    list.locator(".execute").click(),
  ]);
  check(answer.status() === 200, `"Execute" of list users answers 200 (${answer.status()})`);
  await list.locator(".live-responses-table").getByText(process.env.ADMIN_EMAIL).first().waitFor();
  check(true, "the answer shown holds the administrator");
  await shoot(page, "docs.png");
  await page.close();

  page = await browser.newPage();
  page.setDefaultTimeout(20_000);
  watch(page, "/docs?url=", base, faults);
  const evil = "https://evil.example/o.json";
  await page.goto(`${base}/docs?url=${evil}&configUrl=${evil}#url=${evil}`);
  await page.locator(".opblock").first().waitFor();
  check((await page.locator(".opblock").count()) === declared, "a link can't make /docs show another document");
  await page.close();

  page = await browser.newPage();
  page.setDefaultTimeout(20_000);
  watch(page, "/redoc", base, faults);
  await page.goto(`${base}/redoc`);
  await page.locator("h1").first().waitFor();
  await page.locator('[data-item-id^="tag/"], [data-section-id^="tag/"]').first().waitFor();
  check((await page.locator("body").innerText()).includes("List users"), "/redoc shows the operations");
  await shoot(page, "redoc.png");
});
