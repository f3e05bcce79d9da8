import { useQuery } from "@connectrpc/connect-query";
import { type KeyboardEvent, useEffect, useRef } from "react";
import { ResourceService } from "../../../gen/reconcile/v1/resource_service_pb.js";
import { ROW_STATES } from "./row.js";
import { setTableFilters, type TableFilter, type TableQuery } from "./table-query.js";
import "./filters.css";
import { visible } from "../../../src/resource/visible.js";

/** What the table is narrowed by. The text works as it is typed; what the server selects by, when it is complete. */
export function Filters({ query }: { readonly query: TableQuery }) {
  const text = useRef<HTMLInputElement>(null);
  useFocusOnSlash(text);
  return (
    <search className="filters">
      <label className="text">
        <span className="for-readers">Text in name, namespace, kind or message</span>
        <input
          ref={text}
          type="search"
          placeholder="Filter by text   /"
          value={query.get("text")}
          onChange={(event) => setTableFilters({ text: event.target.value })}
        />
      </label>
      <KindSelect query={query} />
      <label>
        <span className="for-readers">State</span>
        <select value={query.get("state")} onChange={(event) => setTableFilters({ state: event.target.value })}>
          <option value="">Any state</option>
          {Object.entries(ROW_STATES).map(([state, { text }]) => (
            <option key={state} value={state}>
              {text}
            </option>
          ))}
        </select>
      </label>
      <ServerFilter query={query} filter="namespace" name="Namespace" />
      <ServerFilter query={query} filter="shard" name="Shard" />
      <ServerFilter query={query} filter="labels" name="Labels" example="tier in (web, api)" />
    </search>
  );
}

/** All kinds there are, and the one of the address if there is none of it now. */
function KindSelect({ query }: { readonly query: TableQuery }) {
  const { data } = useQuery(ResourceService.method.listKinds, {});
  const value = JSON.stringify([query.get("group"), query.get("kind")]);
  const known = (data?.kinds ?? []).map(({ resourceGroup, kind }) => JSON.stringify([resourceGroup, kind]));
  const options = value === ALL_KINDS || known.includes(value) ? known : [value, ...known];
  const choose = (option: string) => {
    const [group, kind] = JSON.parse(option) as [string, string]; // one of the options below
    setTableFilters({ group, kind });
  };
  return (
    <label>
      <span className="for-readers">Kind</span>
      <select value={value} onChange={(event) => choose(event.target.value)}>
        <option value={ALL_KINDS}>All kinds</option>
        {options.map((option) => (
          <option key={option} value={option}>
            {visible((JSON.parse(option) as string[]).filter((part) => part !== "").join("/"))}
          </option>
        ))}
      </select>
    </label>
  );
}

const ALL_KINDS = JSON.stringify(["", ""]);

/** Asks the server when Enter is pressed or the field is left, not at every key. */
function ServerFilter(props: {
  readonly query: TableQuery;
  readonly filter: TableFilter;
  readonly name: string;
  readonly example?: string;
}) {
  const { query, filter, name, example } = props;
  const value = query.get(filter);
  const commit = (text: string) => {
    if (text.trim() !== value) setTableFilters({ [filter]: text.trim() });
  };
  const onKeyDown = (event: KeyboardEvent<HTMLInputElement>) => {
    if (event.key === "Enter") commit(event.currentTarget.value);
  };
  return (
    <label>
      <span className="for-readers">{name}</span>
      <input
        key={value}
        defaultValue={value}
        placeholder={example === undefined ? name : `${name}: ${example}`}
        title={example === undefined ? `${name}, exactly` : `${name}, for example ${example}`}
        onKeyDown={onKeyDown}
        onBlur={(event) => commit(event.target.value)}
      />
    </label>
  );
}

function useFocusOnSlash(field: { readonly current: HTMLInputElement | null }): void {
  useEffect(() => {
    const focus = (event: globalThis.KeyboardEvent) => {
      const isTyping = event.target instanceof Element && event.target.matches("input, textarea, select");
      if (event.key !== "/" || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      field.current?.select();
    };
    document.addEventListener("keydown", focus);
    return () => document.removeEventListener("keydown", focus);
  }, [field]);
}
