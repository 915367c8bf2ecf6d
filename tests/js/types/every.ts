// A function whose arguments and result have every type, and one in a module of a function's name.
import { usePaginatedQuery } from "convex/react";
import type { FunctionArgs, FunctionReturnType } from "convex/server";
import type { GenericId } from "convex/values";
import { api, components } from "./convex/_generated/api.js";
import type { Id } from "./convex/_generated/dataModel.js";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<_T extends true>() {}

type Every = {
  any: any;
  big: bigint;
  bytes: ArrayBuffer;
  float: number;
  list: (string | null)[];
  maybe?: string;
  message: Id<"messages">;
  mood: "good" | "very_bad";
  nullable: boolean | null;
  record: Record<string, number>;
  shape: { kind: "circle"; radius: number } | { closed?: boolean; kind: "path"; points: number[] };
  text: string;
  truth: boolean;
  whole: number;
  "with space"?: number;
};

same<Same<FunctionArgs<typeof api.types.every>, Every>>();
same<Same<FunctionReturnType<typeof api.types.every>, Every>>();
same<Same<FunctionReturnType<typeof api.types.every.exactly>, 1n | 0.5>>();
same<Same<FunctionReturnType<typeof api.logs.read>, null>>();
same<Same<Id<"messages">, GenericId<"messages">>>();
same<Same<Id<"_storage">, GenericId<"_storage">>>();
same<Same<typeof components, {}>>();

// A paginated function is what usePaginatedQuery takes; another one is not.
export function usePages() {
  const pages = usePaginatedQuery(api.ledger.page, { client: "a" }, { initialNumItems: 3 });
  same<Same<(typeof pages.results)[number]["seq"], number>>();
  // @ts-expect-error
  usePaginatedQuery(api.ledger.all, { client: "a" }, { initialNumItems: 3 });
  // @ts-expect-error
  usePaginatedQuery(api.ledger.page, {}, { initialNumItems: 3 });
  return pages;
}
