// The official ConvexReactClient, plain and with the adapter: useQuery, useMutation and an optimistic update, rendered by
// React into a DOM.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Window } from "happy-dom";
import WebSocket from "ws";
import { connections } from "./support/connections.js";
import { eventually, Server, within } from "./support/server.js";

const window = new Window({ url: "http://localhost/" });
for (const name of ["document", "navigator", "HTMLElement", "HTMLIFrameElement", "Node", "Event", "MouseEvent"]) {
  Object.defineProperty(globalThis, name, { value: window[name], configurable: true });
}
globalThis.window = window;

const { createElement, Component, useState } = await import("react");
const { flushSync } = await import("react-dom");
const { createRoot } = await import("react-dom/client");
const { ConvexProvider, ConvexReactClient, useMutation, useQuery } = await import("convex/react");
const { anyApi } = await import("convex/server");

let server;
const cleanups = [];

before(async () => {
  server = await Server.start();
});

after(async () => {
  for (const cleanup of cleanups) await cleanup();
  await server?.stop();
  await window.happyDOM.close();
});

/** Renders an element under a client and returns its container. */
function render(client, element) {
  const container = document.createElement("div");
  document.body.appendChild(container);
  const root = createRoot(container);
  cleanups.unshift(() => root.unmount());
  root.render(createElement(ConvexProvider, { client }, element));
  return container;
}

function Room({ channel }) {
  const rows = useQuery(anyApi.messages.list, { channel });
  const send = useMutation(anyApi.messages.send).withOptimisticUpdate((store, { channel, body }) => {
    const current = store.getQuery(anyApi.messages.list, { channel }) ?? [];
    const draft = { _id: "draft", _creationTime: 0, channel, body: `${body} (sending)` };
    store.setQuery(anyApi.messages.list, { channel }, [draft, ...current]);
  });
  const [sent, setSent] = useState(0);
  if (rows === undefined) return createElement("p", null, "loading");
  return createElement(
    "section",
    null,
    createElement("button", { onClick: () => send({ channel, body: "hello" }).then(() => setSent(sent + 1)) }, "send"),
    createElement("output", null, String(sent)),
    createElement("ul", null, rows.map((row) => createElement("li", { key: row._id }, row.body))),
  );
}

const rowsOf = (container) => [...container.querySelectorAll("li")].map((item) => item.textContent);

for (const { name, options } of connections) describe(`ConvexReactClient, ${name}`, () => {
  const newClient = () => {
    const client = new ConvexReactClient(server.url, { webSocketConstructor: WebSocket, unsavedChangesWarning: false, ...options });
    cleanups.push(() => client.close());
    return client;
  };

  test("two clients render the same list; an optimistic row is replaced by the real one", async () => {
    const [left, right] = [newClient(), newClient()];
    const one = render(left, createElement(Room, { channel: `react ${name}` }));
    const two = render(right, createElement(Room, { channel: `react ${name}` }));
    await eventually(() => one.querySelector("button") && two.querySelector("button"), "the first results");
    assert.deepEqual(rowsOf(one), []);

    const history = [];
    const observer = new window.MutationObserver(() => history.push(rowsOf(one).join("|")));
    observer.observe(one, { childList: true, subtree: true, characterData: true });
    flushSync(() => one.querySelector("button").click());
    assert.deepEqual(rowsOf(one), ["hello (sending)"], "the optimistic row is there at once");
    await eventually(() => one.querySelector("output").textContent === "1", "the mutation");
    await eventually(() => rowsOf(one)[0] === "hello" && rowsOf(two)[0] === "hello", "the row in both");
    assert.deepEqual(rowsOf(one), ["hello"]);
    assert.deepEqual(rowsOf(two), ["hello"]);
    assert.ok(!history.some((rows) => rows.split("|").length > 1), `never two rows for one: ${history}`);
    observer.disconnect();
  });

  test("changed arguments change the list", async () => {
    const client = newClient();
    let change;
    function Switch() {
      const [channel, setChannel] = useState(`first ${name}`);
      change = setChannel;
      return createElement(Room, { channel });
    }
    const container = render(client, createElement(Switch));
    await eventually(() => container.querySelector("button"), "the first result");
    await within(client.mutation(anyApi.messages.send, { channel: `second ${name}`, body: "in the second" }));
    flushSync(() => change(`second ${name}`));
    await eventually(() => rowsOf(container)[0] === "in the second", "the other list");
  });

  test("a failing query throws into the tree, and data can bring it back", async () => {
    const client = newClient();
    class Boundary extends Component {
      state = {};
      static getDerivedStateFromError(error) {
        return { error };
      }
      render() {
        return this.state.error ? createElement("p", { role: "alert" }, this.state.error.message) : this.props.children;
      }
    }
    function Odd() {
      return createElement("b", null, String(useQuery(anyApi.errors.oddCounter, { name: `react odd ${name}` })));
    }
    const quiet = console.error;
    console.error = () => {};
    try {
      await within(client.mutation(anyApi.counters.add, { name: `react odd ${name}`, by: 1 }));
      const container = render(client, createElement(Boundary, null, createElement(Odd)));
      await eventually(() => container.querySelector("[role=alert]"), "the error");
      assert.match(container.textContent, /CONVEX Q\(errors:oddCounter\)/);
      assert.match(container.textContent, /the counter is odd/);
    } finally {
      console.error = quiet;
    }
  });
});
