// The part of ICU's message format that our texts use: {name}, {n, number}, {n, plural, =0 {..} one {..} other {# ..}},
// {kind, select, a {..} other {..}}; '' is one quote, '{' in quotes is itself.
export type Part = string | { arg: string; kind: "plain" | "number" | "plural" | "select"; cases?: Record<string, Part[]> } | { hash: true };

/** Reads a message. Throws with the place when it is malformed. */
export function parse(text: string): Part[] {
  let at = 0;
  const fail = (what: string): never => { throw new SyntaxError(`message "${text}": ${what} at ${at}`); };
  const space = () => { while (/\s/.test(text[at] ?? "")) at++; };
  const word = () => { space(); const from = at; while (/[^\s,{}]/.test(text[at] ?? " ")) at++; const w = text.slice(from, at); space(); return w || fail("a name is missing"); };
  function run(inside: boolean, plural: boolean): Part[] {
    const parts: Part[] = [];
    let plain = "";
    const flush = () => { if (plain) parts.push(plain); plain = ""; };
    while (at < text.length) {
      const c = text[at];
      if (c === "'" && text[at + 1] === "'") { plain += "'"; at += 2; }
      else if (c === "'" && /[{}#]/.test(text[at + 1] ?? "")) {
        const end = text.indexOf("'", at + 2);
        if (end < 0) fail("a quote is not closed");
        plain += text.slice(at + 1, end); at = end + 1;
      } else if (c === "}") { if (inside) break; fail("} without {"); }
      else if (c === "#" && plural) { flush(); parts.push({ hash: true }); at++; }
      else if (c === "{") { flush(); at++; parts.push(argument(plural)); }
      else { plain += c; at++; }
    }
    flush();
    return parts;
  }
  function argument(plural: boolean): Part {
    const arg = word();
    if (text[at] === "}") { at++; return { arg, kind: "plain" }; }
    if (text[at++] !== ",") fail("a comma is missing");
    const kind = word();
    if (kind === "number") { if (text[at++] !== "}") fail("} is missing"); return { arg, kind }; }
    if (kind !== "plural" && kind !== "select") return fail(`unknown kind ${kind}`);
    if (text[at++] !== ",") fail("a comma is missing");
    const cases: Record<string, Part[]> = {};
    for (space(); text[at] !== "}"; space()) {
      if (at >= text.length) fail("} is missing");
      const name = word();
      if (text[at++] !== "{") fail("{ is missing");
      cases[name] = run(true, kind === "plural" || plural);
      if (text[at++] !== "}") fail("} is missing");
    }
    at++;
    if (!cases.other) fail(`${arg} has no case other`);
    return { arg, kind, cases };
  }
  return run(false, false);
}

/** The pieces of a message with its values put in: texts, and values that are no text as they came (templates of links). */
export function pieces<V>(parts: Part[], values: Record<string, V | string | number>, lang: string, hash?: number): (string | V)[] {
  const number = (v: unknown) => new Intl.NumberFormat(lang).format(Number(v));
  return parts.flatMap((p): (string | V)[] => {
    if (typeof p === "string") return [p];
    if ("hash" in p) return [number(hash)];
    const v = values[p.arg];
    if (p.kind === "plain") return v === undefined ? [`{${p.arg}}`] : typeof v === "number" ? [number(v)] : [v];
    if (p.kind === "number") return [number(v)];
    const chosen = p.kind === "select" ? String(v) : `=${v}` in p.cases! ? `=${v}` : new Intl.PluralRules(lang).select(Number(v));
    return pieces(p.cases![chosen] ?? p.cases!.other, values, lang, p.kind === "plural" ? Number(v) : hash);
  });
}
