/* outbox_int.h - where rows wait: what who adds them and who writes them into tables share.
 *
 * "siem.outbox": key = workspace GUID "|" number in twenty digits, body = {"table","id_text","id","row":{...}}. The numbers of a
 * workspace grow; "siem.outbox.number" (key = workspace GUID, body = {"number"}) holds the last one given out. */
#ifndef RF_SIEM_OUTBOX_INT_H
#define RF_SIEM_OUTBOX_INT_H

#define OUTBOX_SPACE "siem.outbox"
#define OUTBOX_COUNTER_SPACE "siem.outbox.number"

#endif
