// "Only this" and "not this": a condition on one value, put behind a query. No DOM.
import { columnName, quote } from "../../data/kql";

/** Text with what stands in strings and comments blanked, so that words and signs of the code can be found; same length. */
export function codeOf(text: string): string {
  const out = text.split("");
  const blank = (from: number, to: number) => { for (let i = from; i < to; i++) if (out[i] !== "\n") out[i] = " "; };
  for (let i = 0; i < text.length;) {
    if (text.startsWith("//", i)) { const end = text.indexOf("\n", i); blank(i, end < 0 ? text.length : end); i = end < 0 ? text.length : end; continue; }
    if (text.startsWith("```", i)) { const end = text.indexOf("```", i + 3); const to = end < 0 ? text.length : end + 3; blank(i, to); i = to; continue; }
    const c = text[i];
    if (c === '"' || c === "'") {
      const verbatim = text[i - 1] === "@";
      let k = i + 1;
      for (; k < text.length && text[k] !== "\n"; k++) {
        if (!verbatim && text[k] === "\\") { k++; continue; }
        if (text[k] !== c) continue;
        if (verbatim && text[k + 1] === c) { k++; continue; }
        break;
      }
      blank(i + 1, Math.min(k, text.length));   // the quotes stay: a string is code too
      i = k + 1;
      continue;
    }
    i++;
  }
  return out.join("");
}

/** A condition that holds for one value of a column (or for all others). `column` is a name, or with `path` an expression as it is. */
export function condition(column: string, value: unknown, type: string, not = false, path = false): string {
  const c = path ? column : columnName(column), op = not ? "!=" : "==", no = not ? "not" : "";
  const call = (f: string, g: string) => `${not ? g : f}(${c})`;
  if (type === "string" && (value === "" || value === null || value === undefined)) return call("isempty", "isnotempty");
  if (value === null || value === undefined) return call("isnull", "isnotnull");
  switch (type) {
    case "datetime": return `${c} ${op} datetime(${safe(value, /^[\d:.TZ+-]+$/)})`;
    case "timespan": return `${c} ${op} timespan(${safe(value, /^-?[\d:.]+$/)})`;
    case "guid": return `${c} ${op} guid(${safe(value, /^[0-9a-fA-F-]+$/)})`;
    case "decimal": return `${c} ${op} decimal(${safe(value, /^-?[\d.eE+-]+$/)})`;
    case "bool": return `${c} ${op} ${value === true || value === 1 || value === "true"}`;
    case "int": case "long": return `${c} ${op} ${safe(value, /^-?\d+$/)}`;
    case "real":
      if (String(value) === "NaN") return `${no}${no ? "(" : ""}isnan(${c})${no ? ")" : ""}`;
      if (/Infinity/.test(String(value))) return `${c} ${op} real(${String(value).startsWith("-") ? "-inf" : "+inf"})`;
      return `${c} ${op} real(${safe(value, /^-?[\d.eE+-]+$/)})`;
    case "dynamic": {
      if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") {
        const v = dynamicLeaf(value);
        return typeof v === "string" ? `tostring(${c}) ${op} ${quote(v)}` : typeof v === "number" ? `todouble(${c}) ${op} real(${v})` : typeof v === "boolean" ? `tobool(${c}) ${op} ${v}` : `tostring(${c}) ${op} tostring(dynamic(${JSON.stringify(v)}))`;
      }
      return `tostring(${c}) ${op} tostring(dynamic(${JSON.stringify(value)}))`;
    }
    default: return `${c} ${op} ${quote(String(value))}`;
  }
}
/** A dynamic cell comes as the text of its JSON; a leaf of the inspector as the value. */
function dynamicLeaf(v: string | number | boolean): unknown {
  if (typeof v !== "string" || !/^\s*[[{]/.test(v)) return v;
  try { return JSON.parse(v); } catch { return v; }
}
/** Values of these types have few signs; anything else is no value of the type and never goes into a query as code. */
function safe(v: unknown, re: RegExp): string {
  const s = String(v);
  if (!re.test(s)) throw new RangeError(`not a value of the column's type: ${s.slice(0, 40)}`);
  return s;
}

/** The query with a condition behind it; before `render`, which must stay last. The same condition is not put twice. */
export function addCondition(query: string, cond: string): string {
  const code = codeOf(query);
  let end = code.length;
  while (end > 0 && /[\s;]/.test(code[end - 1])) end--;
  let depth = 0, last = -1;
  for (let i = 0; i < end; i++) {
    const c = code[i];
    if (c === "(" || c === "[" || c === "{") depth++;
    else if (c === ")" || c === "]" || c === "}") depth--;
    else if (c === ";" && depth === 0) last = -1;
    else if (c === "|" && depth === 0) last = i;
  }
  const render = last >= 0 && /^\|\s*render\b/.test(code.slice(last));
  let at = render ? last : end;
  while (at > 0 && /\s/.test(code[at - 1])) at--;
  const head = query.slice(0, at), clause = `| where ${cond}`;
  if (head.endsWith(clause)) return query;
  const tail = query.slice(at).replace(/^[ \t]+(?=\S)/, " ");
  return `${head}${head ? "\n" : ""}${clause}${render && !tail.startsWith("\n") ? `\n${tail.trimStart()}` : tail}`;
}

export const onlyThis = (query: string, column: string, value: unknown, type: string, path = false): string => addCondition(query, condition(column, value, type, false, path));
export const notThis = (query: string, column: string, value: unknown, type: string, path = false): string => addCondition(query, condition(column, value, type, true, path));

/** The tables that a query names. */
export function tablesIn(query: string, known: ReadonlySet<string>): string[] {
  const found = new Set<string>();
  for (const [w] of codeOf(query).matchAll(/[A-Za-z_]\w*/g)) if (known.has(w)) found.add(w);
  return [...found];
}
/** The title of a query: its first comment, else its first table, else "". */
export function titleOf(query: string, known: ReadonlySet<string>): string {
  const comment = /^\s*\/\/\s*(\S.*)$/m.exec(query.split("\n").find((l) => l.trim()) ?? "");
  return (comment?.[1] ?? tablesIn(query, known)[0] ?? query.trim().split(/[\s|]/)[0] ?? "").slice(0, 48);
}
