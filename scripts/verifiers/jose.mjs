// npm's `jose`, as its documentation says: reads {token, jwks, issuer, audience} and writes {verdict, claims or error}.
import { createRequire } from "node:module";
import { join } from "node:path";
import { readFileSync } from "node:fs";

const require = createRequire(join(process.cwd(), "target/tools/node/"));
const { createRemoteJWKSet, jwtVerify } = require("jose");
const question = JSON.parse(readFileSync(0, "utf8"));

// https://github.com/panva/jose/blob/main/docs/jwt/verify/functions/jwtVerify.md
const verdicts = {
  ERR_JWS_SIGNATURE_VERIFICATION_FAILED: () => "signature",
  ERR_JWT_CLAIM_VALIDATION_FAILED: (error) => (error.claim === "aud" ? "audience" : "failed"),
  ERR_JWT_EXPIRED: () => "expired",
  ERR_JWKS_NO_MATCHING_KEY: () => "key",
};
try {
  const { payload } = await jwtVerify(question.token, createRemoteJWKSet(new URL(question.jwks)), {
    algorithms: ["EdDSA", "ES256"],
    issuer: question.issuer,
    audience: question.audience,
    typ: "at+jwt",
    requiredClaims: ["iss", "sub", "aud", "exp", "iat", "nbf", "jti"],
  });
  console.log(JSON.stringify({ verdict: "good", claims: payload }));
} catch (error) {
  const verdict = (verdicts[error.code] ?? (() => "failed"))(error);
  console.log(JSON.stringify({ verdict, error: `${error.code}: ${error.message}` }));
}
