// What assistive technology sees of a page: roles and names, as Chromium's accessibility tree has them.
import assert from "node:assert/strict";

const CONTROLS = new Set([
  "link", "button", "checkbox", "radio", "combobox", "textbox", "searchbox", "listbox", "option", "progressbar", "DisclosureTriangle", "form", "navigation",
]);

async function tree(page) {
  const session = await page.context().newCDPSession(page);
  try {
    return (await session.send("Accessibility.getFullAXTree")).nodes.filter((node) => !node.ignored);
  } finally {
    await session.detach();
  }
}

const described = (node) => ({ role: node.role.value, name: (node.name?.value ?? "").trim() });
const isFocused = (node) => node.properties?.some(({ name, value }) => name === "focused" && value.value === true);

/** Role and name of everything that can be operated. */
export async function controls(page) {
  return (await tree(page)).map(described).filter(({ role }) => CONTROLS.has(role));
}

/** `role name` of what has the focus. */
export async function activeControl(page) {
  const focused = (await tree(page)).filter((node) => isFocused(node) && node.role.value !== "RootWebArea");
  const { role, name } = focused.length > 0 ? described(focused.at(-1)) : { role: "nothing", name: "" };
  return `${role} ${name}`;
}

/** Presses Tab (or Shift+Tab) until a control has the focus, and sees to it that one can see each on the way. */
export async function tabTo(page, wanted, key = "Tab") {
  const seen = [];
  while (seen.length < 60) {
    await page.keyboard.press(key);
    const active = await activeControl(page);
    await focusIsSeen(page);
    if (typeof wanted === "string" ? active === wanted : wanted.test(active)) return;
    seen.push(active);
  }
  assert.fail(`${key} does not lead to ${wanted}, but to ${seen.join(", ")}`);
}

/** What has the focus, its pseudo-element, or the label that stands for it, has an outline. */
export async function focusIsSeen(page) {
  const seen = await page.evaluate(() => {
    const active = document.activeElement;
    if (active === document.body) return true;
    const styles = [getComputedStyle(active), getComputedStyle(active, "::after")];
    if (active.nextElementSibling) styles.push(getComputedStyle(active.nextElementSibling));
    return styles.some(({ outlineStyle, outlineWidth }) => outlineStyle !== "none" && parseFloat(outlineWidth) >= 2);
  });
  assert.ok(seen, `the focus on ${await activeControl(page)} can't be seen`);
}

/** Levels of the headings in their order, the landmarks, and ids that more than one element has. */
export async function outline(page) {
  const nodes = await tree(page);
  const roles = nodes.map((node) => node.role.value);
  return {
    headings: nodes
      .filter((node) => node.role.value === "heading")
      .map((node) => node.properties.find(({ name }) => name === "level").value.value),
    landmarks: ["banner", "main"].filter((role) => roles.filter((one) => one === role).length === 1),
    twice: await page.evaluate(() => {
      const ids = [...document.querySelectorAll("[id]")].map(({ id }) => id);
      return ids.filter((id, n) => ids.indexOf(id) !== n);
    }),
  };
}

/** Texts whose contrast with what they stand on is below 4.5:1 (WCAG 2.2, 1.4.3). */
export function faintTexts(page) {
  return page.evaluate(() => {
    const channels = (color) => (color.match(/[\d.]+/g) ?? []).map(Number);
    const luminance = ([r, g, b]) => {
      const [x, y, z] = [r, g, b].map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
      return 0.2126 * x + 0.7152 * y + 0.0722 * z;
    };
    const behind = (element) => {
      for (let one = element; one; one = one.parentElement) {
        const [r, g, b, alpha = 1] = channels(getComputedStyle(one).backgroundColor);
        if (alpha === 1) return [r, g, b];
      }
      return [255, 255, 255];
    };
    const faint = [];
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let text = texts.nextNode(); text; text = texts.nextNode()) {
      const element = text.parentElement;
      if (text.data.trim() === "" || !element.checkVisibility() || element.closest("noscript, script, option")) continue;
      const [light, dark] = [luminance(channels(getComputedStyle(element).color)), luminance(behind(element))].sort((a, b) => b - a);
      const contrast = (light + 0.05) / (dark + 0.05);
      if (!(contrast >= 4.5)) faint.push(`${text.data}: ${contrast.toFixed(2)}`);
    }
    return faint;
  });
}
