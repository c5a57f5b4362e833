// Drives /docs and /redoc in a real headless Chromium that has no way out of this machine: signs in by "Authorize",
// tries "list users", and fails on any request to another host, script error or refusal by the content security policy.
import { join } from "node:path";
import { launch, watch } from "./chromium.mjs";

const base = process.env.PLATFORM_URL;
const { browser, close } = await launch();
const faults = [];
function check(condition, message) {
  if (!condition) throw new Error(message);
  console.log(`ok    ${message}`);
}

let failed = false;
let page;
try {
  page = await browser.newPage();
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

  await page.locator(".btn.authorize").first().click();
  await page.locator(".auth-container input").first().fill(process.env.ADMIN_TOKEN);
  await page.locator(".auth-btn-wrapper button.authorize").first().click();
  await page.locator(".btn-done").first().click();

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
  if (process.env.SCREENSHOTS) await page.screenshot({ path: join(process.env.SCREENSHOTS, "docs.png") });
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
  if (process.env.SCREENSHOTS) await page.screenshot({ path: join(process.env.SCREENSHOTS, "redoc.png") });
} catch (error) {
  failed = true;
  console.error(`FAILED ${error}`);
  if (process.env.SCREENSHOTS) await page?.screenshot({ path: join(process.env.SCREENSHOTS, "failure.png") });
} finally {
  await close();
}
for (const fault of faults) console.error(`FAILED ${fault}`);
process.exit(failed || faults.length ? 1 : 0);
