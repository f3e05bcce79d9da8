import { useSyncExternalStore } from "react";

/** How the pages look: as the system does, until someone chooses. */
export type Theme = "system" | "light" | "dark";

const THEMES: readonly Theme[] = ["system", "light", "dark"];
const STORAGE_KEY = "theme";

const systemIsDark = matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set<() => void>();
systemIsDark.addEventListener("change", notify);

/** Shows the theme that was chosen earlier; call it before the first page is drawn. */
export function restoreTheme(): void {
  show(getTheme());
}

/** The chosen theme, and how to choose the next one. */
export function useTheme(): { readonly theme: Theme; readonly chooseNext: () => void } {
  const theme = useSyncExternalStore(subscribe, getTheme);
  const chooseNext = () => {
    const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? "system";
    localStorage.setItem(STORAGE_KEY, next);
    show(next);
  };
  return { theme, chooseNext };
}

/** Whether the pages are dark right now: for what is drawn and not styled. */
export function useIsDark(): boolean {
  return useSyncExternalStore(subscribe, () => {
    const theme = getTheme();
    return theme === "system" ? systemIsDark.matches : theme === "dark";
  });
}

function getTheme(): Theme {
  const stored = localStorage.getItem(STORAGE_KEY);
  return THEMES.find((theme) => theme === stored) ?? "system";
}

function show(theme: Theme): void {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  notify();
}

function notify(): void {
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
