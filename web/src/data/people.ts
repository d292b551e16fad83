// People of the directory: how they sign in, what they may, and roles for a while. No DOM.
import { list, putResource, deleteResource } from "./arm";
import { ApiError, send } from "./client";
import { graph, graphDelete, graphList, graphPost, odata } from "./graph";
import { kql, quote, records } from "./kql";
import { session } from "./session";
import type { Range } from "./time";

export interface Method { id: string; "@odata.type": string; createdDateTime?: string; displayName?: string; model?: string; lifetimeInMinutes?: number }
export interface User { id: string; displayName: string; userPrincipalName: string; accountEnabled: boolean; createdDateTime: string; userType?: string; methods?: Method[]; /** "" for never, undefined while not known. */ last?: string; /** Level of the risk that is not settled. */ risk?: string }
export interface SignInSession { id: string; isCurrent: boolean; ipAddress: string; userAgent?: string; lastSeenDateTime: string; applications?: { displayName: string }[] }

export const soft = <T>(p: Promise<T>): Promise<T | Error> => p.catch((e: unknown) => e as Error);
export const methodKind = (m: Method): string => /#microsoft\.graph\.(\w+)AuthenticationMethod/.exec(m["@odata.type"])?.[1] ?? m["@odata.type"];
export const isSecond = (m: Method): boolean => ["fido2", "softwareOath", "microsoftAuthenticator", "phone", "windowsHelloForBusiness"].includes(methodKind(m));
/** The address of a way to sign in that can be removed. */
export const methodSegment: Record<string, string> = { fido2: "fido2Methods", softwareOath: "softwareOathMethods", temporaryAccessPass: "temporaryAccessPassMethods" };
const back = (days: number): Range => ({ text: `${days}d`, from: new Date(Date.now() - days * 86400e3), to: new Date(), live: true });

/** Everybody; for who may not read people, himself. */
export async function listUsers(signal?: AbortSignal): Promise<{ users: User[]; onlyMe: boolean }> {
  const query = { $select: "id,displayName,userPrincipalName,accountEnabled,createdDateTime,userType" };
  try { return { users: await graphList<User>("users", { signal, query: { $top: 999, ...query } }), onlyMe: false }; }
  catch (e) { if (!(e instanceof ApiError && e.forbidden)) throw e; return { users: [await graph<User>("me", { signal, query })], onlyMe: true }; }
}
/** Fills in ways to sign in, twenty people a request, risk, and the last sign-in from the logs; `seen` after each step. What may not be read stays unknown. */
export async function userFacts(all: User[], seen: () => void, signal: AbortSignal): Promise<void> {
  await soft((async () => {
    for (let at = 0; at < Math.min(all.length, 2000); at += 20) {
      const part = all.slice(at, at + 20), requests = part.map((u, i) => ({ id: String(i), method: "GET", url: `/users/${u.id}/authentication/methods` }));
      const { body } = await send<{ responses: { id: string; status: number; body: { value: Method[] } }[] }>("/v1.0/$batch", { method: "POST", signal, safe: true, body: { requests } });
      for (const r of body.responses) if (r.status === 200) part[Number(r.id)].methods = r.body.value;
      seen();
    }
  })());
  const risky = await soft(graphList("identityProtection/riskyUsers", { signal }));
  if (!(risky instanceof Error)) for (const r of risky) { const u = all.find((x) => x.id === r.id); if (u && r.riskState === "atRisk") u.risk = r.riskLevel; }
  const last = await soft(kql(`union isfuzzy=true SigninLogs, AADNonInteractiveUserSignInLogs\n| where ResultType == "0"\n| summarize Last = max(TimeGenerated) by UserId`, { signal, range: back(90) }));
  if (last instanceof Error || signal.aborted) return;
  const by = new Map(last.rows.map((r) => [String(r[0]), String(r[1])]));
  for (const u of all) u.last = by.get(u.id) ?? "";
  seen();
}

// ---- roles ----
/** A role of the directory (`directory`) or of resources, with its holder. */
export interface RoleRow { id: string; who: string; principalId: string; kind: string; role: string; roleId: string; scope: string; directory: boolean }
export interface RoleDefinition { id: string; name: string; description: string; directory: boolean }

export const armRoles = `Microsoft.Authorization/roleAssignments`;
const subscription = (): string => `/subscriptions/${session().subscription}`, last = (id: string): string => id.split("/").pop()!.toLowerCase();
export const directoryRoles = async (signal?: AbortSignal): Promise<RoleDefinition[]> =>
  (await graphList("roleManagement/directory/roleDefinitions", { signal })).map((d) => ({ id: d.id, name: d.displayName, description: d.description ?? "", directory: true }));
export const resourceRoles = async (signal?: AbortSignal): Promise<RoleDefinition[]> =>
  (await list<any>(`${subscription()}/providers/Microsoft.Authorization/roleDefinitions`, { signal })).map((d) => ({ id: d.name, name: d.properties.roleName, description: d.properties.description ?? "", directory: false }));

const nameOf = (defs: RoleDefinition[] | Error, id: string): string => (defs instanceof Error ? undefined : defs.find((d) => d.id.toLowerCase() === last(id))?.name) ?? last(id);
/** Names and kinds of people, groups and applications by id. Empty where they may not be read. */
export async function namesOf(ids: string[]): Promise<Map<string, { name: string; kind: string; upn?: string }>> {
  const names = new Map<string, { name: string; kind: string; upn?: string }>(), me = session().user;
  names.set(me.id, { name: me.name, kind: "user", upn: me.upn });
  for (let at = 0; at < ids.length; at += 1000) {
    const got = await soft(graphPost<{ value: any[] }>("directoryObjects/getByIds", { ids: ids.slice(at, at + 1000) }));
    if (!(got instanceof Error)) for (const o of got.value) names.set(o.id, { name: o.displayName, kind: /graph\.(\w+)$/.exec(o["@odata.type"] ?? "")?.[1] ?? "", upn: o.userPrincipalName });
  }
  return names;
}
/** All role assignments, or those of one principal. `armError`: those of resources may not be read. */
export async function listRoles(signal?: AbortSignal, principal?: string): Promise<{ rows: RoleRow[]; armError?: Error }> {
  const query = principal ? { $filter: `principalId eq ${odata(principal)}` } : {};
  const [dir, defs, arm, armDefs] = await Promise.all([
    graphList("roleManagement/directory/roleAssignments", { signal, query }), directoryRoles(signal),
    soft(list<any>(`${subscription()}/providers/${armRoles}`, { signal, query })), soft(resourceRoles(signal))]);
  const ofArm = arm instanceof Error ? [] : arm, names = principal ? new Map() : await namesOf([...new Set([...dir.map((a) => a.principalId), ...ofArm.map((a) => a.properties.principalId)])].map(String));
  const who = (id: string, kind = "") => ({ principalId: id, who: names.get(id)?.name ?? id, kind: names.get(id)?.kind || kind });
  return {
    armError: arm instanceof Error ? arm : undefined,
    rows: [...dir.map((a) => ({ id: a.id, ...who(a.principalId), role: nameOf(defs, a.roleDefinitionId), roleId: a.roleDefinitionId, scope: "", directory: true })),
      ...ofArm.map((a) => ({ id: a.id, ...who(a.properties.principalId, a.properties.principalType), role: nameOf(armDefs, a.properties.roleDefinitionId), roleId: last(a.properties.roleDefinitionId), scope: String(a.properties.scope), directory: false }))],
  };
}
/** Gives a role; answers the assignment's id, with which it is taken back. */
export async function giveRole(role: RoleDefinition, principal: { id: string; kind: string }, scope: string): Promise<string> {
  if (role.directory) return (await graphPost("roleManagement/directory/roleAssignments", { principalId: principal.id, roleDefinitionId: role.id, directoryScopeId: "/" })).id;
  const at = scope.replace(/\/+$/, "");
  const made = await putResource(`${at}/providers/${armRoles}/${crypto.randomUUID()}`, { properties: { roleDefinitionId: `${subscription()}/providers/Microsoft.Authorization/roleDefinitions/${role.id}`, principalId: principal.id, principalType: principal.kind === "group" ? "Group" : principal.kind === "servicePrincipal" ? "ServicePrincipal" : "User" } });
  return made.id;
}
export const takeRole = (id: string, directory: boolean): Promise<unknown> => (directory ? graphDelete(`roleManagement/directory/roleAssignments/${id}`) : deleteResource(id));

// ---- a person in depth ----
export interface Deep { methods: Method[] | Error; sessions: SignInSession[] | Error; groups: any[] | Error; roles: RoleRow[] | Error; signins: Record<string, any>[] | Error; risk: any | Error }
export async function readUser(id: string, signal: AbortSignal): Promise<Deep> {
  const at = `users/${encodeURIComponent(id)}`;
  const [methods, sessions, groups, roles, signins, risk] = await Promise.all([
    soft(graph<{ value: Method[] }>(`${at}/authentication/methods`, { signal }).then((r) => r.value)),
    soft(graph<{ value: SignInSession[] }>(`${at}/ringfort.sessions`, { signal }).then((r) => r.value)),
    soft(graphList(`${at}/transitiveMemberOf`, { signal })), soft(listRoles(signal, id).then((r) => r.rows)),
    soft(kql(`SigninLogs\n| where UserId == ${quote(id)}\n| project TimeGenerated, AppDisplayName, IPAddress, ResultType, ResultDescription\n| top 8 by TimeGenerated desc`, { signal, range: back(30) }).then(records)),
    soft(graphList("identityProtection/riskyUsers", { signal, query: { $filter: `id eq ${odata(id)}` } }).then((r) => r.find((x) => x.id === id && x.riskState === "atRisk") ?? null))]);
  return { methods, sessions, groups, roles, signins, risk };
}

// ---- roles for a while ----
export type ElevationState = "waiting" | "active" | "eligible" | "approved" | "denied" | "taken";
/** One row of the list: what somebody may ask for, asks for, has now, or asked for once. */
export interface Elevation { id: string; state: ElevationState; principalId: string; who: string; kind: string; roleId: string; role: string; mine: boolean; from?: string; until?: string | null; length?: string; reason?: string; answer?: string; by?: string; completed?: string }
const pim = "roleManagement/directory/", state: Record<string, ElevationState> = { PendingApproval: "waiting", Provisioned: "approved", Denied: "denied", Canceled: "taken" };
/** Roles that an administrator may make others eligible for; who may not read them still has names of the built-in ones: they are the same everywhere. */
const builtIn: Record<string, string> = {
  "62e90394-69f5-4237-9190-012177145e10": "Global Administrator", "f2ef992c-3afb-46b9-b7cf-a126ee74c451": "Global Reader", "194ae4cb-b126-40b2-bd5b-6091b380977d": "Security Administrator", "5d6b6bb7-de71-4623-b4af-96380a352509": "Security Reader",
  "fe930be7-5e62-47db-91af-98c3a49a38b1": "User Administrator", "c4e39bd9-1100-46d3-8c65-fb160da0071f": "Authentication Administrator", "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3": "Application Administrator",
  "e8611ab8-c189-46e8-94e1-60213ab1f814": "Privileged Role Administrator", "b1be1c3e-b65d-4f19-8427-f6fa0d97feb9": "Conditional Access Administrator", "4a5d8f65-41da-4de4-8968-e035b65339cf": "Reports Reader",
};
export interface Elevations { rows: Elevation[]; /** May decide and make others eligible: sees the roles. */ admin: boolean; roles: RoleDefinition[] }
export async function listElevations(signal?: AbortSignal): Promise<Elevations> {
  const [eligible, active, asked, defs, groups] = await Promise.all([
    graphList(`${pim}roleEligibilityScheduleInstances`, { signal }), graphList(`${pim}roleAssignmentScheduleInstances`, { signal }), graphList(`${pim}roleAssignmentScheduleRequests`, { signal }),
    soft(directoryRoles(signal)), soft(graphList("me/transitiveMemberOf", { signal }))]);
  const names = await namesOf([...new Set([...eligible, ...active, ...asked].flatMap((x) => [x.principalId, ...(x.reviewedBy ? [x.reviewedBy] : [])]).map(String))]);
  const me = session().user.id, own = new Set([me, ...(groups instanceof Error ? [] : groups.map((g) => g.id))]), admin = !(defs instanceof Error);
  const row = (x: any, s: ElevationState): Elevation => ({
    id: x.id, state: s, principalId: x.principalId, who: names.get(x.principalId)?.name ?? x.principalId, kind: names.get(x.principalId)?.kind ?? "", roleId: x.roleDefinitionId, role: (admin ? defs.find((d) => d.id === x.roleDefinitionId)?.name : builtIn[x.roleDefinitionId]) ?? x.roleDefinitionId,
    // Who sees only his own rows has what a group of his gave him among them.
    mine: own.has(x.principalId) || (!admin && s === "eligible"), from: x.startDateTime ?? x.createdDateTime, until: x.endDateTime, length: x.scheduleInfo?.expiration?.duration, reason: x.justification, answer: x.reviewJustification, by: x.reviewedBy && (names.get(x.reviewedBy)?.name ?? x.reviewedBy), completed: x.completedDateTime,
  });
  const running = new Map(active.map((a) => [a.requestId, a]));
  return {
    admin, roles: admin ? defs : [],
    rows: [...asked.filter((x) => !running.has(x.id)).map((x) => row(x, state[x.status] ?? "taken")), ...active.map((x) => ({ ...row(x, "active"), reason: asked.find((r) => r.id === x.requestId)?.justification })), ...eligible.map((x) => row(x, "eligible"))],
  };
}
const schedule = (duration?: string): object => ({ expiration: duration ? { type: "afterDuration", duration } : { type: "noExpiration" } });
const directoryWide = (principalId: string, roleDefinitionId: string): object => ({ principalId, roleDefinitionId, directoryScopeId: "/" });
export const makeEligible = (principal: string, role: string, reason: string, duration?: string): Promise<any> => graphPost(`${pim}roleEligibilityScheduleRequests`, { action: "adminAssign", ...directoryWide(principal, role), justification: reason, scheduleInfo: schedule(duration) });
export const endEligible = (principal: string, role: string): Promise<any> => graphPost(`${pim}roleEligibilityScheduleRequests`, { action: "adminRemove", ...directoryWide(principal, role) });
/** Asks for a role that one is eligible for; another administrator decides. */
export const askRole = (role: string, reason: string, duration: string): Promise<any> => graphPost(`${pim}roleAssignmentScheduleRequests`, { action: "selfActivate", ...directoryWide(session().user.id, role), justification: reason, scheduleInfo: schedule(duration) });
export const endRole = (principal: string, role: string): Promise<any> => graphPost(`${pim}roleAssignmentScheduleRequests`, { action: principal === session().user.id ? "selfDeactivate" : "adminRemove", ...directoryWide(principal, role) });
export const takeBack = (request: string): Promise<any> => graphPost(`${pim}roleAssignmentScheduleRequests/${encodeURIComponent(request)}/cancel`, {});
export const decide = (request: string, yes: boolean, reason: string): Promise<any> => send(`/v1.0/${pim}roleAssignmentApprovals/${encodeURIComponent(request)}/steps/${encodeURIComponent(request)}`, { method: "PATCH", body: { reviewResult: yes ? "Approve" : "Deny", justification: reason } });
