// An application of somebody else signs its people in, as Grafana's "generic OAuth" does: by a well-known library for OpenID Connect that knows nothing of us, against the documents that we
// publish. Run by tests/oidc.sh, which adds the application as the README tells; needs node 20.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as oidc from "openid-client";

const boot = JSON.parse(readFileSync(process.env.RINGFORT_BOOTSTRAP, "utf8"));
const issuer = new URL(`${boot.authority}/${boot.tenant_id}/v2.0`), callback = "http://localhost:3000/login/generic_oauth", password = "harbour-lamp-cedar-nine";

async function graphToken() {
  const body = new URLSearchParams({ grant_type: "client_credentials", client_id: boot.client_id, client_secret: boot.client_secret, scope: "https://graph.microsoft.com/.default" });
  return (await (await fetch(`${boot.authority}/${boot.tenant_id}/oauth2/v2.0/token`, { method: "POST", body })).json()).access_token;
}
const token = await graphToken();
async function graph(method, path, body) {
  const r = await fetch(`${boot.https}/v1.0${path}`, { method, headers: { authorization: `Bearer ${token}`, "content-type": "application/json" }, body: body && JSON.stringify(body) });
  const text = await r.text();
  assert.ok(r.ok, `${method} ${path}: ${r.status} ${text}`);
  return text ? JSON.parse(text) : null;
}

// ---- a browser of few words: cookies, redirects, forms ----
class Browser {
  #jar = new Map();
  async #send(url, init = {}) {
    const r = await fetch(url, { ...init, redirect: "manual", headers: { ...init.headers, cookie: [...this.#jar].map(([k, v]) => `${k}=${v}`).join("; ") } });
    for (const line of r.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
      if (/Max-Age=0/.test(line)) this.#jar.delete(name);
      else this.#jar.set(name, value);
    }
    return r;
  }
  /** Follows redirects until a page is shown or the application is reached; {page} or {back}. */
  async open(url, init) {
    for (let hops = 0; hops < 10; hops++) {
      const r = await this.#send(url, init), to = r.headers.get("location");
      if (!to) return { page: await r.text(), status: r.status };
      if (to.startsWith(callback)) return { back: new URL(to) };
      url = new URL(to, url).href;
      init = undefined;
    }
    throw new Error("it goes round");
  }
  submit(page, fields) {
    const context = /name="ctx" value="([^"]+)"/.exec(page)?.[1];
    assert.ok(context, `no form on this page: ${page.slice(0, 2000)}`);
    return this.open(`${boot.https}/signin/next`, { method: "POST", body: new URLSearchParams({ ctx: context, ...fields }) });
  }
  /** Signs in and agrees to whatever is asked; the address that the application is called with. */
  async signIn(url, user) {
    let at = await this.open(url);
    for (let pages = 0; !at.back && pages < 8; pages++) {
      const has = (name) => at.page.includes(name);
      if (has('name="passwd"')) at = await this.submit(at.page, { passwd: password });
      else if (has('name="loginfmt"')) at = await this.submit(at.page, { loginfmt: user });
      else if (has('id="idBtn_Accept"')) at = await this.submit(at.page, { decision: "accept" });
      else if (has('id="idBtn_Back"')) at = await this.submit(at.page, { keep: "no" });
      else break;
    }
    assert.ok(at.back, `did not come back: ${at.page?.slice(0, 2000)}`);
    return at.back;
  }
}

// ---- the application, as the README tells ----
const made = JSON.parse(readFileSync(process.env.APPLICATION, "utf8")); // ringfort app create grafana --redirect ...
assert.equal(made.issuer, issuer.href);
const user = `maeve-${made.client_id.slice(0, 8)}@${"ringfort.localhost"}`;
await graph("POST", "/users", { accountEnabled: true, displayName: "Maeve <Byrne> & co", mailNickname: "maeve", userPrincipalName: user, passwordProfile: { password, forceChangePasswordNextSignIn: false } });

const config = await oidc.discovery(issuer, made.client_id, made.client_secret);

async function request() {
  const verifier = oidc.randomPKCECodeVerifier(), state = oidc.randomState(), nonce = oidc.randomNonce();
  const url = oidc.buildAuthorizationUrl(config, { redirect_uri: callback, scope: "openid profile email offline_access", state, nonce, code_challenge: await oidc.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256" });
  return { url, checks: { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true } };
}

test("signs a person in, knows him, renews, and signs out", async () => {
  const browser = new Browser(), { url, checks } = await request();
  const back = await browser.signIn(url.href, user);
  const tokens = await oidc.authorizationCodeGrant(config, back, checks), claims = tokens.claims();
  assert.equal(claims.preferred_username, user);
  assert.equal(claims.name, "Maeve <Byrne> & co");
  assert.equal(claims.aud, made.client_id);
  assert.equal((await oidc.fetchUserInfo(config, tokens.access_token, claims.sub)).name, "Maeve <Byrne> & co");
  const renewed = await oidc.refreshTokenGrant(config, tokens.refresh_token);
  assert.ok(renewed.access_token && renewed.refresh_token !== tokens.refresh_token);
  const again = await request(); // single sign-on: nothing is asked
  again.url.searchParams.set("prompt", "none");
  assert.ok((await browser.open(again.url.href)).back?.searchParams.get("code"));
  const end = oidc.buildEndSessionUrl(config, { post_logout_redirect_uri: callback, id_token_hint: tokens.id_token });
  assert.ok((await browser.open(end.href)).back, "comes back from signing out");
  const third = await request();
  third.url.searchParams.set("prompt", "none");
  assert.equal((await browser.open(third.url.href)).back.searchParams.get("error"), "login_required");
});

test("a code is taken once, with its verifier, and what it gave ends when it comes twice", async () => {
  const browser = new Browser(), first = await request(), back = await browser.signIn(first.url.href, user);
  await assert.rejects(oidc.authorizationCodeGrant(config, back, { ...first.checks, pkceCodeVerifier: oidc.randomPKCECodeVerifier() }), { error: "invalid_grant" });
  const second = await request(), again = await browser.signIn(second.url.href, user);
  const tokens = await oidc.authorizationCodeGrant(config, again, second.checks);
  await assert.rejects(oidc.authorizationCodeGrant(config, again, second.checks), { error: "invalid_grant" });
  await assert.rejects(oidc.refreshTokenGrant(config, tokens.refresh_token), { error: "invalid_grant" });
});

test("a stolen refresh token ends its family", async () => {
  const browser = new Browser(), r = await request(), tokens = await oidc.authorizationCodeGrant(config, await browser.signIn(r.url.href, user), r.checks);
  const renewed = await oidc.refreshTokenGrant(config, tokens.refresh_token), twice = await oidc.refreshTokenGrant(config, renewed.refresh_token);
  await assert.rejects(oidc.refreshTokenGrant(config, tokens.refresh_token), { error: "invalid_grant" });
  await assert.rejects(oidc.refreshTokenGrant(config, twice.refresh_token), { error: "invalid_grant" }, "the good one has ended with it");
});

test("what the library checks is there to be checked: state, nonce, issuer", async () => {
  const browser = new Browser(), r = await request(), back = await browser.signIn(r.url.href, user);
  assert.equal(back.searchParams.get("iss"), config.serverMetadata().issuer);
  const forged = new URL(back);
  forged.searchParams.set("iss", "https://evil.example/v2.0");
  await assert.rejects(oidc.authorizationCodeGrant(config, forged, r.checks));
  await assert.rejects(oidc.authorizationCodeGrant(config, back, { ...r.checks, expectedState: "another" }));
  await assert.rejects(oidc.authorizationCodeGrant(config, back, { ...r.checks, expectedNonce: "another" }));
});

test("nobody is sent anywhere else, and no other application may take the code", async () => {
  const browser = new Browser(), r = await request();
  for (const uri of ["https://evil.example/", `${callback}/more`, `${callback}?x=1`, callback.replace("3000", "3001"), callback.replace("http:", "https:")]) {
    const url = new URL(r.url);
    url.searchParams.set("redirect_uri", uri);
    const at = await browser.open(url.href);
    assert.ok(at.page?.includes("AADSTS50011"), uri);
  }
  const other = await graph("POST", "/applications", { displayName: "Other", web: { redirectUris: [callback] } });
  await graph("POST", "/servicePrincipals", { appId: other.appId });
  const { secretText: secret } = await graph("POST", `/applications/${other.id}/addPassword`, {});
  const back = await browser.signIn(r.url.href, user), stranger = await oidc.discovery(issuer, other.appId, secret);
  await assert.rejects(oidc.authorizationCodeGrant(stranger, back, r.checks), { error: "invalid_grant" });
  const elsewhere = await fetch(`${boot.authority}/00000000-0000-4000-8000-000000000001/v2.0/.well-known/openid-configuration`);
  assert.equal(elsewhere.status, 400, "another tenant is not known");
});

test("pages cannot be framed, and a session that was there before the sign-in is not kept", async () => {
  const { url } = await request(), r = await fetch(url, { redirect: "manual" });
  assert.match(r.headers.get("content-security-policy"), /frame-ancestors 'none'/);
  assert.equal(r.headers.get("x-frame-options"), "DENY");
  for (const line of r.headers.getSetCookie()) assert.match(line, /^__Host-[^=]+=.*; Path=\/; Secure; HttpOnly; SameSite=Lax/);
  const page = await r.text(), context = /name="ctx" value="([^"]+)"/.exec(page)[1];
  const foreign = await fetch(`${boot.https}/signin/next`, { method: "POST", redirect: "manual", body: new URLSearchParams({ ctx: context, loginfmt: user }) });
  assert.ok(!(await foreign.text()).includes('name="passwd"'), "a form that came without this browser's cookie leads nowhere");
});
