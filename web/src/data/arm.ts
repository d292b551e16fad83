// Resources of the control plane: /subscriptions/... with its api-version.
import { del as httpDel, get as httpGet, send, type Ask } from "./client";
import { session } from "./session";

export interface Resource { id: string; name: string; type: string; kind?: string; location?: string; etag?: string; tags?: Record<string, string>; sku?: Record<string, unknown>; properties?: any; systemData?: Record<string, string>; [more: string]: unknown }
export interface PageOf<T> { value: T[]; nextLink?: string }

/** api-version by provider, where the caller names none. */
const versions: [RegExp, string][] = [
  [/Microsoft\.SecurityInsights/i, "2025-09-01"], [/Microsoft\.OperationalInsights/i, "2023-09-01"], [/Microsoft\.KeyVault/i, "2023-07-01"], [/Microsoft\.EventHub/i, "2024-01-01"],
  [/Microsoft\.Insights\/(dataCollection)/i, "2023-03-11"], [/Microsoft\.Insights/i, "2021-08-01"], [/Microsoft\.Authorization\/(roleAssignments|roleDefinitions|denyAssignments)/i, "2022-04-01"],
  [/Microsoft\.Authorization\/locks/i, "2020-05-01"], [/Microsoft\.Authorization/i, "2020-10-01"], [/Microsoft\.Logic/i, "2019-05-01"], [/Microsoft\.Resources/i, "2021-04-01"],
];
export const apiVersion = (path: string): string => { const p = /.*\/providers\/(.*)$/i.exec(path)?.[1]; return p ? versions.find(([re]) => re.test(p))?.[1] ?? "2021-04-01" : "2021-04-01"; };

/** The id of the workspace's Sentinel objects: sentinel("incidents/…"). */
export const sentinel = (rest: string): string => `${session().workspace.id}/providers/Microsoft.SecurityInsights/${rest}`;
/** An id below the session's resource group: inGroup("Microsoft.KeyVault/vaults/kv"). */
export const inGroup = (rest: string): string => `/subscriptions/${session().subscription}/resourceGroups/${session().resourceGroup}/providers/${rest}`;

export interface ArmAsk extends Ask { version?: string; etag?: string }
const ask = (path: string, { version, etag, ...a }: ArmAsk): Ask => ({ ...a, query: { "api-version": version ?? apiVersion(path), ...a.query }, headers: { ...(etag ? { "if-match": etag } : {}), ...a.headers } });

export const getResource = <T = Resource>(id: string, a: ArmAsk = {}): Promise<T> => httpGet<T>(id, ask(id, a));

/** One page of a list. `next` is what an earlier page gave. */
export async function listPage<T = Resource>(path: string, a: ArmAsk = {}, next?: string): Promise<{ items: T[]; next?: string }> {
  const got = next ? await httpGet<PageOf<T>>(local(next), { signal: a.signal }) : await httpGet<PageOf<T>>(path, ask(path, a));
  return { items: got.value ?? [], next: got.nextLink };
}
/** All of a list, at most `max` (10,000): pages are asked one after another. */
export async function list<T = Resource>(path: string, a: ArmAsk & { max?: number } = {}): Promise<T[]> {
  const { max = 10_000, ...rest } = a, all: T[] = [];
  let next: string | undefined;
  do {
    const page: { items: T[]; next?: string } = await listPage<T>(path, rest, next);
    all.push(...page.items);
    next = page.next;
  } while (next && all.length < max);
  return all;
}
/** A next link names the public origin; the portal may be open under another name of the same server. */
const local = (link: string): string => { const u = new URL(link, location.origin); return u.pathname + u.search; };

export const putResource = async <T = Resource>(id: string, body: unknown, a: ArmAsk = {}): Promise<T> => (await send<T>(id, { method: "PUT", body, ...ask(id, a) })).body;
export const patchResource = async <T = Resource>(id: string, body: unknown, a: ArmAsk = {}): Promise<T> => (await send<T>(id, { method: "PATCH", body, ...ask(id, a) })).body;
export const postAction = async <T = unknown>(id: string, body?: unknown, a: ArmAsk = {}): Promise<T> => (await send<T>(id, { method: "POST", body, ...ask(id, a) })).body;
export const deleteResource = (id: string, a: ArmAsk = {}): Promise<unknown> => httpDel(id, ask(id, a));

/** The parts of an id: subscription, group, provider type, names. */
export function parseId(id: string): { subscription?: string; group?: string; type: string; name: string; parent?: string } {
  const s = id.split("/").filter(Boolean), low = s.map((x) => x.toLowerCase()), at = low.lastIndexOf("providers");
  const subscription = low[0] === "subscriptions" ? s[1] : undefined, group = low[2] === "resourcegroups" ? s[3] : undefined;
  if (at < 0) return { subscription, group, type: group ? "Microsoft.Resources/resourceGroups" : "Microsoft.Resources/subscriptions", name: group ?? subscription ?? "" };
  const rest = s.slice(at + 1), kinds = [rest[0]];
  for (let i = 1; i < rest.length; i += 2) kinds.push(rest[i]);
  return { subscription, group, type: kinds.join("/"), name: rest[rest.length - 1], parent: rest.length > 3 ? "/" + s.slice(0, -2).join("/") : undefined };
}
