// The server under test: RINGFORT_LIVE names a file {address, user, password, bootstrap}; PORTAL_OUT a folder as build.mjs makes it, laid over the server's own pages.
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";

export const live = { ...JSON.parse(readFileSync(process.env.RINGFORT_LIVE, "utf8")), out: process.env.PORTAL_OUT };
export const boot = live.bootstrap ? JSON.parse(readFileSync(live.bootstrap, "utf8")) : null;

/** A token of the administrator application, for what a test prepares behind the portal's back. */
export async function token(audience) {
  const body = new URLSearchParams({ grant_type: "client_credentials", client_id: boot.client_id, client_secret: boot.client_secret, scope: `${audience}/.default` });
  const r = await fetch(`${boot.authority}/${boot.tenant_id}/oauth2/v2.0/token`, { method: "POST", body });
  return (await r.json()).access_token;
}

/** Addresses of all pages, those with a parameter for something that is there. */
export async function pages() {
  const arm = `/subscriptions/${boot.subscription_id}/resourceGroups/${boot.resource_group}/providers/Microsoft.OperationalInsights/workspaces/${boot.workspace_name}`;
  const rules = await (await fetch(`${live.address}${arm}/providers/Microsoft.SecurityInsights/alertRules?api-version=2025-09-01`, { headers: { authorization: `Bearer ${await token("https://management.azure.com")}` } })).json();
  const rule = rules.value.find((r) => r.kind === "Scheduled").name;
  const vault = new URL(boot.vault_named_url).hostname.split(".")[0], secret = `${live.address}/portal/vaults/${vault}/secrets/looked-at`, headers = { authorization: `Bearer ${await token("https://vault.azure.net")}`, "content-type": "application/json" };
  if ((await fetch(`${secret}?api-version=7.4`, { headers })).status === 404) await fetch(`${secret}?api-version=7.4`, { method: "PUT", headers, body: JSON.stringify({ value: randomUUID() }) });
  return ["/", "/incidents", "/incidents/1", "/logs", "/rules", `/rules/${rule}`, "/lab", "/hubs", `/hubs/${boot.hub.namespace}/drones`, "/vaults", `/vaults/${vault}`, `/vaults/${vault}/secrets/looked-at`, "/identity", "/account", "/resources", `/resources${arm}`, "/connect", "/health"];
}
