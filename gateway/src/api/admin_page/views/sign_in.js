// Signing in: with a password, and with whatever more the platform asks for (a code, a new password, a second factor to set up).

import { open } from "../dialog.js";
import { fill, h } from "../dom.js";
import { field, form } from "../form.js";
import { send } from "../http.js";
import { sign } from "../icons.js";
import { button, copyable, heading } from "../parts.js";
import { Problem } from "../problem.js";
import { changePassword, me, signIn } from "../session.js";

/** The view before all others; `done` once somebody is signed in. */
export function signInView({ message, done }) {
  const place = h("div", {});
  steps(place, { email: "", done, headed: true });
  return h(
    "main",
    { class: "gate" },
    h("p", { class: "wordmark" }, sign(), h("span", {}, "Platform")),
    message && h("p", { class: "gate-note", role: "status" }, message),
    place,
  );
}

/** Asks the user to sign in anew; true once they have. */
export async function againDialog() {
  const about = "This change needs a recent sign-in. What you were doing goes on after it.";
  return Boolean(
    await open("Confirm that it is you", (close) => {
      const place = h("div", {});
      steps(place, { email: me().email, done: () => close(true), cancel: () => close() });
      return [h("p", { class: "soft" }, about), place];
    }),
  );
}

/** The steps of signing in, one after the other in `place`. */
function steps(place, { email, done, cancel, headed = false }) {
  const known = { email };

  function step(title, note, fields, options) {
    const before = headed ? [heading(title, { note })] : note ? [h("p", { class: "soft" }, note)] : [];
    fill(place, before, form(fields, { cancel, ...options }));
  }

  /** Does it, or goes on to what more is asked for. */
  async function attempt(work) {
    try {
      await work();
      done();
    } catch (problem) {
      if (problem.kind === "second-factor-required") askCode(work);
      else if (problem.kind === "password-change-required") askNewPassword();
      else if (problem.kind === "second-factor-enrolment-required") await enrol();
      else throw problem;
    }
  }

  function askPassword() {
    const password = field("password", "Password", { type: "password", autocomplete: "current-password", required: true, maxlength: 1024 });
    const address = field("email", "E-mail", { type: "email", autocomplete: "username", required: true, value: known.email, maxlength: 320 });
    step("Sign in", "For administrators of this platform.", email ? [password] : [address, password], {
      action: email ? "Confirm" : "Sign in",
      submit: async (values) => {
        Object.assign(known, values);
        await attempt(() => signIn({ email: known.email, password: known.password, ...code() }));
      },
    });
  }

  function askCode(work, note = "From your code generator, or one of your recovery codes.") {
    const one = field("code", "Code", { autocomplete: "one-time-code", inputmode: "text", required: true, maxlength: 64, spellcheck: "false" });
    step("Second factor", note, [one], {
      action: "Continue",
      submit: async (values) => {
        known.code = values.code.trim();
        try {
          await attempt(work);
        } catch (problem) {
          // It is the code that was wrong: the password was right a moment ago.
          if (problem.errors?.length || problem.kind !== "refused") throw problem;
          throw pointed(problem, "code");
        }
      },
    });
  }

  function askNewPassword() {
    const first = field("new_password", "New password", { type: "password", autocomplete: "new-password", required: true, maxlength: 1024, hint: "At least 8 characters, and hard to guess." });
    const again = field("again", "The same again", { type: "password", autocomplete: "new-password", required: true, maxlength: 1024 });
    step("Choose a new password", "It must be changed before you go on.", [first, again], {
      action: "Set the password",
      submit: async (values) => {
        if (values.new_password !== values.again) throw pointed(new Problem(0, { detail: "The two are not the same." }), "again");
        await attempt(async () => {
          await changePassword({ email: known.email, password: known.password, new_password: values.new_password, ...code() });
          known.password = values.new_password;
        });
      },
    });
  }

  /** Sets up the second factor that a role asks for: its secret, a code that proves it, and the recovery codes. */
  async function enrol() {
    const { body } = await send("POST", "/api_v1/auth/second-factor", { body: { email: known.email, password: known.password } });
    const one = field("code", "Code that it shows now", { autocomplete: "one-time-code", inputmode: "numeric", required: true, maxlength: 16 });
    step("Set up a second factor", "Your role asks for one. Add this secret to a code generator on your phone.", [one], {
      action: "Confirm the code",
      before: [
        copyable("Secret", body.secret.replace(/(.{4})(?=.)/g, "$1 ")),
        h("p", {}, h("a", { href: body.url }, "Open in a code generator on this device")),
      ],
      submit: async (values) => {
        const proof = { email: known.email, password: known.password, code: values.code.trim() };
        showRecovery((await send("POST", "/api_v1/auth/second-factor/confirm", { body: proof })).body.recovery_codes);
      },
    });
  }

  function showRecovery(codes) {
    const next = button("I have kept them", () => {
      askCode(() => signIn({ email: known.email, password: known.password, ...code() }), "Wait for the next code that your generator shows.");
    }, { kind: "main" });
    const title = "Keep your recovery codes";
    const note = "Each is good once, for when the generator is lost. They are shown this one time.";
    fill(place, headed ? heading(title, { note }) : h("p", {}, note), h("ul", { class: "codes" }, codes.map((one) => h("li", {}, h("code", {}, one)))), h("div", { class: "dialog-end" }, next));
    next.focus();
  }

  const code = () => (known.code ? { code: known.code } : {});
  askPassword();
}

/** The problem, at a field. */
function pointed(problem, name) {
  problem.errors = [{ pointer: `/${name}`, detail: problem.message }];
  return problem;
}
