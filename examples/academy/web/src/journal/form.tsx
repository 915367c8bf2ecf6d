// The form of a draft: for a new entry, for one that is changed, and for one that the server refused.
import { type FormEvent, type KeyboardEvent, useId, useRef, useState } from "react";
import { type Draft, MOODS } from "./draft";

type Props = {
  /** What the form is called by those who can't see it. */
  name: string;
  label: string;
  draft: Draft;
  onDraft: (draft: Draft) => void;
  submit: string;
  onSubmit: (draft: Draft) => void;
  cancel?: string;
  onCancel?: () => void;
  /** Why the draft is here again, or what to know before it is sent. */
  problem?: string | undefined;
  note?: string | undefined;
  focus?: boolean;
};

export function DraftForm(props: Props) {
  const { draft, onDraft } = props;
  const id = useId();
  const text = useRef<HTMLTextAreaElement>(null);
  const [empty, setEmpty] = useState(false);
  const moods = MOODS.includes(draft.mood) ? MOODS : [...MOODS, draft.mood];
  const problem = empty ? "Write a few words first." : props.problem;

  function submit(event?: FormEvent) {
    event?.preventDefault();
    const nothing = draft.content.trim() === "";
    setEmpty(nothing);
    if (nothing) text.current?.focus();
    else props.onSubmit(draft);
  }

  function onKeyDown(event: KeyboardEvent) {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) submit();
    if (event.key === "Escape") props.onCancel?.();
  }

  return (
    <form className="draft" aria-label={props.name} onSubmit={submit} onKeyDown={onKeyDown} noValidate>
      <label htmlFor={`${id}-text`}>{props.label}</label>
      <textarea
        id={`${id}-text`}
        ref={text}
        rows={4}
        value={draft.content}
        autoFocus={props.focus}
        aria-invalid={problem !== undefined}
        aria-describedby={problem === undefined ? undefined : `${id}-problem`}
        onChange={(event) => {
          setEmpty(false);
          onDraft({ ...draft, content: event.target.value });
        }}
      />
      {problem !== undefined && (
        <p className="error" role="alert" id={`${id}-problem`}>
          {problem}
        </p>
      )}
      {props.note !== undefined && (
        <p className="note" role="status">
          {props.note}
        </p>
      )}
      <fieldset className="moods">
        <legend>Mood</legend>
        {moods.map((mood) => (
          <label key={mood}>
            <input
              type="radio"
              name={`${id}-mood`}
              checked={draft.mood === mood}
              onChange={() => onDraft({ ...draft, mood })}
            />
            <span>{mood}</span>
          </label>
        ))}
      </fieldset>
      <div className="finish">
        <label className="check">
          <input
            type="checkbox"
            checked={draft.isPrivate}
            onChange={(event) => onDraft({ ...draft, isPrivate: event.target.checked })}
          />
          Private
        </label>
        <div className="actions">
          <button type="submit">{props.submit}</button>
          {props.cancel && (
            <button type="button" className="plain" onClick={props.onCancel}>
              {props.cancel}
            </button>
          )}
        </div>
      </div>
    </form>
  );
}
