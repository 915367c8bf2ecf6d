// A built page served on 127.0.0.1 as any static host would serve it.
import { readFile } from "node:fs/promises";
import http from "node:http";
import path from "node:path";

const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css" };

/** Serves a folder; `index.html` names `server` instead of the server that it was built for. */
export async function serveSite(folder, { builtFor, server }) {
  const site = http.createServer(async (request, response) => {
    const name = path.normalize(new URL(request.url, "http://site").pathname).replace(/\/$/, "/index.html");
    try {
      const file = await readFile(path.join(folder, name));
      response.setHeader("Content-Type", TYPES[path.extname(name)] ?? "application/octet-stream");
      response.end(name === "/index.html" ? file.toString().replace(builtFor, server) : file);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => site.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${site.address().port}/`,
    stop: () => new Promise((resolve) => (site.close(resolve), site.closeAllConnections())),
  };
}
