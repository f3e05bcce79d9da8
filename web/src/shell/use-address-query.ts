import { useMemo } from "react";
import { useSearch } from "wouter/use-browser-location";

/** The query of the address, as it stands there: wouter's own hook decodes it twice, which breaks a name with a `%`. */
export function useAddressQuery(): URLSearchParams {
  const search = useSearch();
  return useMemo(() => new URLSearchParams(search), [search]);
}
