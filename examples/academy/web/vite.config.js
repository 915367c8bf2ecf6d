// Vite as it comes, with React's fast refresh.
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [react()],
  // A page that is opened from any folder of any host finds its files.
  base: "./",
  // The adapter lies beside the crates.
  server: { host: "127.0.0.1", fs: { allow: [".", "../../../crates/client/js"] } },
});
