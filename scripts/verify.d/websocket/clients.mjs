// What a client of npm's `ws` can do, done straight at the service and through the gateway: both must go the same way.
import { createRequire } from "node:module";
import { createHash, randomBytes } from "node:crypto";

const [modules, direct, gateway, token] = process.argv.slice(2);
const { WebSocket } = createRequire(`${modules}/`)("ws");
const hash = (data) => createHash("sha256").update(data).digest("hex").slice(0, 16);

/** Opens a socket, runs `talk` on it, and tells all that happened. */
function session(base, path, options, talk) {
    const { protocols, ...rest } = options;
    return new Promise((resolve) => {
        const told = [];
        const socket = new WebSocket(`${base}${path}`, protocols ?? [], { ...rest, headers: headers(base, rest) });
        const timer = setTimeout(() => { told.push("timeout"); socket.terminate(); }, 20_000);
        socket.on("unexpected-response", (_, answer) => { told.push(`status ${answer.statusCode}`); socket.terminate(); });
        socket.on("open", () => { told.push(`open ${socket.protocol || "-"} ${socket.extensions || "-"}`); talk?.(socket); });
        socket.on("message", (data, binary) => told.push(`${binary ? "binary" : "text"} ${data.length} ${hash(data)}`));
        socket.on("ping", (data) => told.push(`ping ${data}`));
        socket.on("pong", (data) => told.push(`pong ${data}`));
        socket.on("error", (error) => told.push(`error ${error.code ?? ""}`.trim()));
        socket.on("close", (code, reason) => { clearTimeout(timer); told.push(`close ${code} ${reason}`.trim()); resolve(told); });
    });
}

const headers = (base, options) => (base === gateway ? { ...options.headers, authorization: `Bearer ${token}` } : options.headers);

/** Sends all of them, and closes when as many have come back. */
const echo = (messages, options = {}) => (socket) => {
    let left = messages.length;
    socket.on("message", () => { if (--left === 0) socket.close(1000, "done"); });
    for (const message of messages) socket.send(message, options);
};
const big = randomBytes(8 * 1024 * 1024);
const cases = {
    "texts of every length about the borders of a head": ["/echo", {}, echo([0, 1, 125, 126, 127, 65535, 65536, 65537].map((length) => "a".repeat(length)))],
    "bytes of every value": ["/echo", {}, echo([Buffer.from([...Array(256).keys()])])],
    "letters beyond ASCII": ["/echo", {}, echo(["Hällo-µ@ßöä 𝄞 日本語"])],
    "8 MiB in one message": ["/echo", { perMessageDeflate: false }, echo([big])],
    "8 MiB in one message, compressed": ["/echo", { perMessageDeflate: true }, echo([big])],
    "a thousand messages": ["/echo", {}, echo([...Array(1000).keys()].map((number) => `message ${number}`))],
    "a message in fragments": ["/echo", { perMessageDeflate: false }, (socket) => {
        socket.on("message", () => socket.close(1000));
        socket.send("one ", { fin: false });
        socket.send("two ", { fin: false });
        socket.ping("between");
        socket.send("three", { fin: true });
    }],
    "a message in fragments, compressed": ["/echo", {}, (socket) => {
        socket.on("message", () => socket.close(1000));
        socket.send("one ".repeat(1000), { fin: false });
        socket.send("two".repeat(1000), { fin: true });
    }],
    "a ping": ["/echo", {}, (socket) => { socket.on("pong", () => socket.close(1000)); socket.ping("are you there"); }],
    "without extensions": ["/echo", { perMessageDeflate: false }, echo(["x"])],
    "without takeover of contexts": ["/echo", { perMessageDeflate: { clientNoContextTakeover: true, serverNoContextTakeover: true } }, echo(["x".repeat(2000), "x".repeat(2000)])],
    "a smaller window": ["/echo", { perMessageDeflate: { serverMaxWindowBits: 10 } }, echo(["y".repeat(5000)])],
    "a subprotocol of several": ["/echo", { protocols: ["v2", "chat"] }, echo(["x"])],
    "a subprotocol that nobody takes": ["/echo", { protocols: ["v2"] }, echo(["x"])],
    "a close without a code": ["/echo", {}, (socket) => socket.close()],
    "a close with a code of one's own": ["/echo", {}, (socket) => socket.close(4999, "for a reason")],
    "a close while messages are on their way": ["/echo", {}, (socket) => { for (let count = 0; count < 50; count++) socket.send("z".repeat(10_000)); socket.close(1000); }],
    "a close by the service": ["/close/1000", {}, undefined],
    "a close by the service with its own code": ["/close/4001", {}, undefined],
    "a service that breaks off": ["/terminate", {}, undefined],
    "a frame that is not allowed": ["/echo", { perMessageDeflate: false }, (socket) => socket._socket.write(Buffer.from([0x83, 0x80, 0, 0, 0, 0]))],
    "a frame that is not masked": ["/echo", { perMessageDeflate: false }, (socket) => socket._socket.write(Buffer.from([0x81, 0x01, 0x61]))],
    "text that is no UTF-8": ["/echo", { perMessageDeflate: false }, (socket) => socket.send(Buffer.from([0xc3, 0x28]), { binary: false })],
};

let wrong = 0;
const check = (what, right, detail) => {
    if (!right) wrong += 1;
    console.log(`${right ? "ok    " : "WRONG "}${what}${right ? "" : `: ${detail}`}`);
};

for (const [what, [path, options, talk]] of Object.entries(cases)) {
    const expected = await session(direct, path, options, talk);
    const got = await session(gateway, path, options, talk);
    check(what, JSON.stringify(expected) === JSON.stringify(got), `${JSON.stringify(got)} through the gateway, ${JSON.stringify(expected)} without`);
}

/** Opens as a page in a browser would: no field of its own, the token among the subprotocols. */
const page = (protocols, path = "/told") => new Promise((resolve) => {
    const socket = new WebSocket(`${gateway}${path}`, protocols);
    socket.on("unexpected-response", (_, answer) => { resolve({ status: answer.statusCode }); socket.terminate(); });
    socket.on("error", () => {});
    socket.on("message", (data) => { resolve({ protocol: socket.protocol, ...JSON.parse(data), taken: socket.protocol }); socket.close(); });
});
let told = await page(["bearer", token]);
check("a token among the subprotocols", told.taken === "bearer" && !JSON.stringify(told).includes(token), JSON.stringify(told));
told = await page(["chat", "bearer", token]);
check("a token beside other subprotocols", told.taken === "chat" && told.headers["sec-websocket-protocol"] === "chat", JSON.stringify(told));
told = await page(["bearer", "nonsense"]);
check("a token that is none", told.status === 401, JSON.stringify(told));
told = await page([]);
check("no token", told.status === 401, JSON.stringify(told));

const many = await Promise.all([...Array(100).keys()].map((number) => session(gateway, "/echo", {}, echo([`socket ${number}`]))));
check("a hundred at once", many.every((each) => each.at(-1).startsWith("close 1000") && each.some((line) => line.startsWith("text"))), JSON.stringify(many[0]));

process.exit(wrong === 0 ? 0 : 1);
