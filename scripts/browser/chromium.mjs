// A headless Chromium that has no way out of this machine, and what is a fault on a page of ours.
import { createRequire } from "node:module";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const require = createRequire(join(process.cwd(), "target/tools/node/"));
const { chromium } = require("playwright-core");

/** Starts one with a profile of its own; `close()` ends it and removes the profile. */
export async function launch(options = {}) {
  const profile = mkdtempSync(join(tmpdir(), "platform-browser-"));
  const browser = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    ...options,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ],
  });
  return {
    browser,
    async close() {
      await browser.close();
      rmSync(profile, { recursive: true, force: true });
    },
  };
}

/** Notes every request to another host, script error and refusal by the content security policy. */
export function watch(page, name, base, faults) {
  page.on("pageerror", (error) => faults.push(`${name}: ${error}`));
  page.on("console", (message) => message.type() === "error" && faults.push(`${name}: ${message.text()}`));
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (["http:", "https:"].includes(url.protocol) && url.origin !== base) faults.push(`${name} asks for ${request.url()}`);
  });
}

/** Runs `work` in a Chromium of its own and ends the process: with 1 where it throws, where a check fails, or where a page had a fault. */
export async function drive(work) {
  const { browser, close } = await launch();
  const faults = [];
  const check = (condition, message) => {
    if (!condition) throw new Error(message);
    console.log(`ok    ${message}`);
  };
  const shoot = async (page, name) => {
    if (process.env.SCREENSHOTS) await page?.screenshot({ path: join(process.env.SCREENSHOTS, name) });
  };
  let failed = false;
  try {
    await work({ browser, faults, check, shoot });
  } catch (error) {
    failed = true;
    console.error(`FAILED ${error}`);
    await shoot(browser.pages().at(-1), "failure.png");
  } finally {
    await close();
  }
  for (const fault of faults) console.error(`FAILED ${fault}`);
  process.exit(failed || faults.length ? 1 : 0);
}

/** Signs in on /docs by "Authorize". */
export async function authorize(page, token) {
  await page.locator(".btn.authorize").first().click();
  await page.locator(".auth-container input").first().fill(token);
  await page.locator(".auth-btn-wrapper button.authorize").first().click();
  await page.locator(".btn-done").first().click();
}
