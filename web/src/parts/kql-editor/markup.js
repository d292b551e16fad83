// What the editor's library does by markup, done by script: the content policy of the portal allows no style elements, no style attributes in markup and no plain
// text as HTML. build-editor.mjs leads the library here.
const policy = globalThis.trustedTypes?.createPolicy("ringfort-editor", { createHTML: (s) => s, createScriptURL: (s) => s });

/** The policies of the library, all by this one. */
export const rfPolicy = (o) => ({ createHTML: (s) => { const x = o.createHTML ? o.createHTML(s) : s; return policy ? policy.createHTML(x) : x; }, createScriptURL: (s) => workerAddress(s) });
/** Address of a worker, given by the build. */
export const workerAddress = (s) => (policy ? policy.createScriptURL(s) : s);

// The library escapes "<" and ">" of the text that it shows, so a tag here is a tag of its own.
const held = (html) => { const s = String(html).replace(/<[a-zA-Z][^>]*>/g, (tag) => tag.replace(/ style="/g, ' data-held="')); return policy ? policy.createHTML(s) : s; };
function set(e) { e.style.cssText = e.getAttribute("data-held"); e.removeAttribute("data-held"); }
const release = (root) => { for (const e of root.querySelectorAll("[data-held]")) set(e); };

export function rfHtml(element, html) { element.innerHTML = held(html); release(element); }
export function rfAfter(element, html) { element.insertAdjacentHTML("afterend", held(html)); release(element.parentNode); }

/** Stands for a style element: what is put into it goes into a sheet made by script, which leaves the document with the element. */
export function rfSheet() {
  const sheet = new CSSStyleSheet(), stand = document.createElement("template");
  let text = "";
  const write = (s) => { text = String(s ?? ""); sheet.replaceSync(text); };
  const property = { get: () => text, set: write, configurable: true };
  Object.defineProperties(stand, { sheet: { value: sheet }, textContent: property, innerText: property, type: { value: "text/css", writable: true }, media: { value: "screen", writable: true } });
  stand.appendChild = (node) => { write(text + node.textContent); return node; };
  const take = () => { document.adoptedStyleSheets = document.adoptedStyleSheets.filter((s) => s !== sheet); };
  stand.remove = () => { take(); Element.prototype.remove.call(stand); };
  document.adoptedStyleSheets.push(sheet);
  return stand;
}
