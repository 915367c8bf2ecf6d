// An entry of the list, or the form that changes it.
import { useLayoutEffect, useRef } from "react";
import type { Doc } from "../../convex/_generated/dataModel";
import type { Draft } from "./draft";
import { DraftForm } from "./form";
import type { Edit } from "./writing";

type Props = {
  entry: Doc<"journalEntries">;
  unconfirmed: boolean;
  arrived: boolean;
  edit: Edit | undefined;
  onEdit: (edit: Edit | undefined) => void;
  onBegin: () => void;
  onSave: (edit: Edit) => void;
};

export function Entry({ entry, unconfirmed, arrived, edit, onEdit, onBegin, onSave }: Props) {
  const when = timeOf(entry._creationTime);
  const button = useFocusAfterEditing(edit !== undefined);
  return (
    <li className="entry" data-unconfirmed={unconfirmed} data-arrived={arrived}>
      <div className="meta">
        <div className="facts">
          <time dateTime={new Date(entry._creationTime).toISOString()}>{when}</time>
          <span className="mood" data-mood={entry.mood}>
            {entry.mood}
          </span>
          {entry.isPrivate && <span className="private">private</span>}
        </div>
        {unconfirmed ? (
          <span className="state">Sending…</span>
        ) : (
          !edit && (
            <button ref={button} type="button" className="plain" aria-label={`Edit the entry of ${when}`} onClick={onBegin}>
              Edit
            </button>
          )
        )}
      </div>
      {edit ? (
        <DraftForm
          name={`The entry of ${when}`}
          label="Your entry"
          focus
          draft={edit.draft}
          onDraft={(draft: Draft) => onEdit({ ...edit, draft })}
          submit="Save"
          onSubmit={(draft) => onSave({ ...edit, draft })}
          cancel="Cancel"
          onCancel={() => onEdit(undefined)}
          problem={edit.why && `This could not be saved: ${edit.why}`}
          note={changedMeanwhile(edit, entry)}
        />
      ) : (
        <>
          {entry.reflectionPrompt && <p className="prompt">{entry.reflectionPrompt}</p>}
          <p className="text">{entry.content}</p>
          {entry.tags && entry.tags.length > 0 && (
            <ul className="tags" aria-label="Tags">
              {entry.tags.map((tag, n) => (
                <li key={n}>{tag}</li>
              ))}
            </ul>
          )}
        </>
      )}
    </li>
  );
}

function changedMeanwhile({ before }: Edit, { content }: Doc<"journalEntries">): string | undefined {
  return before.content === content ? undefined : `Changed in another window meanwhile, to: “${content}” Saving replaces that.`;
}

/** Back to the button that opened the form, when the form closes. */
function useFocusAfterEditing(editing: boolean) {
  const button = useRef<HTMLButtonElement>(null);
  const before = useRef(editing);
  useLayoutEffect(() => {
    if (before.current && !editing) button.current?.focus();
    before.current = editing;
  }, [editing]);
  return button;
}

const TIME = new Intl.DateTimeFormat("en", { timeStyle: "short" });
const DATE = new Intl.DateTimeFormat("en", { dateStyle: "medium" });

function timeOf(milliseconds: number): string {
  const at = new Date(milliseconds);
  const today = at.toDateString() === new Date().toDateString();
  return `${today ? "Today" : DATE.format(at)}, ${TIME.format(at)}`;
}
