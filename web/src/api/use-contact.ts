import { useSyncExternalStore } from "react";
import { type Contact, getContact, subscribeContact } from "./contact.js";

/** Whether the server answers. */
export function useContact(): Contact {
  return useSyncExternalStore(subscribeContact, getContact);
}
