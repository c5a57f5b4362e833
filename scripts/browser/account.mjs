// Follows the link in LINK in a real headless Chromium, as its reader would: sets PASSWORD, or confirms the address.
import { join } from "node:path";
import { launch, watch } from "./chromium.mjs";

const base = process.env.PLATFORM_URL;
const { browser, close } = await launch({ colorScheme: process.env.COLOR_SCHEME ?? "light", viewport: { width: 900, height: 640 } });
const faults = [];
const page = await browser.newPage();
page.setDefaultTimeout(20_000);
// The first password is refused on purpose, and a browser writes that to its console.
watch(page, "the page", base, { push: (fault) => fault.includes("status of 422") || faults.push(fault) });

let failed = false;
async function say(pattern) {
  await page.getByRole("status").filter({ hasText: pattern }).waitFor();
  console.log(`ok    ${await page.getByRole("status").textContent()}`);
}
async function shot(name) {
  if (process.env.SCREENSHOTS) await page.screenshot({ path: join(process.env.SCREENSHOTS, `account-${name}.png`) });
}
try {
  await page.goto(process.env.LINK);
  if (new URL(page.url()).hash) throw new Error("the token stays in the address bar");
  console.log("ok    the token is gone from the address bar");
  if (process.env.PASSWORD) {
    const set = async (first, second) => {
      await page.getByLabel("New password").fill(first);
      await page.getByLabel("The same again").fill(second);
      await page.getByRole("button", { name: "Set the password" }).click();
    };
    await set(process.env.PASSWORD, "something else");
    await say(/not the same/);
    await set("password1", "password1");
    await say(/too easily guessed/);
    await shot("refused");
    await set(process.env.PASSWORD, process.env.PASSWORD);
    await say(/The password is set/);
  } else {
    await page.getByRole("button", { name: "Confirm my address" }).click();
    await say(/the address is confirmed/);
  }
  await shot("done");
} catch (error) {
  failed = true;
  console.error(`FAILED ${error}`);
  await shot("failure");
} finally {
  await close();
}
for (const fault of faults) console.error(`FAILED ${fault}`);
process.exit(failed || faults.length ? 1 : 0);
