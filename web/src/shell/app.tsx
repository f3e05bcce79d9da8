import { lazy, Suspense } from "react";
import { Route, Switch, useLocation } from "wouter";
import { OverviewPage } from "../overview/overview-page.js";
import { ReconcilersPage } from "../reconcilers/reconcilers-page.js";
import { ResourcesPage } from "../resources/resources-page.js";
import { PageBoundary } from "./page-boundary.js";
import { PAGES } from "./pages.js";
import { ContactNote, TopBar } from "./top-bar.js";

// YAML and its editor are as large as everything else together, and the first look needs neither.
const ResourcePage = lazy(() => import("../resource/resource-page.js"));
const CreatePage = lazy(() => import("../editor/create-page.js"));
const EditPage = lazy(() => import("../editor/edit-page.js"));

/** What stands on every page, and which page it is. */
export function App() {
  const [here] = useLocation();
  return (
    <>
      <a className="skip" href="#main">
        Skip to content
      </a>
      <TopBar />
      <ContactNote />
      <main id="main" tabIndex={-1}>
        <PageBoundary key={here}>
          <Suspense fallback={<p className="quiet">Loading…</p>}>
            <Switch>
              <Route path={PAGES.overview}>
                <OverviewPage />
              </Route>
              <Route path={PAGES.resources}>
                <ResourcesPage />
              </Route>
              <Route path={PAGES.resource}>
                <ResourcePage />
              </Route>
              <Route path={PAGES.edit}>
                <EditPage />
              </Route>
              <Route path={PAGES.create}>
                <CreatePage />
              </Route>
              <Route path={PAGES.reconcilers}>
                <ReconcilersPage />
              </Route>
            </Switch>
          </Suspense>
        </PageBoundary>
      </main>
    </>
  );
}
