// The two ways in which a test connects an official client: as it comes, and with the adapter that speaks diffs.
import { hullWebSocket } from "@hull/client";
import WebSocket from "ws";

/** `options` go to the client's constructor. */
export const connections = [
  { name: "plain", options: {} },
  { name: "with diffs", options: { webSocketConstructor: hullWebSocket({ WebSocket }) } },
];
