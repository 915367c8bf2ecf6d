// One item of a chapter: a real checkbox with the item's title, and below it what the item is made of.
import { useQuery } from "convex/react";
import type { ReactNode } from "react";
import { api } from "../../convex/_generated/api";
import type { Doc } from "../../convex/_generated/dataModel";
import { assignmentOf, linesOf, minutesOf, questionsOf, type Question } from "./content";

type Props = { item: Doc<"contentItems">; done: boolean; onTick: (done: boolean) => void; children: ReactNode };

export function Item({ item, done, onTick, children }: Props) {
  const { title, kind, body } = useShown(item);
  return (
    <li className="item" data-done={done}>
      <label>
        <input type="checkbox" checked={done} onChange={(event) => onTick(event.target.checked)} />
        <span className="title">{title}</span>
        <span className="kind">{kind}</span>
      </label>
      {body && <div className="body">{body}</div>}
      {children}
    </li>
  );
}

/** Title, kind and content of an item, each type in its own way. */
function useShown(item: Doc<"contentItems">): { title: string; kind: string; body: ReactNode } {
  const video = useQuery(api.videos.get, item.videoId ? { id: item.videoId } : "skip");
  switch (item.type) {
    case "video": {
      const minutes = minutesOf(video?.durationInSeconds);
      return {
        title: video?.title ?? "Video",
        kind: minutes ? `Video, ${minutes}` : "Video",
        body: video && <Elsewhere url={video.url} text="Watch the video" of={video.title} />,
      };
    }
    case "text": {
      const [title = "Text", ...lines] = linesOf(item.textContent ?? "");
      return { title, kind: "Text", body: lines.map((line, n) => <p key={n}>{line}</p>) };
    }
    case "quiz": {
      const questions = questionsOf(item.quizData);
      return { title: "Quiz", kind: count(questions.length), body: questions.length > 0 && <Quiz questions={questions} /> };
    }
    case "assignment":
      return { title: assignmentOf(item.assignmentData) ?? "Assignment", kind: "Assignment", body: undefined };
    case "resource": {
      const title = item.resourceTitle ?? "Resource";
      return {
        title,
        kind: "Resource",
        body: item.resourceUrl && <Elsewhere url={item.resourceUrl} text="Open the resource" of={title} />,
      };
    }
  }
}

const count = (questions: number) => (questions === 1 ? "1 question" : `${questions} questions`);

function Elsewhere({ url, text, of }: { url: string; text: string; of: string }) {
  return (
    <a href={url} target="_blank" rel="noreferrer" aria-label={`${text}: ${of} (opens a new tab)`}>
      {text} <span aria-hidden="true">↗</span>
    </a>
  );
}

function Quiz({ questions }: { questions: Question[] }) {
  return (
    <details>
      <summary>{questions.length === 1 ? "Show the question" : "Show the questions"}</summary>
      {questions.map(({ question, choices }, n) => (
        <div key={n}>
          <p>{question}</p>
          <ul>
            {choices.map((choice, n) => (
              <li key={n}>{choice}</li>
            ))}
          </ul>
        </div>
      ))}
    </details>
  );
}
