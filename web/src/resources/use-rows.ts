import { useEffect, useMemo, useState, useSyncExternalStore } from "react";
import { connection } from "../api/server.js";
import { followResources } from "./follow-resources.js";
import { RowStore, type RowView } from "./row-store.js";
import type { TableQuery } from "./table-query.js";

/** The rows that the address asks for, kept as they are on the server. `error`: the server refuses the filters. */
export function useRows({ selection, arrangement }: TableQuery): { readonly view: RowView; readonly error: unknown } {
  const [error, setError] = useState<unknown>();
  const wanted = JSON.stringify(selection);
  // biome-ignore lint/correctness/useExhaustiveDependencies: other resources, another store; another order is arranged below
  const store = useMemo(() => new RowStore(arrangement, (draw) => requestAnimationFrame(draw)), [wanted]);

  useEffect(() => {
    const left = new AbortController();
    setError(undefined);
    followResources(connection, JSON.parse(wanted), store, left.signal).catch(setError);
    return () => left.abort();
  }, [store, wanted]);

  const { sortBy, isDescending, text, state } = arrangement;
  useEffect(() => store.arrange({ sortBy, isDescending, text, state }), [store, sortBy, isDescending, text, state]);

  return { view: useSyncExternalStore(store.subscribe, store.getView), error };
}
