// Dialogs: one at a time, the focus kept in it by the browser and given back to where it came from.

import { fill, h, id } from "./dom.js";
import { sentence } from "./problem.js";

/**
 * Opens a dialog. `content` is what it shows, or makes that of `close`. Resolves, once it is closed, to what it was closed with;
 * to null where it was left.
 */
export function open(title, content, { size = "" } = {}) {
  return new Promise((resolve) => {
    const from = document.activeElement;
    const named = id("dialog");
    let result = null;
    const dialog = h("dialog", { class: `dialog ${size}`, "aria-labelledby": named });
    const close = (value = null) => {
      result = value;
      dialog.close();
    };
    fill(dialog, h("h2", { id: named }, title), typeof content === "function" ? content(close) : content);
    dialog.addEventListener("close", () => {
      dialog.remove();
      giveBack(from);
      resolve(result);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** What had the focus may be gone by now: then the view's heading has it. */
function giveBack(from) {
  if (from?.isConnected) from.focus();
  if (document.activeElement === document.body) document.querySelector("h1")?.focus();
}

/** Asks before `run` is done, and does it with the dialog open, so that a refusal is read where it was asked. True once done. */
export function confirm({ title, text, action, kind = "danger", run }) {
  return open(title, (close) => {
    const fault = h("p", { class: "fault", role: "alert" });
    const cancel = h("button", { type: "button", class: "button plain", autofocus: true, on: { click: () => close() } }, "Cancel");
    const sure = h("button", { type: "button", class: `button ${kind}` }, action);
    sure.addEventListener("click", async () => {
      sure.disabled = true;
      fill(fault);
      try {
        await run();
        close(true);
      } catch (problem) {
        fill(fault, sentence(problem.message));
        sure.disabled = false;
        sure.focus();
      }
    });
    return [h("p", {}, text), fault, h("div", { class: "dialog-end" }, cancel, sure)];
  });
}

/** Shows something that is read and closed. */
export function show(title, ...content) {
  return open(title, (close) => [
    ...content,
    h("div", { class: "dialog-end" }, h("button", { type: "button", class: "button main", on: { click: () => close(true) } }, "Done")),
  ]);
}
