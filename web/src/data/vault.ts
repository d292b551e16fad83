// Vaults: their data plane under this origin, /portal/vaults/{vault}/..., and the reports over all of them (docs/vault-reports.md). Values of secrets pass through here and are kept nowhere.
import { get, send, type Ask } from "./client";
import { session } from "./session";

const version = { "api-version": "7.6" };
const path = (vault: string, rest: string) => `/portal/vaults/${encodeURIComponent(vault)}/${rest}`;
export const seg = (s: string): string => encodeURIComponent(s);

export interface Attributes { enabled: boolean; created?: number; updated?: number; nbf?: number; exp?: number; recoveryLevel?: string }
export interface Item { id: string; attributes: Attributes; tags?: Record<string, string>; contentType?: string; managed?: boolean }
export interface SecretBundle extends Item { value: string }
export interface Found { id: string; kind: "secrets" | "keys" | "certificates" | "authorities"; name: string; vaultName: string; vault: string; enabled?: boolean; contentType?: string; tags?: Record<string, string>; created?: number; updated?: number; notBefore?: number; expires?: number; lastRead?: number | null; expired?: boolean; daysLeft?: number; renews?: boolean; renewedBy?: string; renewsAt?: number; neverRead?: boolean; unusedDays?: number }
export interface Activity { lastRead?: number | null; counts: Record<string, number>; countedSince: number; principals: { id: string; name: string; last: number; operation: string; counts: Record<string, number> }[] }
export interface Reader { principalId: string; principalType: string; name: string; enabled?: boolean; conditional: boolean; actions: string[]; denied: string[]; via: { kind: string; roleName?: string; scope?: string }[] }
export interface Difference { from: string; to: string; changes: { property: string; from: unknown; to: unknown }[]; tags: { added: Record<string, string>; removed: Record<string, string>; changed: Record<string, { from: string; to: string }> }; valueEqual: boolean | null }

export const ask = <T>(vault: string, rest: string, o: Ask = {}): Promise<T> => get<T>(path(vault, rest), { ...o, query: { ...version, ...o.query } });
export const tell = async <T>(vault: string, rest: string, method: "PUT" | "POST" | "PATCH" | "DELETE", body?: unknown, o: Ask = {}): Promise<T> => (await send<T>(path(vault, rest), { ...o, method, body, query: { ...version, ...o.query } })).body;

/** All pages of a list of the data plane. Its links name the vault's own host: path and query count. */
export async function items(vault: string, rest: string, signal?: AbortSignal): Promise<Item[]> {
  const all: Item[] = [];
  let page = await ask<{ value: Item[]; nextLink?: string }>(vault, rest, { signal, query: { maxresults: 25 } });
  for (;;) {
    all.push(...(page.value ?? []));
    if (!page.nextLink || all.length >= 10_000) return all;
    const next = new URL(page.nextLink);
    page = await get<{ value: Item[]; nextLink?: string }>(path(vault, next.pathname.replace(/^\//, "") + next.search), { signal });
  }
}
/** The versions of an item, newest first: their names lie in the order in which they were made, `created` has whole seconds only. */
export async function versions(vault: string, item: string, signal?: AbortSignal): Promise<Item[]> {
  const all = await items(vault, `${item}/versions`, signal);
  return all.sort((a, b) => (versionOf(a.id) < versionOf(b.id) ? 1 : -1));
}
/** A report of the control plane: search, expiring, unused. */
export async function report(name: "search" | "expiring" | "unused", query: Record<string, string | number>, signal?: AbortSignal): Promise<{ value: Found[]; count?: number }> {
  return get(`/subscriptions/${session().subscription}/providers/Microsoft.KeyVault/${name}`, { signal, query: { "api-version": "2023-07-01", $top: 1000, ...query } });
}
export const versionOf = (id: string): string => new URL(id).pathname.split("/")[3] ?? "";
export const nameOf = (id: string): string => decodeURIComponent(new URL(id).pathname.split("/")[2] ?? "");
export const date = (seconds: number | null | undefined): Date | undefined => (seconds ? new Date(seconds * 1000) : undefined);
/** What stands of an object now: enabled, not yet, ended, disabled. */
export function standing(a: Attributes, now = Date.now() / 1000): "enabled" | "disabled" | "expired" | "early" {
  return !a.enabled ? "disabled" : a.exp && a.exp <= now ? "expired" : a.nbf && a.nbf > now ? "early" : "enabled";
}
/** A new value that nobody has to think of: 32 letters and digits, some 190 bits. */
export function newValue(length = 32): string {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", out: string[] = [];
  while (out.length < length) for (const b of crypto.getRandomValues(new Uint8Array(64))) if (b < 248 && out.length < length) out.push(letters[b % 62]);
  return out.join("");
}
