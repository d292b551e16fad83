// Template deployments: validate, what-if, deploy, and the operations of one that runs.
import { type PageOf, type Resource } from "./arm";
import { get, send } from "./client";

const version = { "api-version": "2021-04-01" };
export interface Change { resourceId: string; changeType: string; before?: any; after?: any; unsupportedReason?: string }
export interface Deployment { id: string; name: string; properties: { provisioningState: string; timestamp: string; duration?: string; outputs?: Record<string, { type: string; value: unknown }>; error?: ArmError; mode?: string; outputResources?: { id: string }[] } }
export interface ArmError { code: string; message: string; target?: string; details?: ArmError[] }
export interface Operation { operationId: string; properties: { provisioningState: string; provisioningOperation?: string; timestamp?: string; duration?: string; targetResource?: { id?: string; resourceType?: string; resourceName?: string }; statusMessage?: { error?: ArmError } } }
export const over = (state: string): boolean => ["Succeeded", "Failed", "Canceled"].includes(state);

/** The template and its parameters; throws SyntaxError with what is wrong. Parameters: a file of them, or {name: value}. */
export function bodyOf(template: string, parameters: string, mode = "Incremental"): object {
  const t = JSON.parse(template), p = parameters.trim() ? JSON.parse(parameters) : {};
  const given = p && typeof p === "object" && p.parameters && ("$schema" in p || "contentVersion" in p) ? p.parameters : p;
  return { properties: { mode, template: t, parameters: Object.fromEntries(Object.entries(given as Record<string, any>).map(([k, v]) => [k, v !== null && typeof v === "object" && ("value" in v || "reference" in v) ? v : { value: v }])) } };
}
const path = (scope: string, name: string): string => `${scope}/providers/Microsoft.Resources/deployments/${encodeURIComponent(name)}`;
const wait = (ms: number, signal?: AbortSignal) => new Promise<void>((ok, no) => { const timer = setTimeout(ok, ms); signal?.addEventListener("abort", () => { clearTimeout(timer); no(signal.reason); }, { once: true }); });

export async function validate(scope: string, name: string, body: object, signal?: AbortSignal): Promise<void> { await send(`${path(scope, name)}/validate`, { method: "POST", body, query: version, signal }); }
export async function whatIf(scope: string, name: string, body: object, signal?: AbortSignal): Promise<Change[]> {
  let a = await send<any>(`${path(scope, name)}/whatIf`, { method: "POST", body, query: version, signal });
  for (let turn = 0; a.status === 202 && turn < 120; turn++) {
    const u = new URL(a.headers.get("location") ?? a.headers.get("azure-asyncoperation") ?? "", location.origin);
    await wait(Math.min(2000, 300 + turn * 100), signal);
    const next = await send<any>(u.pathname + u.search, { signal });
    a = next.status === 202 ? { ...next, headers: next.headers.has("location") ? next.headers : a.headers } : next;
  }
  if (a.body?.error) throw new Error(words(a.body.error));
  return a.body?.properties?.changes ?? a.body?.changes ?? [];
}
export const deploy = async (scope: string, name: string, body: object): Promise<Deployment> => (await send<Deployment>(path(scope, name), { method: "PUT", body, query: version, headers: { prefer: "respond-async" } })).body;
export const deployment = (scope: string, name: string, signal?: AbortSignal): Promise<Deployment> => get<Deployment>(path(scope, name), { query: version, signal });
export const operations = async (scope: string, name: string, signal?: AbortSignal): Promise<Operation[]> => (await get<PageOf<Operation>>(`${path(scope, name)}/operations`, { query: version, signal })).value;
export const deployments = async (scope: string, signal?: AbortSignal): Promise<Deployment[]> => (await get<PageOf<Deployment>>(`${scope}/providers/Microsoft.Resources/deployments/`, { query: version, signal })).value.sort((a, b) => b.properties.timestamp.localeCompare(a.properties.timestamp));
/** An error with its details, innermost last. */
export const words = (e: ArmError): string => [e.target ? `${e.message} (${e.target})` : e.message, ...(e.details ?? []).map(words)].filter(Boolean).join(" ");

/** The newest version that the provider offers for a type. */
const known = new Map<string, Promise<Record<string, string>>>();
export async function versionOf(subscription: string, type: string): Promise<string | undefined> {
  const at = type.indexOf("/"), ns = type.slice(0, at);
  if (at < 0 || /^microsoft\.resources$/i.test(ns)) return undefined;
  if (!known.has(ns)) known.set(ns, get<{ resourceTypes?: { resourceType: string; apiVersions: string[] }[] }>(`/subscriptions/${subscription}/providers/${ns}`, { query: version }).then((p) => Object.fromEntries((p.resourceTypes ?? []).map((r) => [r.resourceType.toLowerCase(), r.apiVersions.slice().sort().reverse().find((v) => !/preview/.test(v)) ?? r.apiVersions[0]]))).catch(() => { known.delete(ns); return {}; }));
  return (await known.get(ns)!)[type.slice(at + 1).toLowerCase()];
}
export type { Resource };
