// Hull's adapter for the official clients: pushes that cost what changed, without a change to the application.
export { hullWebSocket } from "./websocket.js";
