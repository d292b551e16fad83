/* cef_columns.c - which key is which column of CommonSecurityLog. The mapping of CEF is that of Azure's documentation ("CEF and
 * CommonSecurityLog field mapping"), keys by their short and their full names; LEEF's keys are those of QRadar's guide with
 * the columns of the same meaning. */
#include "collect/cef.h"
#include "collect/rowset.h"
#include "value/text.h"

enum column_kind {
    TEXT,
    INT,
    LONG,
    REAL,
    TIME,
    CUSTOM,  /* a number with two columns, the older of which is narrower */
    EXTERNAL /* a number, or in a column of its own what is none */
};
struct column {
    const char *key, *name;
    enum column_kind kind;
    bool again; /* of the same column as the line before */
};

static const struct column cef_columns[] = {
    {"act", "DeviceAction", TEXT, false},
    {"deviceAction", "DeviceAction", TEXT, true},
    {"app", "ApplicationProtocol", TEXT, false},
    {"applicationProtocol", "ApplicationProtocol", TEXT, true},
    {"c6a1", "DeviceCustomIPv6Address1", TEXT, false},
    {"c6a1Label", "DeviceCustomIPv6Address1Label", TEXT, false},
    {"c6a2", "DeviceCustomIPv6Address2", TEXT, false},
    {"c6a2Label", "DeviceCustomIPv6Address2Label", TEXT, false},
    {"c6a3", "DeviceCustomIPv6Address3", TEXT, false},
    {"c6a3Label", "DeviceCustomIPv6Address3Label", TEXT, false},
    {"c6a4", "DeviceCustomIPv6Address4", TEXT, false},
    {"c6a4Label", "DeviceCustomIPv6Address4Label", TEXT, false},
    {"cat", "DeviceEventCategory", TEXT, false},
    {"deviceEventCategory", "DeviceEventCategory", TEXT, true},
    {"cfp1", "DeviceCustomFloatingPoint1", REAL, false},
    {"cfp1Label", "DeviceCustomFloatingPoint1Label", TEXT, false},
    {"cfp2", "DeviceCustomFloatingPoint2", REAL, false},
    {"cfp2Label", "DeviceCustomFloatingPoint2Label", TEXT, false},
    {"cfp3", "DeviceCustomFloatingPoint3", REAL, false},
    {"cfp3Label", "DeviceCustomFloatingPoint3Label", TEXT, false},
    {"cfp4", "DeviceCustomFloatingPoint4", REAL, false},
    {"cfp4Label", "DeviceCustomFloatingPoint4Label", TEXT, false},
    {"cn1", "FieldDeviceCustomNumber1", CUSTOM, false},
    {"cn1Label", "DeviceCustomNumber1Label", TEXT, false},
    {"cn2", "FieldDeviceCustomNumber2", CUSTOM, false},
    {"cn2Label", "DeviceCustomNumber2Label", TEXT, false},
    {"cn3", "FieldDeviceCustomNumber3", CUSTOM, false},
    {"cn3Label", "DeviceCustomNumber3Label", TEXT, false},
    {"cnt", "EventCount", INT, false},
    {"baseEventCount", "EventCount", INT, true},
    {"cs1", "DeviceCustomString1", TEXT, false},
    {"cs1Label", "DeviceCustomString1Label", TEXT, false},
    {"cs2", "DeviceCustomString2", TEXT, false},
    {"cs2Label", "DeviceCustomString2Label", TEXT, false},
    {"cs3", "DeviceCustomString3", TEXT, false},
    {"cs3Label", "DeviceCustomString3Label", TEXT, false},
    {"cs4", "DeviceCustomString4", TEXT, false},
    {"cs4Label", "DeviceCustomString4Label", TEXT, false},
    {"cs5", "DeviceCustomString5", TEXT, false},
    {"cs5Label", "DeviceCustomString5Label", TEXT, false},
    {"cs6", "DeviceCustomString6", TEXT, false},
    {"cs6Label", "DeviceCustomString6Label", TEXT, false},
    {"destinationDnsDomain", "DestinationDnsDomain", TEXT, false},
    {"destinationServiceName", "DestinationServiceName", TEXT, false},
    {"destinationTranslatedAddress", "DestinationTranslatedAddress", TEXT, false},
    {"destinationTranslatedPort", "DestinationTranslatedPort", INT, false},
    {"deviceCustomDate1", "DeviceCustomDate1", TEXT, false},
    {"deviceCustomDate1Label", "DeviceCustomDate1Label", TEXT, false},
    {"deviceCustomDate2", "DeviceCustomDate2", TEXT, false},
    {"deviceCustomDate2Label", "DeviceCustomDate2Label", TEXT, false},
    {"deviceDirection", "CommunicationDirection", TEXT, false},
    {"deviceDnsDomain", "DeviceDnsDomain", TEXT, false},
    {"deviceExternalId", "DeviceExternalID", TEXT, false},
    {"deviceFacility", "DeviceFacility", TEXT, false},
    {"deviceInboundInterface", "DeviceInboundInterface", TEXT, false},
    {"deviceNtDomain", "DeviceNtDomain", TEXT, false},
    {"deviceOutboundInterface", "DeviceOutboundInterface", TEXT, false},
    {"devicePayloadId", "DevicePayloadId", TEXT, false},
    {"deviceProcessName", "ProcessName", TEXT, false},
    {"deviceTranslatedAddress", "DeviceTranslatedAddress", TEXT, false},
    {"dhost", "DestinationHostName", TEXT, false},
    {"dmac", "DestinationMACAddress", TEXT, false},
    {"dntdom", "DestinationNTDomain", TEXT, false},
    {"dpid", "DestinationProcessId", INT, false},
    {"dpriv", "DestinationUserPrivileges", TEXT, false},
    {"dproc", "DestinationProcessName", TEXT, false},
    {"dpt", "DestinationPort", INT, false},
    {"dst", "DestinationIP", TEXT, false},
    {"dtz", "DeviceTimeZone", TEXT, false},
    {"duid", "DestinationUserID", TEXT, false},
    {"duser", "DestinationUserName", TEXT, false},
    {"dvc", "DeviceAddress", TEXT, false},
    {"dvchost", "DeviceName", TEXT, false},
    {"dvcmac", "DeviceMacAddress", TEXT, false},
    {"dvcpid", "ProcessID", INT, false},
    {"end", "EndTime", TIME, false},
    {"externalId", "ExternalID", EXTERNAL, false},
    {"fileCreateTime", "FileCreateTime", TEXT, false},
    {"fileHash", "FileHash", TEXT, false},
    {"fileId", "FileID", TEXT, false},
    {"fileModificationTime", "FileModificationTime", TEXT, false},
    {"filePath", "FilePath", TEXT, false},
    {"filePermission", "FilePermission", TEXT, false},
    {"fileType", "FileType", TEXT, false},
    {"flexDate1", "FlexDate1", TEXT, false},
    {"flexDate1Label", "FlexDate1Label", TEXT, false},
    {"flexNumber1", "FlexNumber1", INT, false},
    {"flexNumber1Label", "FlexNumber1Label", TEXT, false},
    {"flexNumber2", "FlexNumber2", INT, false},
    {"flexNumber2Label", "FlexNumber2Label", TEXT, false},
    {"flexString1", "FlexString1", TEXT, false},
    {"flexString1Label", "FlexString1Label", TEXT, false},
    {"flexString2", "FlexString2", TEXT, false},
    {"flexString2Label", "FlexString2Label", TEXT, false},
    {"fname", "FileName", TEXT, false},
    {"fsize", "FileSize", INT, false},
    {"in", "ReceivedBytes", LONG, false},
    {"bytesIn", "ReceivedBytes", LONG, true},
    {"msg", "Message", TEXT, false},
    {"message", "Message", TEXT, true},
    {"oldFileCreateTime", "OldFileCreateTime", TEXT, false},
    {"oldFileHash", "OldFileHash", TEXT, false},
    {"oldFileId", "OldFileID", TEXT, false},
    {"oldFileModificationTime", "OldFileModificationTime", TEXT, false},
    {"oldFileName", "OldFileName", TEXT, false},
    {"oldFilePath", "OldFilePath", TEXT, false},
    {"oldFilePermission", "OldFilePermission", TEXT, false},
    {"oldFileSize", "OldFileSize", INT, false},
    {"oldFileType", "OldFileType", TEXT, false},
    {"out", "SentBytes", LONG, false},
    {"bytesOut", "SentBytes", LONG, true},
    {"outcome", "EventOutcome", TEXT, false},
    {"eventOutcome", "EventOutcome", TEXT, true},
    {"proto", "Protocol", TEXT, false},
    {"reason", "Reason", TEXT, false},
    {"request", "RequestURL", TEXT, false},
    {"requestClientApplication", "RequestClientApplication", TEXT, false},
    {"requestContext", "RequestContext", TEXT, false},
    {"requestCookies", "RequestCookies", TEXT, false},
    {"requestMethod", "RequestMethod", TEXT, false},
    {"rt", "ReceiptTime", TEXT, false},
    {"shost", "SourceHostName", TEXT, false},
    {"smac", "SourceMACAddress", TEXT, false},
    {"sntdom", "SourceNTDomain", TEXT, false},
    {"sourceDnsDomain", "SourceDnsDomain", TEXT, false},
    {"sourceServiceName", "SourceServiceName", TEXT, false},
    {"sourceTranslatedAddress", "SourceTranslatedAddress", TEXT, false},
    {"sourceTranslatedPort", "SourceTranslatedPort", INT, false},
    {"spid", "SourceProcessId", INT, false},
    {"spriv", "SourceUserPrivileges", TEXT, false},
    {"sproc", "SourceProcessName", TEXT, false},
    {"spt", "SourcePort", INT, false},
    {"src", "SourceIP", TEXT, false},
    {"start", "StartTime", TIME, false},
    {"suid", "SourceUserID", TEXT, false},
    {"suser", "SourceUserName", TEXT, false},
    {"type", "EventType", INT, false},
};

static const struct column leef_columns[] = {
    {"action", "DeviceAction", TEXT, false},
    {"cat", "DeviceEventCategory", TEXT, false},
    {"devTime", "ReceiptTime", TEXT, false},
    {"domain", "SourceNTDomain", TEXT, false},
    {"identNetBios", "SourceNTDomain", TEXT, true},
    {"dst", "DestinationIP", TEXT, false},
    {"dstBytes", "ReceivedBytes", LONG, false},
    {"dstMAC", "DestinationMACAddress", TEXT, false},
    {"dstPort", "DestinationPort", INT, false},
    {"dstPostNAT", "DestinationTranslatedAddress", TEXT, false},
    {"dstPostNATPort", "DestinationTranslatedPort", INT, false},
    {"identHostName", "SourceHostName", TEXT, false},
    {"msg", "Message", TEXT, false},
    {"proto", "Protocol", TEXT, false},
    {"reason", "Reason", TEXT, false},
    {"src", "SourceIP", TEXT, false},
    {"srcBytes", "SentBytes", LONG, false},
    {"srcMAC", "SourceMACAddress", TEXT, false},
    {"identMAC", "SourceMACAddress", TEXT, true},
    {"srcPort", "SourcePort", INT, false},
    {"srcPostNAT", "SourceTranslatedAddress", TEXT, false},
    {"srcPostNATPort", "SourceTranslatedPort", INT, false},
    {"url", "RequestURL", TEXT, false},
    {"usrName", "SourceUserName", TEXT, false},
    {"accountName", "SourceUserName", TEXT, true},
};

enum { COLUMNS_MAX = RF_COUNT(cef_columns) };

static const struct column *find_column(const struct cef_event *event, rf_str key, size_t *index)
{
    const struct column *list = event->is_leef ? leef_columns : cef_columns;
    size_t count = event->is_leef ? RF_COUNT(leef_columns) : RF_COUNT(cef_columns);
    uint8_t first = key.len == 0 ? 0 : rf_lower(key.ptr[0]);
    for (size_t i = 0; i < count; i++) {
        /* A look at one letter leaves a tenth of the names. */
        if (first != rf_lower((uint8_t)list[i].key[0])) continue;
        if (!rf_str_eq_nocase(key, rf_str_of(list[i].key))) continue;
        /* Several keys of one column share the place of the first. */
        *index = i;
        while (list[*index].again) --*index;
        return &list[i];
    }
    return NULL;
}

/* False: the value is none of the column's type. */
static bool put_column(const struct column *column, rf_str value, struct rf_arena *arena,
                       struct json_out *out)
{
    int64_t number;
    double real;
    rf_usec time;
    switch (column->kind) {
    case TEXT:
        json_put_text(out, column->name, value);
        return true;
    case INT:
    case LONG:
    case CUSTOM:
    case EXTERNAL:
        if (!text_to_long(value, &number)) return false;
        bool fits = number >= INT32_MIN && number <= INT32_MAX;
        if (!fits && (column->kind == INT || column->kind == EXTERNAL)) return false;
        json_put_i64(out, column->name, number);
        /* "FieldDeviceCustomNumber1" and "DeviceCustomNumber1" */
        if (column->kind == CUSTOM && fits) json_put_i64(out, column->name + 5, number);
        return true;
    case REAL:
        /* Not every form that we read is one of JSON. */
        if (!text_to_real(value, &real) || !(real > -1e300 && real < 1e300)) return false;
        struct rf_buf buf = rf_buf_in(arena);
        text_put_real(&buf, real, true);
        json_put_raw(out, column->name, rf_buf_view(&buf));
        return !buf.failed;
    case TIME:
        if (!cef_time(value, &time)) return false;
        rowset_put_time(out, column->name, time);
        return true;
    }
    return false;
}

static void put_other(struct rf_buf *others, const struct cef_pair *pair)
{
    rf_buf_str(others, pair->key.len > 0 ? pair->key : RF_S("text"));
    rf_buf_byte(others, '=');
    rf_buf_str(others, pair->value);
    rf_buf_byte(others, ';');
}

void cef_put_columns(const struct cef_event *event, struct rf_arena *arena, struct json_out *out)
{
    bool taken[COLUMNS_MAX] = {false};
    struct rf_buf others = rf_buf_in(arena);
    rf_str severity = event->is_leef ? cef_get(event, "sev") : event->severity;
    json_put_text(out, "DeviceVendor", event->vendor);
    json_put_text(out, "DeviceProduct", event->product);
    json_put_text(out, "DeviceVersion", event->version);
    json_put_text(out, "DeviceEventClassID", event->class_id);
    json_put_text(out, "Activity", event->is_leef ? event->class_id : event->name);
    json_put_text(out, "LogSeverity", severity);
    for (uint32_t i = 0; i < event->pair_count; i++) {
        const struct cef_pair *pair = &event->pairs[i];
        size_t index = 0;
        if (pair->value.len == 0 && pair->key.len == 0) continue;
        if (event->is_leef && rf_str_is(pair->key, "sev")) continue;
        const struct column *column = find_column(event, pair->key, &index);
        bool put = column != NULL && !taken[index] && put_column(column, pair->value, arena, out);
        if (put)
            taken[index] = true;
        else
            put_other(&others, pair);
        if (column != NULL && column->kind == EXTERNAL && !taken[index]) {
            json_put_text(out, "ExtID", pair->value); /* for ids that are no numbers */
            taken[index] = true;
        }
    }
    if (others.len > 0) json_put_text(out, "AdditionalExtensions", rf_buf_view(&others));
    if (others.failed) out->buf->failed = true;
}
