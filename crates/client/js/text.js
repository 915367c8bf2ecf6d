// The JSON text of values and Transitions, as the official client parses it.
//
// Guarantees: parsing the text gives the value exactly (-0 included); the elements of arrays (the rows of a list) keep
// their text as long as they live, so writing a list again costs its changed rows and joining the others. Values are
// never changed once written: patches copy what they change.

/** The texts of array elements: object → string. */
const kept = new WeakMap();

/** The JSON text of a value that came from JSON. */
export function textOf(value) {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value);
    case "number":
      return numberText(value);
    case "boolean":
      return value ? "true" : "false";
  }
  if (value === null) return "null";
  if (Array.isArray(value)) return `[${value.map(elementText).join(",")}]`;
  return `{${Object.keys(value).map((key) => `${JSON.stringify(key)}:${textOf(value[key])}`).join(",")}}`;
}

function numberText(value) {
  if (Number.isFinite(value)) return Object.is(value, -0) ? "-0" : String(value);
  // What JSON parses as infinite; it has no NaN.
  return value > 0 ? "1e999" : "-1e999";
}

function elementText(element) {
  if (typeof element !== "object" || element === null) return textOf(element);
  let text = kept.get(element);
  if (text === undefined) kept.set(element, (text = textOf(element)));
  return text;
}

/** The text of a Transition that has these modifications; `head` is all else of it. */
export function transitionText(head, modifications) {
  const list = modifications.map(modificationText).join(",");
  return `${textOf(head).slice(0, -1)},"modifications":[${list}]}`;
}

function modificationText({ value, ...rest }) {
  const text = textOf(rest);
  return value === undefined ? text : `${text.slice(0, -1)},"value":${textOf(value)}}`;
}
