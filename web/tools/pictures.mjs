// node web/tools/pictures.mjs LIVE.json - takes the pictures of docs/portal.md: every page, light and dark, of a running server (as tests/browser.sh starts one).
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

process.env.RINGFORT_LIVE ??= process.argv[2];
const { browser } = await import("../tests/lib/browser.mjs"), { live, boot } = await import("../tests/lib/live.mjs");
const out = join(dirname(fileURLToPath(import.meta.url)), "../../docs/portal"), vault = new URL(boot.vault_named_url).hostname.split(".")[0];
const arm = `/subscriptions/${boot.subscription_id}/resourceGroups/${boot.resource_group}/providers/Microsoft.OperationalInsights/workspaces/${boot.workspace_name}`;
const query = 'SigninLogs\n| where ResultType != "0"\n| summarize Tries = count(), Users = dcount(UserPrincipalName) by bin(TimeGenerated, 1m), IPAddress\n| order by Tries desc\n| render columnchart';
const b = await browser(live), wanted = process.argv.slice(3);

/** An incident with several alerts, a rule, and a secret of two versions: there must be something to see. */
const first = await b.page("/");
const known = await first.evaluate(async (vault) => {
  const h = { "x-ringfort-portal": "1", "content-type": "application/json" }, json = async (u) => (await fetch(u, { headers: h })).json(), s = await json("/portal/api/session"), sentinel = `${s.workspace.id}/providers/Microsoft.SecurityInsights`;
  const there = await json(`/portal/vaults/${vault}/secrets/manifest-db/versions?api-version=7.4`);
  for (const value of there.value?.length > 1 ? [] : ["host=db-1;user=dispatch_rw", "host=db-1;user=dispatch_app"]) { await fetch(`/portal/vaults/${vault}/secrets/manifest-db?api-version=7.4`, { method: "PUT", headers: h, body: JSON.stringify({ value, contentType: "postgres connection string", tags: { owner: "dispatch" } }) }); await new Promise((ok) => setTimeout(ok, 1100)); }   // times of versions are whole seconds
  const versions = (await json(`/portal/vaults/${vault}/secrets/manifest-db/versions?api-version=7.4`)).value.sort((a, b) => a.attributes.created - b.attributes.created).map((v) => v.id.split("/").pop());
  const incidents = (await json(`${sentinel}/incidents?api-version=2025-09-01`)).value, rules = (await json(`${sentinel}/alertRules?api-version=2025-09-01`)).value;
  return { incident: incidents.sort((a, b) => b.properties.additionalData.alertsCount - a.properties.additionalData.alertsCount)[0].properties.incidentNumber, rule: rules.find((r) => r.kind === "Scheduled")?.name, compare: versions.slice(-2).join(",") };
}, vault);
await first.close();

const pages = { overview: "/", incidents: `/incidents?sel=${known.incident}`, incident: `/incidents/${known.incident}`, logs: `/logs?t=24h&q=${encodeURIComponent(query)}`, rules: "/rules", rule: `/rules/${known.rule}`, lab: "/lab", hubs: "/hubs", hub: `/hubs/${boot.hub.namespace}/drones`,
  vaults: "/vaults", vault: `/vaults/${vault}`, secret: `/vaults/${vault}/secrets/manifest-db?compare=${known.compare}`, identity: "/identity", account: "/account", resources: "/resources", resource: `/resources${arm}`, connect: "/connect", health: "/health" };
for (const [name, path] of Object.entries(pages)) {
  if (wanted.length && !wanted.includes(name)) continue;
  for (const theme of ["light", "dark"]) {
    const page = await b.page(path, { theme, width: 1440, height: 900 });
    await page.waitForTimeout(name === "logs" || name === "rule" ? 6000 : name === "hub" ? 8000 : 2500);
    await page.screenshot({ path: join(out, `${name}-${theme}.jpg`), type: "jpeg", quality: 72 });
    if (page.faults.length) console.log(name, theme, page.faults);
    await page.close();
  }
}
for (const colorScheme of wanted.length && !wanted.includes("signin") ? [] : ["light", "dark"]) {
  const stranger = await b.context.browser().newContext({ ignoreHTTPSErrors: true, locale: "en-GB", colorScheme, viewport: { width: 1440, height: 900 } }), page = await stranger.newPage();
  await page.goto(`${live.address}/portal/signin?return=/portal/`);
  await page.fill("input[name=loginfmt]", live.user);
  await page.click("#idSIButton9");
  await page.waitForSelector("input[name=passwd]");
  await page.screenshot({ path: join(out, `signin-${colorScheme}.jpg`), type: "jpeg", quality: 72 });
  await stranger.close();
}
await b.close();
