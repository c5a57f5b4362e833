"""A FastAPI service as its author would write it: it knows nothing of the platform. `orders.py PORT`."""

import asyncio
import sys
from typing import Annotated

import uvicorn
from fastapi import FastAPI, File, Header, HTTPException, Query, UploadFile
from fastapi.responses import HTMLResponse, StreamingResponse
from pydantic import BaseModel, Field

app = FastAPI(title="Orders", version="1.0")


class Item(BaseModel):
    sku: str = Field(pattern=r"^[a-z]-[0-9]+$")
    count: int = Field(gt=0, le=1000)


class Order(BaseModel):
    id: int
    items: list[Item] = []
    note: str | None = None


class NewOrder(BaseModel):
    items: list[Item] = Field(min_length=1)
    note: str | None = None


ORDERS = {1: Order(id=1, items=[Item(sku="a-1", count=2)])}


@app.get("/orders/", tags=["orders"])
def list_orders(sku: Annotated[list[str] | None, Query()] = None, limit: int = Query(10, ge=1, le=100)) -> list[Order]:
    wanted = [order for order in ORDERS.values() if not sku or {item.sku for item in order.items} & set(sku)]
    return wanted[:limit]


@app.post("/orders/", status_code=201, tags=["orders"])
def add_order(order: NewOrder) -> Order:
    made = Order(id=max(ORDERS) + 1, **order.model_dump())
    ORDERS[made.id] = made
    return made


@app.get("/orders/{order_id}", tags=["orders"], responses={404: {"description": "No such order"}})
def read_order(order_id: int) -> Order:
    if order_id not in ORDERS:
        raise HTTPException(404, "no such order")
    return ORDERS[order_id]


@app.get("/who")
def who(authorization: Annotated[str | None, Header()] = None, x_forwarded_for: Annotated[str | None, Header()] = None) -> dict[str, str]:
    return {"authorization": authorization or "", "client": x_forwarded_for or ""}


@app.post("/upload")
async def upload(file: Annotated[UploadFile, File()]) -> dict[str, int]:
    size = 0
    while chunk := await file.read(1 << 20):
        size += len(chunk)
    return {"size": size}


@app.get("/events", responses={200: {"content": {"text/event-stream": {}}}}, response_class=StreamingResponse)
async def events():
    async def lines():
        for number in range(3):
            yield f"data: {number}\n\n"
            await asyncio.sleep(0.3)

    return StreamingResponse(lines(), media_type="text/event-stream")


# A page that tries what it may do where it is shown, and tells it in its title.
PAGE = """<!doctype html><title>trying</title><script>
const opened = window.open("/admin");
const word = (reached) => (reached ? "reached" : "refused");
setTimeout(async () => {
  let admin = false;
  try { admin = Boolean(opened.document.querySelector("script")); } catch { /* another origin */ }
  const read = await fetch("/api_v1/openapi.json").then((answer) => answer.ok, () => false);
  const worker = await Promise.resolve().then(() => navigator.serviceWorker.register("who")).then(() => true, () => false);
  document.title = `admin ${word(admin)}, document ${word(read)}, worker ${word(worker)}`;
}, 2000);
</script>"""


@app.get("/page", response_class=HTMLResponse)
def page() -> HTMLResponse:
    return HTMLResponse(PAGE, headers={"Cross-Origin-Opener-Policy": "same-origin", "Service-Worker-Allowed": "/"})


@app.get("/lies")
def lies() -> list[Order]:
    """Its document promises a list of orders."""
    from fastapi.responses import JSONResponse

    return JSONResponse({"surprise": True})


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
