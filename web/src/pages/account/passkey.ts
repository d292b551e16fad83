// A passkey is made by the browser and registered with Graph: base64url in JSON on the one side, bytes on the other.
import { graph, graphPost } from "../../data/graph";

const bytes = (s: string): Uint8Array<ArrayBuffer> => Uint8Array.from(atob(s.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const text = (b: ArrayBuffer): string => btoa(String.fromCharCode(...new Uint8Array(b))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

export const canPasskey = (): boolean => typeof PublicKeyCredential !== "undefined" && !!navigator.credentials;

/** Asks the browser for a passkey and registers it under that name. Throws DOMException NotAllowedError when the person does not go on. */
export async function addPasskey(displayName: string): Promise<void> {
  const { publicKey: p } = await graph<{ publicKey: any }>("me/authentication/fido2Methods/creationOptions");
  const made = (await navigator.credentials.create({ publicKey: { ...p, challenge: bytes(p.challenge), user: { ...p.user, id: bytes(p.user.id) }, excludeCredentials: (p.excludeCredentials ?? []).map((c: any) => ({ ...c, id: bytes(c.id) })) } })) as PublicKeyCredential | null;
  if (!made) throw new DOMException("", "NotAllowedError");
  const r = made.response as AuthenticatorAttestationResponse;
  await graphPost("me/authentication/fido2Methods", { displayName, publicKeyCredential: { id: made.id, rawId: text(made.rawId), type: made.type, response: { clientDataJSON: text(r.clientDataJSON), attestationObject: text(r.attestationObject) } } });
}
