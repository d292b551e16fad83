// What must not work: frames, other sites' requests, open redirects, a planted or stolen cookie, an answer of somebody else's sign-in, markup in names.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { browser, signIn } from "../lib/browser.mjs";
import { boot, live, pages, token } from "../lib/live.mjs";

let b;
before(async () => { b = await browser(live); });
after(() => b?.close());
const get = (path, o = {}) => fetch(`${live.address}${path}`, { redirect: "manual", ...o });
const cookies = async (context = b.context) => Object.fromEntries((await context.cookies(live.address)).map((c) => [c.name, c]));
const strip = (s) => s.replace(/\s+/g, " ");

test("pages, sign-in and errors stand in no frame, and guess no types", async () => {
  for (const path of [...(await pages()).map((p) => `/portal${p}`), "/portal/no/such", "/portal/signed-in?code=x&state=y"]) {
    const r = await get(path), policy = r.headers.get("content-security-policy") ?? "";
    assert.match(policy, /frame-ancestors 'none'/, path);
    assert.equal(r.headers.get("x-content-type-options"), "nosniff", path);
    assert.match(r.headers.get("referrer-policy") ?? "", /no-referrer|same-origin/, path);
  }
  const login = await get(new URL((await get("/portal/signin?return=/portal/")).headers.get("location"), live.address).pathname + new URL((await get("/portal/signin?return=/portal/")).headers.get("location"), live.address).search);
  assert.match(login.headers.get("content-security-policy"), /frame-ancestors 'none'/);
});

test("the cookie: for this host alone, over TLS alone, not for scripts; nothing of a token in the browser's storage", async () => {
  const page = await b.page("/incidents"), c = (await cookies())["__Host-rf_portal"];
  assert.ok(c.httpOnly && c.secure && c.path === "/" && ["Lax", "Strict"].includes(c.sameSite), JSON.stringify({ ...c, value: "" }));
  const stored = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]));
  assert.doesNotMatch(stored, /eyJ[\w-]{10}/);
  assert.ok(!stored.includes(c.value.slice(0, 20)) && !stored.includes("__Host-rf_portal"));
  await page.close();
});

test("another site's requests: without the header, with a foreign origin, as a form, as a link", async () => {
  const c = (await cookies())["__Host-rf_portal"], cookie = `__Host-rf_portal=${c.value}`, ours = { cookie, "x-ringfort-portal": "1" };
  assert.equal((await get("/v1.0/me", { headers: ours })).status, 200);
  for (const headers of [{ cookie }, { ...ours, "sec-fetch-site": "cross-site" }, { ...ours, "sec-fetch-site": "same-site" }]) assert.equal((await get("/v1.0/me", { headers })).status, 401, JSON.stringify(Object.keys(headers)));
  const form = await get("/portal/signout", { method: "POST", headers: { cookie, "content-type": "application/x-www-form-urlencoded" }, body: "a=b" });
  assert.ok(form.status >= 400, "signing somebody out by a form");
  await get("/portal/signout", { headers: { cookie } }); // by a link
  assert.equal((await get("/v1.0/me", { headers: ours })).status, 200, "still signed in");
  const asked = await get("/v1.0/me", { method: "OPTIONS", headers: { origin: "https://evil.example", "access-control-request-method": "GET", "access-control-request-headers": "x-ringfort-portal" } });
  assert.ok(!asked.headers.get("access-control-allow-origin"), "no other site may send the header");
});

test("after signing in one stays here: no other address is taken for the way back", async () => {
  for (const to of ["https://evil.example/", "//evil.example", "/\\evil.example", "/portal/../evil", "javascript:alert(1)", "/portal/%0d%0aSet-Cookie:a=b", "/signin/x"]) {
    const stranger = await b.context.browser().newContext({ ignoreHTTPSErrors: true }), page = await stranger.newPage();
    await page.goto(`${live.address}/portal/signin?return=${encodeURIComponent(to)}`);
    await signIn(page, live, (u) => { const p = new URL(u).pathname; return new URL(u).origin === live.address && p.startsWith("/portal/") && !/signin|signed-in/.test(p); });
    assert.equal(new URL(page.url()).origin, live.address, to);
    await stranger.close();
    if (to !== "https://evil.example/") break; // each takes a sign-in; the others are asked below without one
  }
  for (const to of ["//evil.example", "/\\evil.example", "/portal/../evil", "javascript:alert(1)", "/portal/\r\nSet-Cookie:a=b"]) {
    const r = await get(`/portal/signin?return=${encodeURIComponent(to)}`), flow = (r.headers.get("set-cookie") ?? "").match(/flow=([^;]+)/)?.[1] ?? "", back = Buffer.from(flow.split(".").pop() ?? "", "base64url").toString();
    assert.ok(back === "/portal/" || /^\/portal\/[\w/%.-]*$/.test(back), `${to} became ${back}`);
  }
});

test("a cookie that was planted before the sign-in is not the session's; one that was signed out is nobody's", async () => {
  const context = await b.context.browser().newContext({ ignoreHTTPSErrors: true }), page = await context.newPage(), planted = "planted-by-somebody-else";
  await context.addCookies([{ name: "__Host-rf_portal", value: planted, url: live.address, secure: true, httpOnly: true, sameSite: "Lax" }]);
  assert.equal((await get("/v1.0/me", { headers: { cookie: `__Host-rf_portal=${planted}`, "x-ringfort-portal": "1" } })).status, 401);
  await page.goto(`${live.address}/portal/signin?return=/portal/`);
  await signIn(page, live, (u) => { const p = new URL(u).pathname; return p.startsWith("/portal/") && !/signin|signed-in/.test(p); });
  const own = (await cookies(context))["__Host-rf_portal"].value, headers = { cookie: `__Host-rf_portal=${own}`, "x-ringfort-portal": "1" };
  assert.notEqual(own, planted);
  assert.equal((await get("/v1.0/me", { headers })).status, 200);
  // The live stream ends with it, too.
  const stream = await get("/portal/api/live", { headers: { ...headers, accept: "text/event-stream" } });
  assert.equal((await get("/portal/signout", { method: "POST", headers })).status, 200);
  assert.equal((await get("/v1.0/me", { headers })).status, 401, "a stolen cookie");
  const ended = (async () => { for await (const piece of stream.body) void piece; return true; })();
  assert.equal(await Promise.race([ended, new Promise((ok) => setTimeout(() => ok(false), 5000))]), true, "the stream goes on without a session");
  await context.close();
});

test("answers of another's sign-in, of none, with another state, and a code that was taken", async () => {
  const start = await get("/portal/signin?return=/portal/"), flow = start.headers.get("set-cookie").split(";")[0], state = new URL(start.headers.get("location"), live.address).searchParams.get("state");
  for (const [path, cookie] of [[`/portal/signed-in?code=made-up&state=${state}`, flow], [`/portal/signed-in?code=made-up&state=${state}`, ""], [`/portal/signed-in?code=made-up&state=other`, flow], ["/portal/signed-in", flow]]) {
    const r = await get(path, { headers: cookie ? { cookie } : {} });
    assert.ok(r.status >= 400 && !/__Host-rf_portal=[^;]/.test(r.headers.get("set-cookie") ?? ""), `${path}: ${r.status}`);
  }
  const authorize = new URL(start.headers.get("location"), live.address);
  for (const [name, value] of [["redirect_uri", "https://evil.example/portal/signed-in"], ["redirect_uri", `${live.address}/portal/signed-in/../other`]]) {
    const u = new URL(authorize);
    u.searchParams.set(name, value);
    const r = await get(u.pathname + u.search);
    assert.ok(!r.headers.get("location")?.includes("evil.example") && r.status === 400, `${name}=${value}: ${r.status}`);
  }
  const other = new URL(authorize);
  other.pathname = other.pathname.replace(/^\/[^/]+/, `/${randomUUID()}`);
  assert.equal((await get(other.pathname + other.search)).status >= 400, true, "another tenant");
});

test("names with markup are names", { timeout: 120000 }, async () => {
  const name = `<img src=x onerror="window.hit=1">"'&{{7*7}}\u202Egnp<svg/onload=window.hit=1>`, seen = `<img src=x onerror="window.hit=1">`, id = randomUUID(), mark = id.slice(0, 8), domain = live.user.split("@")[1];
  const arm = await token("https://management.azure.com"), graph = await token("https://graph.microsoft.com");
  const call = async (t, method, path, body) => { const r = await get(path, { method, headers: { authorization: `Bearer ${t}`, "content-type": "application/json" }, body: body && JSON.stringify(body) }); assert.ok(r.ok, `${method} ${path}: ${r.status} ${r.ok ? "" : await r.text()}`); return r.status === 204 ? null : r.json(); };
  const workspace = `/subscriptions/${boot.subscription_id}/resourceGroups/${boot.resource_group}/providers/Microsoft.OperationalInsights/workspaces/${boot.workspace_name}/providers/Microsoft.SecurityInsights`, group = `/subscriptions/${boot.subscription_id}/resourceGroups/guard-${mark}`;
  const user = await call(graph, "POST", "/v1.0/users", { accountEnabled: true, displayName: name, mailNickname: `g${mark}`, userPrincipalName: `g${mark}@${domain}`, passwordProfile: { password: `plain-long-words-${mark}` } });
  const incident = await call(arm, "PUT", `${workspace}/incidents/${id}?api-version=2025-09-01`, { properties: { title: name, description: name, severity: "High", status: "New", labels: [{ labelName: name.slice(0, 40) }] } });
  await call(arm, "PUT", `${workspace}/incidents/${id}/comments/${randomUUID()}?api-version=2025-09-01`, { properties: { message: name } });
  await call(arm, "PUT", `${workspace}/alertRules/${id}?api-version=2025-09-01`, { kind: "Scheduled", properties: { displayName: name, description: name, enabled: false, severity: "Low", query: `print x = '<img src=x onerror=window.hit=1>'`, queryFrequency: "PT1H", queryPeriod: "PT1H", triggerOperator: "GreaterThan", triggerThreshold: 0, suppressionEnabled: false, suppressionDuration: "PT1H", tactics: [] } });
  await call(arm, "PUT", `${group}?api-version=2021-04-01`, { location: "local", tags: { owner: name.slice(0, 200) } });
  try {
    const n = incident.properties.incidentNumber, query = encodeURIComponent(`print Title = '${seen}', Bag = dynamic({"<svg/onload=window.hit=1>": "<b>x</b>"})`);
    for (const path of ["/incidents", `/incidents?sel=${n}`, `/incidents/${n}`, `/incidents/${n}?tab=notes`, "/rules", `/rules/${id}`, "/identity", `/identity?sel=${user.id}`, "/resources", `/resources${group}`, `/resources${group}?tab=json`, `/logs?q=${query}&run=1`, `/incidents?q=${encodeURIComponent(seen)}`, `/${encodeURIComponent(seen)}`]) {
      const page = await b.page(path);
      let asked = false;
      page.on("dialog", (d) => { asked = true; void d.dismiss(); });
      await page.waitForTimeout(900);
      const found = await page.evaluate(() => ({ hit: window.hit, images: document.querySelectorAll("img[src=x], svg[onload]").length, text: document.body.innerText }));
      assert.deepEqual([found.hit, found.images, asked], [undefined, 0, false], path);
      if (/^\/(incidents|rules|identity)$/.test(path)) assert.ok(strip(found.text).includes("<img src=x"), `${path} shows the name as it is`);
      assert.deepEqual(page.faults.filter((f) => /Content Security|TrustedHTML|script/i.test(f)), [], path);
      await page.close();
    }
  } finally {
    await get(`/v1.0/users/${user.id}`, { method: "DELETE", headers: { authorization: `Bearer ${graph}` } });
    for (const [path, version] of [[`${workspace}/alertRules/${id}`, "2025-09-01"], [`${workspace}/incidents/${id}`, "2025-09-01"], [group, "2021-04-01"]]) await get(`${path}?api-version=${version}`, { method: "DELETE", headers: { authorization: `Bearer ${arm}` } });
  }
});
