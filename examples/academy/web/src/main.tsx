// Opens the connection and draws the application.
import { hullWebSocket } from "@hull/client";
import { ConvexProvider, ConvexReactClient } from "convex/react";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app";
import "./style.css";

const url = document.querySelector<HTMLMetaElement>("meta[name=convex-url]")?.content;
const root = document.getElementById("root");
if (!url || !root) throw new Error("index.html names no server (meta convex-url) or has no #root");

const client = new ConvexReactClient(url, { webSocketConstructor: hullWebSocket() });

createRoot(root).render(
  <StrictMode>
    <ConvexProvider client={client}>
      <App />
    </ConvexProvider>
  </StrictMode>,
);
