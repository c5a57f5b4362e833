// An OAuth client that is not ours (oauth4webapi) against a running platform: discovery, the client credentials grant,
// introspection, revocation. It takes nothing that the RFCs do not allow, and so does this script.
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const modules = join(process.env.NODE_TOOLS ?? join(process.cwd(), "target/tools/node"), "node_modules");
const oauth = await import(pathToFileURL(join(modules, "oauth4webapi/build/index.js")));
const base = process.env.PLATFORM_URL;
// The platform speaks plain HTTP on loopback; TLS ends before it.
const options = { [oauth.allowInsecureRequests]: true };

function check(condition, message) {
  if (!condition) throw new Error(message);
  console.log(`ok    ${message}`);
}
const platform = (...args) => execFileSync(process.env.PLATFORM_BINARY, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
const account = (name, ...scopes) => platform("service-account", "create", name, "--role", "admin", "--audience", "users", "--scope", scopes.join(","));
async function refused(request, error, status) {
  try {
    await request;
  } catch (fault) {
    const code = fault.error ?? fault.code;
    check((!error || code === error) && (fault.status ?? fault.response?.status) === status, `refused: ${status} ${code}`);
    return;
  }
  throw new Error(`not refused: ${error}`);
}

const issuer = new URL(base);
const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { ...options, algorithm: "oauth2" }));
check(server.token_endpoint === `${base}/api_v1/auth/token`, "discovery: the issuer and its token endpoint");
check(!server.grant_types_supported.includes("password"), "discovery: no password grant");

const secret = account("outside", "users:read", "tokens:introspect");
const client = { client_id: "outside" };
async function grant(authentication, parameters = {}) {
  const answer = await oauth.clientCredentialsGrantRequest(server, client, authentication, new URLSearchParams(parameters), options);
  return oauth.processClientCredentialsResponse(server, client, answer);
}
const basic = oauth.ClientSecretBasic(secret);
const all = await grant(basic);
check(all.scope === "tokens:introspect users:read" && all.expires_in > 0, "client credentials by HTTP Basic");
const token = (await grant(oauth.ClientSecretPost(secret), { scope: "users:read" })).access_token;
const call = (bearer, path) => fetch(`${base}${path}`, { headers: { authorization: `Bearer ${bearer}` } });
check((await call(token, "/api_v1/users?limit=1")).status === 200, "the token lists users");
check((await call(token, "/api_v1/audit")).status === 403, "and is good for nothing beyond its scope");
await refused(grant(basic, { scope: "audit:read" }), "invalid_scope", 400);
await refused(grant(oauth.ClientSecretBasic("psk_wrong")), undefined, 401);
await refused(grant(oauth.ClientSecretPost("psk_wrong")), undefined, 401);
const internal = await grant(basic, { audience: "users" });
check((await call(internal.access_token, "/api_v1/users?limit=1")).status === 401, "an internal token is refused at the gateway");

const claims = await oauth.validateJwtAccessToken(
  { ...server },
  new Request(`${base}/`, { headers: { authorization: `Bearer ${token}` } }),
  "platform",
  options,
);
check(claims.sub === "service:outside" && claims.client_id === "outside", "the access token is one of RFC 9068, by the published keys");

async function introspect(what) {
  const answer = await oauth.introspectionRequest(server, client, basic, what, options);
  return oauth.processIntrospectionResponse(server, client, answer);
}
const told = await introspect(token);
check(told.active && told.scope === "users:read" && told.client_id === "outside", "introspection of an access token");
check((await introspect(process.env.ADMIN_TOKEN)).active, "introspection of a user's token");
check(JSON.stringify(await introspect("garbage")) === '{"active":false}', "introspection of what is no token");

async function revoke(what) {
  return oauth.processRevocationResponse(await oauth.revocationRequest(server, client, basic, what, options));
}
await revoke(token);
check(!(await introspect(token)).active && (await call(token, "/api_v1/users?limit=1")).status === 401, "revocation");
await revoke("garbage");
check(true, "revocation of what is no token");
await refused(revoke(process.env.ADMIN_TOKEN), "invalid_grant", 400);
check((await call(process.env.ADMIN_TOKEN, "/api_v1/users?limit=1")).status === 200, "another's token goes on");
