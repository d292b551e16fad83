// The query in the address: as it is while it is short, else compressed behind "~".
const long = 1200;
const base64 = (b: Uint8Array) => { let s = ""; for (const x of b) s += String.fromCharCode(x); return btoa(s).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, ""); };
const through = async (data: Uint8Array, by: GenericTransformStream): Promise<Uint8Array> => new Uint8Array(await new Response(new Blob([data as BlobPart]).stream().pipeThrough(by as ReadableWritablePair<Uint8Array, Uint8Array>)).arrayBuffer());

export async function pack(text: string): Promise<string> {
  if (encodeURIComponent(text).length <= long && !text.startsWith("~")) return text;
  return `~${base64(await through(new TextEncoder().encode(text), new CompressionStream("deflate-raw")))}`;
}
/** Null when it is no packed text, or one of unreasonable size. */
export async function unpack(q: string): Promise<string | null> {
  if (!q.startsWith("~")) return q;
  try {
    const bytes = Uint8Array.from(atob(q.slice(1).replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0)), text = await through(bytes, new DecompressionStream("deflate-raw"));
    return text.length > 1 << 20 ? null : new TextDecoder("utf-8", { fatal: true }).decode(text);
  } catch { return null; }
}
