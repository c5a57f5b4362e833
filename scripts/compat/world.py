"""What the runner knows while it replays the recording: who is who, their tokens, and the ids that differ here."""

import json
import time

import forged
from client import expect


def strong(password):
    """A password our policy takes, made from a recorded one; the recorded system took any. Kept as long as it was."""
    if password in ("bad", "no"):
        return password
    if len(password) > 72:
        return ("nine quiet otters carry 58 lanterns over the wooden bridge at dusk, " + "z" * 80)[: len(password) - 3] + password[-3:]
    return f"quiet-Otter-58-lanterns-{password}"


class World:
    """Users by name, with their access and refresh tokens."""

    def __init__(self, client, environment):
        self.client = client
        self.environment = environment
        self.tokens = {}
        #: Recorded id -> our id. Users 1 and 2 have the same number here; the rest follow from what was created.
        self.ids = {1: 1, 2: 2}
        self.last = None

    def token(self, actor):
        """The token that this actor sends: a user's, or a forged one."""
        if actor in self.tokens:
            return self.tokens[actor]
        return self.forge(actor)

    def forge(self, actor):
        real = self.tokens["a"]
        now = int(time.time())
        old = forged.old_claims
        made = {
            "garbage": lambda: "garbage",
            "garbage in three parts": lambda: "a.b.c",
            "expired": lambda: forged.expired(real),
            "not yet valid": lambda: forged.signed(old("a@example.com", nbf=now + 3600)),
            "wrong key": lambda: forged.by_public_key(real, self.public_key()),
            "HS512": lambda: forged.signed(old("a@example.com"), "HS512"),
            "unsigned": lambda: forged.unsigned(real),
            "no expiry": lambda: forged.without(real, "exp"),
            "unknown subject": lambda: forged.signed(old("nobody@example.com")),
            "integer subject": lambda: forged.signed(old(1)),
            "expired refresh": lambda: forged.signed(old("a@example.com", "refresh", exp=now - 60)),
            "self-made refresh": lambda: forged.signed(old("nobody@example.com", "refresh")),
            "no type": lambda: forged.signed(old("a@example.com", None)),
        }
        return made[actor]()

    def public_key(self):
        keys = self.client.send("GET", "/.well-known/jwks.json").json()["keys"]
        return keys[0]["x"]

    def path(self, path):
        """The path with our id in place of a recorded one."""
        for recorded, ours in self.ids.items():
            if path.rstrip("/") == f"/api_v1/users/{recorded}":
                return path.replace(f"/{recorded}", f"/{ours}", 1)
        return path

    def same_id(self, recorded, ours, created):
        """The id that must be in the answer: of a new user any that is new, else that of the same user."""
        if recorded in self.ids:
            return self.ids[recorded]
        expect(created and isinstance(ours, int) and ours not in self.ids.values(), f"{ours!r} is no new id")
        return ours

    def sign_in(self, name, email, password):
        body = json.dumps({"email": email, "password": password})
        answer = self.client.send("POST", "/api_v1/auth/access", body, {"content-type": "application/json"})
        expect(answer.status == 200, f"{email} cannot sign in: {answer}")
        values = answer.json()
        self.tokens[name] = values["access_token"]
        self.tokens[name + " refresh"] = values["refresh_token"]

    # Steps that table.py names.

    def make_admin(self):
        """The first users of the recording are 1 and 2, so the administrator is made after them, by the command."""
        import subprocess

        password = strong("admin")
        done = subprocess.run(
            [self.environment["PLATFORM_BINARY"], "user", "create", "--email", "compat-admin@example.com", "--admin", "--password-stdin"],
            input=password + "\n", text=True, capture_output=True, cwd=self.environment["PLATFORM_FOLDER"], check=False,
        )
        expect(done.returncode == 0, f"platform user create: {done.stderr}")
        self.sign_in("admin", "compat-admin@example.com", password)

    def remember_third(self):
        """Stands in for recorded user 3, whose address is taken here."""
        self.ids[3] = self.last.json()["id"]

    def remember_ninth(self):
        """Who registers the freed address."""
        self.ids[9] = self.last.json()["id"]
        self.sign_in("ninth", "a@example.com", strong("evil"))

    def sign_in_a_b(self):
        self.sign_in("a", "a@example.com", strong("pw-a"))
        self.sign_in("b", "b@example.com", strong("pw-b"))

    def keep_refreshed_a(self):
        self.tokens["a"] = self.last.json()["access_token"]
        self.tokens["a refresh"] = self.last.json()["refresh_token"]

    def merge_patch(self):
        fields = {"authorization": "Bearer " + self.tokens["a"], "content-type": "application/merge-patch+json"}
        answer = self.client.send("PATCH", "/api_v1/users/1", "{}", fields)
        expect(answer.status == 200 and answer.json()["id"] == 1, f"an empty merge patch should change nothing: {answer}")

    def check_allow(self):
        allowed = {method.strip() for method in self.last.fields.get("allow", "").split(",")}
        expect({"GET", "HEAD", "POST", "OPTIONS"} <= allowed, f"Allow is {sorted(allowed)}")

    def enable_b(self):
        fields = {"authorization": "Bearer " + self.tokens["admin"], "content-type": "application/json"}
        answer = self.client.send("PUT", "/api_v1/users/2", '{"is_active": true}', fields)
        expect(answer.status == 200 and answer.json()["is_active"] is True, f"b cannot be enabled: {answer}")
        self.sign_in("b", "b@example.com", strong("pw-b"))

    def sign_in_a_again(self):
        self.sign_in("a", "a@example.com", strong("pw-a2"))

    def sign_in_b_again(self):
        self.sign_in("b", "b@example.com", strong("stolen"))

    def check_long_password(self):
        """The end of a long password counts; the replaced system looked at its first 72 bytes only."""
        whole = strong("x" * 72 + "AAA")
        self.sign_in("long", "long@example.com", whole)
        body = json.dumps({"email": "long@example.com", "password": whole[:72] + "BBB"})
        answer = self.client.send("POST", "/api_v1/auth/access", body, {"content-type": "application/json"})
        expect(answer.status == 400, f"another password with the same first 72 bytes signs in: {answer}")

    def scalar_by_a(self):
        fields = {"authorization": "Bearer " + self.tokens["a"], "content-type": "application/json"}
        answer = self.client.send("PUT", "/api_v1/users/1", "5", fields)
        expect(answer.status == 422, f"a number as the body should be 422: {answer}")
