"""What the stub services of the benches answer, and under which issuer their tokens are made."""

import json

#: The issuer must outlive a restart on another port.
ISSUER = "http://platform.bench:8001"
#: An answer that the contract of the users service takes.
USER = {
    "id": 1, "email": "bench@example.com", "is_active": True, "email_verified": True, "first_name": "Benjamin", "last_name": "Bencher",
    "roles": ["admin"], "created_at": "2026-01-01T00:00:00.000000Z", "updated_at": "2026-01-01T00:00:00.000000Z", "must_change_password": False,
}
USER_JSON = json.dumps(USER, separators=(",", ":"))
