"use strict";
// The token stands after `#`, which no browser sends anywhere; it is taken out of the address bar and the history at once.
const token = new URLSearchParams(location.hash.slice(1)).get("token") || "";
history.replaceState(null, "", location.pathname);

const find = (id) => document.getElementById(id);
const titles = {
  "reset-password": "Set a new password",
  "accept-invitation": "Choose your password",
  "verify-address": "Confirm your address",
};
const purpose = location.pathname.split("/").pop();
document.title = find("title").textContent = titles[purpose] || "Your account";

function say(text, good) {
  const message = find("message");
  message.textContent = text;
  message.className = good ? "good" : "bad";
}

async function post(path, body) {
  try {
    const answer = await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      credentials: "omit",
    });
    if (answer.ok) return "";
    const problem = await answer.json();
    const faults = (problem.errors || []).map((fault) => fault.detail);
    return (faults.length ? "The password " + faults.join("; it ") : problem.detail).replace(/\.*$/, ".");
  } catch {
    return "The platform can't be reached. Try again in a moment.";
  }
}

async function send(button, path, body, done, shown) {
  button.disabled = true;
  const fault = await post(path, body);
  button.disabled = false;
  if (fault) return say(fault, false);
  shown.hidden = true;
  say(done, true);
}

if (!token) {
  say("This link is not whole. Open it once more from the letter, to its very end.", false);
} else if (purpose === "verify-address") {
  const button = find("confirm");
  button.hidden = false;
  button.addEventListener("click", () =>
    send(button, "/api_v1/auth/address-verification/confirm", { token }, "Thank you: the address is confirmed.", button));
} else {
  const form = find("form");
  form.hidden = false;
  find("password").focus();
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (find("password").value !== find("again").value) return say("The two are not the same.", false);
    const body = { token, password: find("password").value };
    send(find("send"), "/api_v1/auth/password-reset/confirm", body, "The password is set. You can sign in with it now.", form);
  });
}
