// The page at `/`: one live list, named by the application (`/page/settings.json`), and any other query by hand.

import { Hull } from "./hull.js";

const $ = id => document.getElementById(id);
const STATES = { connecting: "Connecting…", open: "Live", lost: "Connection lost, trying again…" };

const settings = await (await fetch("/page/settings.json")).json();
const hull = new Hull(location.origin, state => {
  $("state").dataset.state = state;
  $("state").textContent = STATES[state];
});

function showError(error) {
  $("error").hidden = error === null;
  $("error").textContent = error === null ? "" : error.message;
}

const printable = (_, value) =>
  typeof value === "bigint" ? `${value}n` : value instanceof Uint8Array ? `${value.length} bytes` : value;
const text = value => typeof value === "string" ? value : JSON.stringify(value, printable);

/** A row's own words: the fields that the application named, else all that is not the system's. */
function words(row) {
  if (row === null || typeof row !== "object") return [text(row)];
  const named = settings.show.filter(name => name in row);
  const names = named.length > 0 ? named : Object.keys(row).filter(name => !name.startsWith("_")).slice(0, 4);
  return names.map(name => text(row[name]));
}

async function run(path, args, control) {
  control.disabled = true;
  try {
    await hull.mutation(path, args);
    showError(null);
    return true;
  } catch (error) {
    showError(error);
    return false;
  } finally {
    control.disabled = false;
  }
}

function item(row) {
  const [first = "", ...rest] = words(row);
  const element = document.createElement("li");
  const body = document.createElement("div");
  body.textContent = first;
  for (const line of rest) body.append(Object.assign(document.createElement("small"), { textContent: line }));
  if (typeof row?._creationTime === "number") {
    const when = new Date(row._creationTime);
    const time = Object.assign(document.createElement("time"), { textContent: when.toLocaleString() });
    time.dateTime = when.toISOString();
    body.append(document.createElement("small"));
    body.lastChild.append(time);
  }
  element.append(body);
  if (settings.remove && row?._id !== undefined) {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "quiet", textContent: "Delete" });
    button.setAttribute("aria-label", `Delete ${first}`);
    button.onclick = () => run(settings.remove.path, { ...settings.remove.args, [settings.remove.id]: row._id }, button);
    element.append(button);
  }
  return element;
}

let elements = null; // by row: what is shown already stays the same element, so focus and selection stay too

function show(value) {
  showError(null);
  const rows = Array.isArray(value) ? value : Array.isArray(value?.page) ? value.page : null;
  $("list").hidden = rows === null;
  $("value").hidden = rows !== null;
  $("empty").hidden = rows === null || rows.length > 0;
  $("list").setAttribute("aria-busy", "false");
  if (rows === null) {
    $("value").textContent = JSON.stringify(value, printable, 2);
    return;
  }
  const before = elements;
  elements = new Map();
  rows.forEach((row, index) => {
    const key = `${row?._id ?? index} ${JSON.stringify(row, printable)}`;
    const element = before?.get(key) ?? item(row);
    if (before !== null && !before.has(key)) element.classList.add("new");
    elements.set(key, element);
  });
  const wanted = [...elements.values()];
  for (const old of [...$("list").children]) if (!wanted.includes(old)) old.remove();
  wanted.forEach((element, index) => {
    const there = $("list").children[index];
    if (there !== element) $("list").insertBefore(element, there ?? null);
  });
}

let end = () => {};
function watch(path, args) {
  end();
  elements = null;
  $("list").replaceChildren();
  $("list").setAttribute("aria-busy", "true");
  end = hull.subscribe(path, args, show, showError);
}

document.title = $("title").textContent = settings.title;
if (settings.add) {
  for (const { name, label } of settings.add.fields) {
    const caption = Object.assign(document.createElement("label"), { textContent: label });
    const input = Object.assign(document.createElement("input"), { name, required: true, autocomplete: "off" });
    caption.append(input);
    $("fields").append(caption);
  }
  $("add").hidden = false;
  $("add").onsubmit = async event => {
    event.preventDefault();
    const typed = Object.fromEntries(new FormData($("add")));
    if (await run(settings.add.path, { ...settings.add.args, ...typed }, $("add").querySelector("button"))) {
      $("add").reset();
      $("fields").querySelector("input")?.focus();
    }
  };
}
$("query").onsubmit = event => {
  event.preventDefault();
  try {
    watch($("path").value.trim(), JSON.parse($("args").value));
    showError(null);
  } catch (error) {
    showError(error);
  }
};
if (settings.list) {
  $("path").value = settings.list.path;
  $("args").value = JSON.stringify(settings.list.args);
  watch(settings.list.path, settings.list.args);
} else {
  $("watch").open = true;
  $("hint").textContent = "Watch any query of this server: its answer stays up to date.";
  $("list").setAttribute("aria-busy", "false");
}
