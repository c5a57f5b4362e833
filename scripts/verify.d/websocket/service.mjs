// A service of npm's `ws`: it sends back what it gets. Ports and the place of the package come as arguments.
import { createRequire } from "node:module";

const [port, modules] = process.argv.slice(2);
const { WebSocketServer } = createRequire(`${modules}/`)("ws");

const server = new WebSocketServer({
    host: "127.0.0.1",
    port: Number(port),
    maxPayload: 256 * 1024 * 1024,
    perMessageDeflate: true,
    handleProtocols: (offered) => (offered.has("chat") ? "chat" : false),
});
server.on("connection", (socket, request) => {
    socket.on("error", () => {});
    if (request.url.startsWith("/close/")) {
        socket.close(Number(request.url.slice("/close/".length)), "as asked");
        return;
    }
    if (request.url === "/terminate") {
        socket.terminate();
        return;
    }
    if (request.url === "/told") {
        socket.send(JSON.stringify({ headers: request.headers, protocol: socket.protocol }));
        return;
    }
    socket.on("message", (data, binary) => socket.send(data, { binary }));
});
