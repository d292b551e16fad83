// People, groups, applications, sign-ins: the Graph subset under /v1.0 and /beta.
import { get, send, type Ask } from "./client";

export interface GraphPage<T> { value: T[]; "@odata.nextLink"?: string; "@odata.count"?: number }

export const graph = <T = any>(path: string, ask: Ask = {}): Promise<T> => get<T>(`/v1.0/${path.replace(/^\//, "")}`, ask);

/** A list with all its pages, at most `max`. */
export async function graphList<T = any>(path: string, { max = 10_000, ...ask }: Ask & { max?: number } = {}): Promise<T[]> {
  const all: T[] = [];
  let next: string | undefined = `/v1.0/${path.replace(/^\//, "")}`;
  for (let q: Ask = ask; next && all.length < max; q = { signal: ask.signal }) {
    const page: GraphPage<T> = await get(next, q);
    all.push(...page.value);
    const link = page["@odata.nextLink"];
    next = link && ((u: URL) => u.pathname + u.search)(new URL(link, location.origin));
  }
  return all;
}
export const graphPost = async <T = any>(path: string, body?: unknown): Promise<T> => (await send<T>(`/v1.0/${path.replace(/^\//, "")}`, { method: "POST", body })).body;
export const graphPatch = async <T = any>(path: string, body: unknown): Promise<T> => (await send<T>(`/v1.0/${path.replace(/^\//, "")}`, { method: "PATCH", body })).body;
export const graphDelete = async (path: string): Promise<void> => { await send(`/v1.0/${path.replace(/^\//, "")}`, { method: "DELETE" }); };
/** A text inside a $filter. */
export const odata = (s: string): string => `'${s.replace(/'/g, "''")}'`;
