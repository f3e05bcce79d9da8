import { Command, Option } from "@commander-js/extra-typings";
import { labelSelector } from "./label-selector.js";
import { readDuration } from "./printers/duration.js";

/** A command that speaks to a server. */
export function connectedCommand(name: string) {
  return new Command(name)
    .addOption(new Option("--server <url>", "the server (or RECONCILE_SERVER)"))
    .addOption(new Option("--context <name>", 'a context of "reconcile config"'));
}

/** A command about manifests: they say themselves what they are about, but may leave the namespace out. */
export function manifestCommand(name: string) {
  return connectedCommand(name).addOption(namespaceOption("for manifests that name none")).addOption(filesOption());
}

/** A command about resources of one namespace. */
export function resourceCommand(name: string) {
  return connectedCommand(name)
    .addOption(namespaceOption("the namespace"))
    .addOption(new Option("-g, --group <name>", "the group, where a kind is in several"));
}

/** A command about one resource. */
export function oneResourceCommand(name: string) {
  return resourceCommand(name).argument("<kind>", "a kind, or KIND/NAME").argument("[name]", "the resource");
}

/** Where manifests come from. */
export function filesOption() {
  return new Option(
    "-f, --filename <path...>",
    "files or directories of manifests, or - for standard input",
  ).makeOptionMandatory();
}

/** Labels to select by, in the server's words. */
export function selectorOption(what: string) {
  return new Option(
    "-l, --selector <selector>",
    `${what}, for example tier=web or 'tier in (web, api), env=prod'`,
  ).argParser(labelSelector);
}

/** How long something is waited for, in milliseconds. */
export function timeoutOption(what: string) {
  return new Option("--timeout <duration>", what).argParser(readDuration).default(60_000, "1m");
}

function namespaceOption(what: string) {
  return new Option("-n, --namespace <name>", `${what} (default: the context's, else default)`);
}
