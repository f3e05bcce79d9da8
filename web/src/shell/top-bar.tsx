import { useQuery } from "@connectrpc/connect-query";
import { Link, useLocation } from "wouter";
import { ServerService } from "../../../gen/reconcile/v1/server_service_pb.js";
import { useContact } from "../api/use-contact.js";
import icon from "./icon.svg";
import { PAGES } from "./pages.js";
import { type Theme, useTheme } from "./theme.js";

const LINKS = [
  { path: PAGES.overview, text: "Overview", pages: [PAGES.overview] },
  { path: PAGES.resources, text: "Resources", pages: [PAGES.resources, PAGES.resource, PAGES.edit, PAGES.create] },
  { path: PAGES.reconcilers, text: "Reconcilers", pages: [PAGES.reconcilers] },
];

const THEME_SIGNS: Readonly<Record<Theme, string>> = { system: "◐", light: "☀", dark: "☾" };

/** Where one can go, and how it looks. */
export function TopBar() {
  const { theme, chooseNext } = useTheme();
  const [here] = useLocation();
  return (
    <header className="top-bar">
      <Link href={PAGES.overview} className="brand">
        <img src={icon} alt="" width="20" height="20" />
        reconcile
      </Link>
      <nav aria-label="Pages">
        {LINKS.map(({ path, text, pages }) => (
          <Link key={path} href={path} aria-current={pages.some((page) => page === here) ? "page" : undefined}>
            {text}
          </Link>
        ))}
      </nav>
      <button type="button" className="plain" onClick={chooseNext} title={`Theme: ${theme}`}>
        <span aria-hidden="true">{THEME_SIGNS[theme]}</span>
        <span className="for-readers">Theme: {theme}. Change it.</span>
      </button>
    </header>
  );
}

const PROBE_MS = 5_000;
const PROBE_WHILE_AWAY_MS = 1_000;

/** Says when the server is away, and asks until it is back: streams and polls of a quiet page would find out too late. */
export function ContactNote() {
  const isAway = useContact() === "away";
  useQuery(ServerService.method.getServerStatus, {}, { refetchInterval: isAway ? PROBE_WHILE_AWAY_MS : PROBE_MS });
  return (
    <div role="status" className={isAway ? "contact-note" : "for-readers"}>
      {isAway && "The server is away. What you see is from before; the page goes on by itself when it is back."}
    </div>
  );
}
