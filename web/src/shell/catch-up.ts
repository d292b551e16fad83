// After a break of the live stream, or when the server had more to tell than the stream could take: incidents that changed meanwhile are told as if they had come with it.
import { list, sentinel } from "../data/arm";
import type { Incident } from "../data/incidents";
import { publish } from "../data/live";

const margin = 5000;   // a change is seen by the stream a moment after it was made
export async function catchUp(since: string): Promise<void> {
  const from = new Date(Date.parse(since) - margin);
  if (Number.isNaN(+from)) return;
  const changed = await list<Incident>(sentinel("incidents"), { query: { $filter: `properties/lastModifiedTimeUtc ge ${from.toISOString()}`, $orderby: "properties/lastModifiedTimeUtc asc", $top: 200 }, max: 1000 });
  for (const i of changed) publish("incident", { number: i.properties.incidentNumber, id: i.id, title: i.properties.title, severity: i.properties.severity, status: i.properties.status, time: i.properties.lastModifiedTimeUtc });
}
