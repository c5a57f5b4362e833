// A Fastify service as its author would write it: it knows nothing of the platform. `stock.mjs PORT`.
import Fastify from "fastify";
import swagger from "@fastify/swagger";

const app = Fastify();
await app.register(swagger, { openapi: { openapi: "3.0.3", info: { title: "Stock", version: "1" } } });
const item = { $id: "Item", type: "object", required: ["sku", "count"], properties: { sku: { type: "string" }, count: { type: "integer" } } };
app.addSchema(item);
const stock = new Map([["a-1", 5]]);

app.get("/items/:sku", {
  schema: {
    operationId: "list_orders_orders__get",
    params: { type: "object", properties: { sku: { type: "string", minLength: 2 } } },
    response: { 200: { $ref: "Item#" }, 404: { type: "object", properties: { message: { type: "string" } } } },
  },
}, (request, reply) => {
  const count = stock.get(request.params.sku);
  if (count === undefined) return reply.code(404).send({ message: "no such item" });
  return { sku: request.params.sku, count };
});

app.put("/items/:sku", {
  schema: {
    params: { type: "object", properties: { sku: { type: "string" } } },
    body: { type: "object", required: ["count"], properties: { count: { type: "integer", minimum: 0 } } },
    response: { 204: { type: "null", description: "stored" } },
  },
}, (request, reply) => {
  stock.set(request.params.sku, request.body.count);
  return reply.code(204).send();
});

app.get("/openapi.json", { schema: { hide: true } }, () => app.swagger());
await app.listen({ host: "127.0.0.1", port: Number(process.argv[2]) });
