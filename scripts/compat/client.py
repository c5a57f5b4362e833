"""One HTTP request on a raw path, and the checks that hold for every answer."""

import http.client
import json
import urllib.parse


class Mismatch(AssertionError):
    """The answer is not the one the case asks for."""


def expect(condition, message):
    """Fails the case with this message unless the condition holds."""
    if not condition:
        raise Mismatch(message)


class Answer:
    """Status, header fields (lower-case names) and body of one answer."""

    def __init__(self, status, fields, body):
        self.status = status
        self.fields = fields
        self.body = body

    def json(self):
        """The body as JSON, which it must be."""
        try:
            return json.loads(self.body)
        except ValueError:
            raise Mismatch(f"{self.status} with a body that is not JSON: {self.body[:200]!r}") from None

    def __str__(self):
        return f"{self.status} {self.body[:300].decode(errors='replace')}"


class Client:
    """Sends requests to one gateway, a connection each."""

    def __init__(self, base):
        self.host = urllib.parse.urlsplit(base).netloc

    def send(self, method, path, body=None, fields=None):
        """Sends exactly this path and body; what is no success is checked to be a whole problem answer."""
        connection = http.client.HTTPConnection(self.host, timeout=15)
        try:
            connection.request(method, path, body=body, headers=fields or {})
            answer = connection.getresponse()
            answer = Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        finally:
            connection.close()
        if answer.status >= 400:
            check_problem(answer)
        return answer


def check_problem(answer):
    """RFC 9457 in the house's form; 401 with a challenge, 405 with the methods allowed, 422 with its faults."""
    kind = answer.fields.get("content-type", "").split(";")[0]
    expect(kind == "application/problem+json", f"{answer} is {kind or 'without a type'}, not application/problem+json")
    problem = answer.json()
    for name, form in {"type": str, "title": str, "status": int, "detail": str, "instance": str, "request_id": str}.items():
        expect(isinstance(problem.get(name), form), f"the problem's {name} is {problem.get(name)!r}: {answer}")
    expect(problem["status"] == answer.status, f"status {problem['status']} in the body of a {answer.status}")
    if answer.status == 401:
        expect(answer.fields.get("www-authenticate", "").startswith("Bearer"), f"401 without WWW-Authenticate: {answer}")
    if answer.status == 405:
        expect(answer.fields.get("allow"), f"405 without Allow: {answer}")
    if answer.status == 422:
        faults = problem.get("errors")
        expect(isinstance(faults, list) and faults, f"422 without errors: {answer}")
        for fault in faults:
            expect({"pointer", "detail"} <= fault.keys(), f"a fault without pointer or detail: {fault}")
