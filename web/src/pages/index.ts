// The table of pages. A page is src/pages/<name>/page.ts, whose default export is a class that extends Page; its title is the text page.<name>.
import type { Page } from "../shell/page";

export type Group = "overview" | "investigate" | "detect" | "defend" | "estate" | "ringfort";

export interface PageEntry {
  name: string;
  /** Pattern below /portal. */
  path: string;
  icon: string;
  /** Where it stands in the navigation; pages that are reached from another page have none. */
  group?: Group;
  /** The entry of the navigation that is lit while this page is open, when it is not its own. */
  under?: string;
  /** Second key after g. */
  key?: string;
  load: () => Promise<{ default: new () => Page }>;
}

export const pages: PageEntry[] = [
  { name: "overview", path: "/", icon: "home", group: "overview", key: "o", load: () => import("./overview/page") },
  { name: "incidents", path: "/incidents", icon: "incident", group: "investigate", key: "i", load: () => import("./incidents/page") },
  { name: "incident", path: "/incidents/{n}", icon: "incident", under: "incidents", load: () => import("./incident/page") },
  { name: "logs", path: "/logs", icon: "logs", group: "investigate", key: "l", load: () => import("./logs/page") },
  { name: "rules", path: "/rules", icon: "rule", group: "detect", key: "u", load: () => import("./rules/page") },
  { name: "rule", path: "/rules/{id}", icon: "rule", under: "rules", load: () => import("./rule/page") },
  { name: "lab", path: "/lab", icon: "lab", group: "detect", key: "b", load: () => import("./lab/page") },
  { name: "hubs", path: "/hubs", icon: "hub", group: "estate", key: "h", load: () => import("./hubs/page") },
  { name: "hub", path: "/hubs/{ns}/{hub}", icon: "hub", under: "hubs", load: () => import("./hub/page") },
  { name: "vaults", path: "/vaults", icon: "key", group: "estate", key: "v", load: () => import("./vaults/page") },
  { name: "vault", path: "/vaults/{vault}", icon: "key", under: "vaults", load: () => import("./vault/page") },
  { name: "secret", path: "/vaults/{vault}/secrets/{secret}", icon: "key", under: "vaults", load: () => import("./secret/page") },
  { name: "identity", path: "/identity", icon: "user", group: "estate", key: "e", load: () => import("./identity/page") },
  { name: "account", path: "/account", icon: "finger", under: "identity", load: () => import("./account/page") },
  { name: "resources", path: "/resources", icon: "box", group: "estate", key: "s", load: () => import("./resources/page") },
  { name: "resource", path: "/resources/{id*}", icon: "box", under: "resources", load: () => import("./resource/page") },
  { name: "connect", path: "/connect", icon: "plug", group: "ringfort", key: "c", load: () => import("./connect/page") },
  { name: "health", path: "/health", icon: "pulse", group: "ringfort", key: "t", load: () => import("./health/page") },
];

export const pageOf = (name: string): PageEntry => pages.find((p) => p.name === name)!;
