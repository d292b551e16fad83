// What can be done about an entity, with what this server has: sign-ins of its people, certificates of its devices. Others have no act here.
import { ApiError } from "../../data/client";
import { getResource, inGroup, list, postAction, type Resource } from "../../data/arm";
import { graph, graphList, graphPatch, graphPost, odata } from "../../data/graph";
import type { Entity, Incident } from "../../data/incidents";
import { session } from "../../data/session";
import { t } from "../../i18n";
import { confirmImpact, type Impact } from "../../parts/impact";
import { href } from "../../router";
import { addNote } from "../../shell/incident-acts";
import { act } from "../../shell/tray";

export interface Possible { id: string; icon: string; text: string; note: string; entity: Entity; /** Done already: nothing to press. */ done?: boolean; open: () => Promise<boolean> }
interface User { id: string; displayName: string; userPrincipalName: string; accountEnabled: boolean }
const none = (e: unknown): [] => { if (e instanceof ApiError && (e.status === 403 || e.status === 400 || e.status === 404)) return []; throw e; };
/** People by sign-in name or object id: one question for all. Without the right to read people there is no act on them. */
async function usersOf(entities: Entity[], signal?: AbortSignal): Promise<User[]> {
  if (!entities.length) return [];
  const ids = entities.map((e) => e.fields.AadUserId).filter((x): x is string => typeof x === "string"), names = entities.map((e) => e.label).filter((l) => l.includes("@"));
  const filter = [names.length ? `userPrincipalName in (${names.map(odata).join(",")})` : "", ids.length ? `id in (${ids.map(odata).join(",")})` : ""].filter(Boolean).join(" or ");
  return filter ? graphList<User>("users", { signal, max: 50, query: { $select: "id,displayName,userPrincipalName,accountEnabled", $filter: filter } }).catch(none) : [];
}
/** Devices are asked for as a list; in a fleet beyond it each by its name. */
async function devicesOf(entities: Entity[], signal?: AbortSignal): Promise<Resource[]> {
  const names = entities.map((e) => e.label).filter((l) => /^[\w.-]{1,64}$/.test(l)), path = inGroup(`Microsoft.EventHub/namespaces/${session().hubNamespace}/devices`), most = 2000;
  if (!names.length) return [];
  const all = await list(path, { signal, max: most }).catch(none), low = new Set(names.map((n) => n.toLowerCase())), found = all.filter((d) => low.has(d.name.toLowerCase()));
  if (all.length < most || found.length === names.length) return found;
  const rest = names.filter((n) => !found.some((d) => d.name.toLowerCase() === n.toLowerCase()));
  return [...found, ...(await Promise.all(rest.map((n) => getResource(`${path}/${encodeURIComponent(n)}`, { signal }).then((d) => [d], none)))).flat()];
}

/** Looks up which entities are people or devices of this server: at most 15 of each are asked for. */
export async function actionsFor(i: Incident, entities: Entity[], changed: (list: Incident[]) => void, signal?: AbortSignal): Promise<Possible[]> {
  const all: Possible[] = [], note = (text: string) => addNote([i], text, changed).catch(() => { /* the act is done; the tray shows that its note is not */ });
  const people = entities.filter((e) => e.kind === "account").slice(0, 15), things = entities.filter((e) => e.kind === "host" || e.kind === "iotdevice").slice(0, 15);
  const [users, devices] = await Promise.all([usersOf(people, signal), devicesOf(things, signal)]);
  for (const e of [...people, ...things]) {
    if (e.kind === "account") {
      const u = users.find((x) => x.id === e.fields.AadUserId || x.userPrincipalName.toLowerCase() === e.label.toLowerCase());
      if (!u) continue;
      const self = u.id === session().user.id, hits = [{ text: `${u.displayName} (${u.userPrincipalName})`, href: href("/identity", {}, { sel: u.id }) }];
      all.push({
        id: `disable ${u.id}`, icon: "block", entity: e, done: !u.accountEnabled, text: t("incident.disable", { name: u.displayName }), note: u.accountEnabled ? t(self ? "incident.disable-self" : "incident.disable-note") : t("incident.disabled"),
        open: () => confirmImpact({
          title: t("incident.disable", { name: u.displayName }), act: t("incident.disable-now"), danger: true, undo: t("triage.undo"), word: self ? u.userPrincipalName : undefined,
          impact: async (): Promise<Impact> => { const now = await graph<User>(`users/${u.id}`, { query: { $select: "id,accountEnabled" } }); return { changes: now.accountEnabled ? [t("incident.disable-effect"), t("incident.disable-effect2")] : [t("incident.disabled")], hits, before: { accountEnabled: now.accountEnabled }, after: { accountEnabled: false }, dryRun: new Date() }; },
          run: async () => { await act({ text: t("incident.did-disable", { name: u.displayName }), href: href("/identity", {}, { sel: u.id }), run: () => graphPatch(`users/${u.id}`, { accountEnabled: false }), undo: () => graphPatch(`users/${u.id}`, { accountEnabled: true }) }); await note(t("incident.did-disable", { name: u.userPrincipalName })); },
        }),
      }, {
        id: `revoke ${u.id}`, icon: "door", entity: e, text: t("incident.sessions", { name: u.displayName }), note: t("incident.sessions-note"),
        open: () => confirmImpact({
          title: t("incident.sessions", { name: u.displayName }), act: t("incident.sessions-now"), danger: true, word: u.userPrincipalName,
          impact: { changes: [t("incident.sessions-effect"), t("incident.sessions-effect2")], hits },
          run: async () => { await act({ text: t("incident.did-sessions", { name: u.displayName }), run: () => graphPost(`users/${u.id}/revokeSignInSessions`) }); await note(t("incident.did-sessions", { name: u.userPrincipalName })); },
        }),
      });
      continue;
    }
    const d = devices.find((x) => x.name.toLowerCase() === e.label.toLowerCase());
    if (!d) continue;
    const certificates = (d.properties?.certificates ?? []) as { serialNumber: string; status: string; notAfter: string }[], live = certificates.filter((c) => c.status === "Active"), over = d.properties?.status === "Revoked";
    all.push({
      id: `device ${d.name}`, icon: "key", entity: e, done: over, text: t("incident.device", { name: d.name }), note: over ? t("incident.device-revoked") : t("incident.device-note", { n: live.length }),
      open: () => confirmImpact({
        title: t("incident.device", { name: d.name }), act: t("incident.device-now"), danger: true, word: d.name,
        impact: async (): Promise<Impact> => { const now = await getResource(d.id), c = ((now.properties?.certificates ?? []) as typeof certificates).filter((x) => x.status === "Active"); return { changes: [t("incident.device-effect", { n: c.length }), t("incident.device-effect2")], hits: ((now.properties?.eventHubs ?? []) as string[]).map((h) => ({ text: t("incident.device-hub", { hub: h }), href: href("/hubs/{ns}/{hub}", { ns: session().hubNamespace, hub: h }) })), before: { status: now.properties?.status, certificates: c.map((x) => x.serialNumber) }, after: { status: "Revoked", certificates: [] }, dryRun: new Date() }; },
        run: async () => { await act({ text: t("incident.did-device", { name: d.name }), href: href("/resources/{id*}", { id: d.id }), run: () => postAction(`${d.id}/revoke`, {}) }); await note(t("incident.did-device", { name: d.name })); },
      }),
    });
  }
  const order = new Map(entities.map((e, k) => [e.key, k]));
  return all.sort((a, b) => order.get(a.entity.key)! - order.get(b.entity.key)!);
}
