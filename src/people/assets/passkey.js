// Asks the browser for a passkey with the options of the page, and sends what comes back.
(() => {
  const form = document.querySelector("form[data-passkey]");
  if (!form) return;
  const error = document.getElementById("errorText");
  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const options = () => {
    const o = JSON.parse(form.dataset.options);
    o.challenge = bytes(o.challenge);
    if (o.user) o.user.id = bytes(o.user.id);
    for (const list of [o.allowCredentials, o.excludeCredentials]) for (const c of list ?? []) c.id = bytes(c.id);
    return o;
  };
  const answer = (credential) => {
    const r = credential.response, out = { clientDataJSON: text(r.clientDataJSON) };
    for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) if (r[name]) out[name] = text(r[name]);
    if (r.getTransports) out.transports = r.getTransports();
    return JSON.stringify({ id: credential.id, rawId: text(credential.rawId), type: credential.type, response: out });
  };
  const ask = async () => {
    error.textContent = "";
    try {
      const publicKey = options();
      const credential = form.dataset.passkey === "create" ? await navigator.credentials.create({ publicKey }) : await navigator.credentials.get({ publicKey });
      form.elements.credential.value = answer(credential);
      form.submit();
    } catch {
      error.textContent = form.dataset.failed;
    }
  };
  document.getElementById("idSIButton9").addEventListener("click", (event) => {
    event.preventDefault();
    ask();
  });
  ask();
})();
