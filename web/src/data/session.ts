// Who is signed in and what the portal stands on: one answer of the server at the start.
import { get, sessionEnded } from "./client";

export interface Session {
  user: { id: string; name: string; upn: string };
  tenant: { id: string; name: string; domain: string };
  origin: string;
  subscription: string;
  resourceGroup: string;
  location: string;
  workspace: { id: string; name: string; customerId: string };
  vault: string;
  hubNamespace: string;
  /** Where the server listens; 0: not. */
  ports: Record<"https" | "amqps" | "kafka" | "syslog-udp" | "syslog-tcp" | "syslog-tls", number>;
  preferences: Record<string, unknown>;
  version: string;
  roles: string[];
}

let current: Session;
/** The session; there from before the first page is made. */
export const session = (): Session => current;

export async function loadSession(): Promise<Session> {
  const got = await get<Session>("/portal/api/session");
  if (current && got.user.id !== current.user.id) location.reload();   // somebody else signed in: nothing of the first may stay
  sessionEnded.set(false);
  return (current = got);
}

/** Where signing in starts; it comes back to `to`. */
export const signInAddress = (to = location.pathname + location.search): string => `/portal/signin?return=${encodeURIComponent(to)}`;
