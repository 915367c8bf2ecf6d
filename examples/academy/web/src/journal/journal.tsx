// A user's journal: a form for a new entry, and the list of all, newest first, that is live in every window.
import { useQuery } from "convex/react";
import { useState } from "react";
import { api } from "../../convex/_generated/api";
import type { Id } from "../../convex/_generated/dataModel";
import { Loading } from "../loading";
import { EMPTY } from "./draft";
import { Entry } from "./entry";
import { DraftForm } from "./form";
import { isUnconfirmed, useWriting } from "./writing";

export function Journal({ user }: { user: Id<"users"> }) {
  const entries = useQuery(api.journalEntries.getUserJournalEntries, { userId: user });
  const writing = useWriting(user);
  const [said, say] = useState("");
  const [first, setFirst] = useState<ReadonlySet<string>>();
  if (entries && !first) setFirst(new Set(entries.map((entry) => entry._id)));
  const removed = Object.values(writing.edits).filter(
    ({ before }) => entries && !entries.some((entry) => entry._id === before._id),
  );

  return (
    <>
      <title>Journal · Academy</title>
      <div className="head">
        <h1>Journal</h1>
        <p className="lead">Short notes about your days. Every window shows them as you write.</p>
      </div>
      <p className="hidden" role="status">
        {said}
      </p>
      <div className="journal">
        <div className="write">
          <DraftForm
            name="A new entry"
            label="What happened?"
            draft={writing.draft}
            onDraft={writing.setDraft}
            submit="Add"
            onSubmit={(draft) => {
              writing.add(draft);
              writing.setDraft({ ...EMPTY, mood: draft.mood, isPrivate: draft.isPrivate });
              say(`Entry added, ${(entries?.length ?? 0) + 1} in all.`);
            }}
          />
        </div>
        <div className="entries">
          {writing.refused.map(({ key, draft, why }) => (
            <div key={key} className="refused">
              <DraftForm
                name="An entry that was not saved"
                label="This entry was not saved"
                draft={draft}
                onDraft={(draft) => writing.revise(key, draft)}
                submit="Try again"
                onSubmit={(draft) => {
                  writing.discard(key);
                  writing.add(draft);
                }}
                cancel="Discard"
                onCancel={() => writing.discard(key)}
                problem={why}
              />
            </div>
          ))}
          {removed.map((edit) => (
            <div key={edit.before._id} className="refused">
              <DraftForm
                name="An entry that was removed"
                label="This entry was removed in another window"
                draft={edit.draft}
                onDraft={(draft) => writing.change(edit.before._id, { ...edit, draft })}
                submit="Add it as new"
                onSubmit={(draft) => {
                  writing.change(edit.before._id, undefined);
                  writing.add(draft);
                }}
                cancel="Discard"
                onCancel={() => writing.change(edit.before._id, undefined)}
                problem={edit.why}
              />
            </div>
          ))}
          {entries === undefined ? (
            <Loading />
          ) : entries.length === 0 ? (
            <div className="empty">
              <p>Nothing here yet. What you add appears at this place.</p>
            </div>
          ) : (
            <ol aria-label="Entries">
              {entries.map((entry) => (
                <Entry
                  key={writing.keyOf(entry._id)}
                  entry={entry}
                  unconfirmed={isUnconfirmed(entry._id)}
                  arrived={first !== undefined && !first.has(entry._id) && !writing.isOwn(entry._id)}
                  edit={writing.edits[entry._id]}
                  onEdit={(edit) => writing.change(entry._id, edit)}
                  onBegin={() => writing.begin(entry)}
                  onSave={(edit) => {
                    writing.save(edit);
                    say("Entry saved.");
                  }}
                />
              ))}
            </ol>
          )}
        </div>
      </div>
    </>
  );
}
