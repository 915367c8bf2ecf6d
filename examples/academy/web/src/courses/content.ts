// What items hold, read carefully: the server keeps quizzes and assignments as any value, and texts as HTML that others
// have written, of which only the words are shown.

export type Question = { question: string; choices: string[] };

const isObject = (value: unknown): value is Record<string, unknown> => value !== null && typeof value === "object";

/** The questions of a quiz; what is not one is left out. */
export function questionsOf(quiz: unknown): Question[] {
  if (!isObject(quiz) || !Array.isArray(quiz.questions)) return [];
  return quiz.questions.flatMap((one: unknown) => {
    if (!isObject(one) || typeof one.question !== "string") return [];
    const choices = Array.isArray(one.choices) ? one.choices.map(String) : [];
    return [{ question: one.question, choices }];
  });
}

/** What an assignment asks for. */
export function assignmentOf(assignment: unknown): string | undefined {
  return isObject(assignment) && typeof assignment.task === "string" ? assignment.task : undefined;
}

/** The words of an HTML text, one line for each block. Nothing in it runs or is loaded. */
export function linesOf(html: string): string[] {
  const { body } = new DOMParser().parseFromString(html, "text/html");
  const blocks = [...body.children].filter((block) => !block.matches("script, style"));
  const lines = blocks.length > 0 ? blocks.map((block) => block.textContent ?? "") : [body.textContent ?? ""];
  return lines.map((line) => line.trim()).filter((line) => line !== "");
}

/** `12 min`; nothing for a length that is not known. */
export function minutesOf(seconds: number | undefined): string | undefined {
  return seconds === undefined ? undefined : `${Math.max(1, Math.round(seconds / 60))} min`;
}
