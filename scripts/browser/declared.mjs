// Tries operations of declared services from /docs, as a reader of the page does: with parameters, with a body, and one that is refused.
import { authorize, drive, watch } from "./chromium.mjs";

const base = process.env.PLATFORM_URL;

/** Opens an operation by method and path, fills in what is given, executes it, and gives the answer. */
async function attempt(page, method, path, sent, { fields = {}, body } = {}) {
  const block = page.locator(`.opblock-${method}`).filter({ has: page.locator(`.opblock-summary-path[data-path="${path}"]`) });
  await block.locator(".opblock-summary-control").first().click();
  for (const [name, value] of Object.entries(fields)) await block.locator(`tr[data-param-name="${name}"] input`).fill(value);
  if (body) await block.locator("textarea.body-param__text").fill(body);
  const [answer] = await Promise.all([
    page.waitForResponse((response) => new URL(response.url()).pathname === sent),
    block.locator(".execute").click(),
  ]);
  const shown = block.locator(".live-responses-table .response .highlight-code").first();
  await shown.waitFor();
  return { status: answer.status(), shown: await shown.innerText() };
}

await drive(async ({ browser, faults, check, shoot }) => {
  let page = await browser.newPage();
  page.setDefaultTimeout(30_000);
  watch(page, "/docs", base, faults);
  await page.goto(`${base}/docs`);
  await page.locator(".opblock").first().waitFor();
  await authorize(page, process.env.ADMIN_TOKEN);

  const read = await attempt(page, "get", "/api/orders/orders/{order_id}", "/api/orders/orders/1", { fields: { order_id: "1" } });
  check(read.status === 200 && read.shown.includes('"sku": "a-1"'), `FastAPI: an order is read from /docs (${read.status})`);
  const made = await attempt(page, "post", "/api/orders/orders/", "/api/orders/orders/", {
    body: '{"items": [{"sku": "c-3", "count": 4}], "note": "from the page"}',
  });
  check(made.status === 201 && made.shown.includes("from the page"), `FastAPI: an order is made from /docs (${made.status})`);
  const item = await attempt(page, "get", "/api/stock/items/{sku}", "/api/stock/items/a-1", { fields: { sku: "a-1" } });
  check(item.status === 200 && item.shown.includes('"count": 5'), `Fastify: an item is read from /docs (${item.status})`);
  await shoot(page, "declared.png");
  const other = await browser.newPage();
  await other.goto(`${base}/api/orders/page`);
  await other.waitForFunction(() => document.title !== "trying");
  const reached = await other.title();
  check(reached === "admin refused, document refused, worker refused", `FastAPI: a page of its own reaches nothing of the gateway's (${reached})`);
  await page.bringToFront();
  const before = faults.length;
  const none = await attempt(page, "get", "/api/big/things7/{id}", "/api/big/things7/1", { fields: { id: "1" } });
  const text = page.locator(".opblock.is-open .opblock-description").filter({ hasText: "A text of a service." }).first();
  const links = await text.locator("a").evaluateAll((found) => found.map((link) => link.getAttribute("href") ?? ""));
  check(!links.some((link) => link.toLowerCase().includes("javascript:")), `what a service writes has no links that run (${links})`);
  check((await page.title()) !== "owned" && (await text.locator("script").count()) === 0, "what a service writes is shown and not run");
  check(none.status === 503 && none.shown.includes("urn:platform:problem:"), `a service that is down shows its problem (${none.status})`);
  // Chromium writes every refused request to the console, and from version 156 on every event handler in a text that is sanitised, which
  // the policy keeps from running in a document that is never shown as well.
  const expected = ["status of 503", "Executing inline event handler violates"];
  const others = faults.slice(before).filter((fault) => !expected.some((text) => fault.includes(text)));
  faults.splice(before, faults.length - before, ...others);
});
