/* winevent_row.c - which part of a Windows event is which column. */
#include "base/encode.h"
#include "collect/winevent.h"
#include "value/text.h"

static rf_str data_of(const struct winevent *event, const char *name)
{
    for (uint32_t i = 0; i < event->data_count; i++)
        if (rf_str_is(event->data[i].name, name)) return event->data[i].value;
    return (rf_str){0};
}

static void put_text(struct json_out *out, const char *name, rf_str text)
{
    if (text.len > 0) json_put_text(out, name, text);
}

static bool put_int(struct json_out *out, const char *name, rf_str text)
{
    int64_t number;
    if (!text_to_long(text, &number) || number < INT32_MIN || number > INT32_MAX) return false;
    json_put_i64(out, name, number);
    return true;
}

static void put_event_time(struct json_out *out, rf_str text)
{
    int64_t ticks;
    if (text_to_datetime(text, &ticks)) rowset_put_ticks(out, "TimeGenerated", ticks);
}

static rf_str level_name(const struct winevent *event)
{
    static const char *const names[] = {"LogAlways", "Critical",    "Error",
                                        "Warning",   "Information", "Verbose"};
    int64_t level;
    if (text_to_long(event->level, &level) && level >= 0 && level < (int64_t)RF_COUNT(names))
        return rf_str_of(names[level]);
    return event->level_name;
}

static void put_common(const struct winevent *event, struct json_out *out)
{
    put_event_time(out, event->time);
    put_text(out, "Computer", event->computer);
    put_text(out, "Channel", event->channel);
    (void)put_int(out, "EventID", event->event_id);
    put_text(out, "EventLevelName", level_name(event));
    put_text(out, "EventRecordId", event->record_id);
    put_text(out, "Keywords", event->keywords);
    put_text(out, "Opcode", event->opcode);
    put_text(out, "Correlation", event->activity_id);
    (void)put_int(out, "SystemProcessId", event->process_id);
    (void)put_int(out, "SystemThreadId", event->thread_id);
    put_text(out, "SystemUserId", event->user_id);
    (void)put_int(out, "Task", event->task);
    (void)put_int(out, "Version", event->version);
}

/* ---- SecurityEvent -------------------------------------------------------------------------------------------------------- */

/* What an event says in words, for those of which no message comes along. Windows' "Appendix L: Events to Monitor". */
static const struct {
    int64_t id;
    const char *what;
} activities[] = {
    {1100, "The event logging service has shut down."},
    {1102, "The audit log was cleared."},
    {4608, "Windows is starting up."},
    {4624, "An account was successfully logged on."},
    {4625, "An account failed to log on."},
    {4634, "An account was logged off."},
    {4647, "User initiated logoff."},
    {4648, "A logon was attempted using explicit credentials."},
    {4656, "A handle to an object was requested."},
    {4657, "A registry value was modified."},
    {4658, "The handle to an object was closed."},
    {4661, "A handle to an object was requested."},
    {4662, "An operation was performed on an object."},
    {4663, "An attempt was made to access an object."},
    {4670, "Permissions on an object were changed."},
    {4672, "Special privileges assigned to new logon."},
    {4673, "A privileged service was called."},
    {4688, "A new process has been created."},
    {4689, "A process has exited."},
    {4697, "A service was installed in the system."},
    {4698, "A scheduled task was created."},
    {4699, "A scheduled task was deleted."},
    {4702, "A scheduled task was updated."},
    {4719, "System audit policy was changed."},
    {4720, "A user account was created."},
    {4722, "A user account was enabled."},
    {4723, "An attempt was made to change an account's password."},
    {4724, "An attempt was made to reset an account's password."},
    {4725, "A user account was disabled."},
    {4726, "A user account was deleted."},
    {4728, "A member was added to a security-enabled global group."},
    {4729, "A member was removed from a security-enabled global group."},
    {4732, "A member was added to a security-enabled local group."},
    {4733, "A member was removed from a security-enabled local group."},
    {4738, "A user account was changed."},
    {4739, "Domain Policy was changed."},
    {4740, "A user account was locked out."},
    {4741, "A computer account was created."},
    {4742, "A computer account was changed."},
    {4743, "A computer account was deleted."},
    {4756, "A member was added to a security-enabled universal group."},
    {4757, "A member was removed from a security-enabled universal group."},
    {4767, "A user account was unlocked."},
    {4768, "A Kerberos authentication ticket (TGT) was requested."},
    {4769, "A Kerberos service ticket was requested."},
    {4770, "A Kerberos service ticket was renewed."},
    {4771, "Kerberos pre-authentication failed."},
    {4776, "The domain controller attempted to validate the credentials for an account."},
    {4778, "A session was reconnected to a Window Station."},
    {4779, "A session was disconnected from a Window Station."},
    {4781, "The name of an account was changed."},
    {4798, "A user's local group membership was enumerated."},
    {4799, "A security-enabled local group membership was enumerated."},
    {4907, "Auditing settings on object were changed."},
    {4946, "A change has been made to Windows Firewall exception list. A rule was added."},
    {5024, "The Windows Firewall Service has started successfully."},
    {5136, "A directory service object was modified."},
    {5140, "A network share object was accessed."},
    {5145,
     "A network share object was checked to see whether client can be granted desired access."},
    {5156, "The Windows Filtering Platform has permitted a connection."},
};

static rf_str first_line(rf_str text)
{
    size_t end = 0;
    while (end < text.len && text.ptr[end] != '\r' && text.ptr[end] != '\n') end++;
    return rf_str_trim(rf_slice(text, 0, end));
}

static void put_activity(const struct winevent *event, struct rf_arena *arena, struct json_out *out)
{
    int64_t id;
    rf_str what = first_line(event->message);
    if (!text_to_long(event->event_id, &id)) return;
    for (size_t i = 0; i < RF_COUNT(activities) && what.len == 0; i++)
        if (activities[i].id == id) what = rf_str_of(activities[i].what);
    if (what.len > 0)
        put_text(out, "Activity",
                 rf_arena_printf(arena, "%lld - %.*s", (long long)id, RF_FMT(what)));
}

static bool is_some(rf_str text) { return text.len > 0 && !rf_str_is(text, "-"); }

/* "DOMAIN\user"; empty when there is no user. */
static rf_str account(struct rf_arena *arena, rf_str domain, rf_str user)
{
    if (!is_some(user)) return (rf_str){0};
    if (!is_some(domain)) return user;
    return rf_arena_printf(arena, "%.*s\\%.*s", RF_FMT(domain), RF_FMT(user));
}

static void put_logon_type(rf_str text, struct rf_arena *arena, struct json_out *out)
{
    static const char *const names[] = {"System",
                                        NULL,
                                        "Interactive",
                                        "Network",
                                        "Batch",
                                        "Service",
                                        NULL,
                                        "Unlock",
                                        "NetworkCleartext",
                                        "NewCredentials",
                                        "RemoteInteractive",
                                        "CachedInteractive",
                                        "CachedRemoteInteractive",
                                        "CachedUnlock"};
    int64_t type;
    if (!text_to_long(text, &type) || type < 0 || type >= (int64_t)RF_COUNT(names) ||
        names[type] == NULL)
        return;
    put_text(out, "LogonTypeName",
             rf_arena_printf(arena, "%lld - %s", (long long)type, names[type]));
}

/* The account that an event is about: who logged on where there is one, else who did it. */
static void put_accounts(const struct winevent *event, struct rf_arena *arena, struct json_out *out)
{
    rf_str subject_user = data_of(event, "SubjectUserName");
    rf_str target_user = data_of(event, "TargetUserName");
    rf_str subject = account(arena, data_of(event, "SubjectDomainName"), subject_user);
    rf_str target = account(arena, data_of(event, "TargetDomainName"), target_user);
    int64_t id = 0;
    (void)text_to_long(event->event_id, &id);
    /* 4624..4648 log on and off, 4768..4779 ask for tickets: their account is the target. */
    bool about_target = target.len > 0 && ((id >= 4624 && id <= 4634) || id == 4647 || id == 4648 ||
                                           (id >= 4768 && id <= 4779) || subject.len == 0);
    rf_str user = about_target ? target_user : subject_user;
    put_text(out, "SubjectAccount", subject);
    put_text(out, "TargetAccount", target);
    put_text(out, "Account", about_target ? target : subject);
    if (!is_some(user)) return;
    json_put_text(out, "AccountType",
                  user.ptr[user.len - 1] == '$' ? RF_S("Machine") : RF_S("User"));
}

static rf_str file_name(rf_str path)
{
    size_t from = path.len;
    while (from > 0 && path.ptr[from - 1] != '\\' && path.ptr[from - 1] != '/') from--;
    return rf_slice(path, from, path.len);
}

/* Columns that are made of several parts, or are of the head of the event. */
static bool is_made(rf_str name)
{
    static const char *const made[] = {"Account",
                                       "AccountType",
                                       "Activity",
                                       "Channel",
                                       "Computer",
                                       "Correlation",
                                       "EventData",
                                       "EventID",
                                       "EventLevelName",
                                       "EventRecordId",
                                       "EventSourceName",
                                       "Keywords",
                                       "Level",
                                       "LogonTypeName",
                                       "Opcode",
                                       "Process",
                                       "SourceSystem",
                                       "SubjectAccount",
                                       "SystemProcessId",
                                       "SystemThreadId",
                                       "SystemUserId",
                                       "TargetAccount",
                                       "Task",
                                       "TenantId",
                                       "TimeGenerated",
                                       "Type",
                                       "Version"};
    for (size_t i = 0; i < RF_COUNT(made); i++)
        if (rf_str_is(name, made[i])) return true;
    return name.len > 0 && name.ptr[0] == '_';
}

/* *others: data of which no column tells. */
static void put_data_columns(const struct winevent *event, const struct winevent_columns *columns,
                             struct rf_arena *arena, struct json_out *out, bool *others)
{
    for (uint32_t i = 0; i < event->data_count; i++) {
        const struct winevent_data *data = &event->data[i];
        rf_str name = data->name;
        bool is_int = false, twice = false;
        for (uint32_t k = 0; k < i; k++) twice |= rf_str_eq_nocase(event->data[k].name, name);
        if (name.len == 0 || twice || !columns->find(columns->ctx, &name, &is_int) ||
            is_made(name)) {
            *others = true;
            continue;
        }
        char *key = rf_arena_cstr(arena, name);
        if (key == NULL) {
            out->buf->failed = true;
        } else if (is_int) {
            if (!put_int(out, key, data->value)) *others |= is_some(data->value);
        } else {
            put_text(out, key, data->value);
        }
    }
}

static void put_data_bag(const struct winevent *event, const char *name, struct rf_arena *arena,
                         struct json_out *out)
{
    json_begin_object(out, name);
    for (uint32_t i = 0; i < event->data_count; i++) {
        bool twice = false;
        for (uint32_t k = 0; k < i && event->data[i].name.len > 0; k++)
            twice |= rf_str_eq(event->data[k].name, event->data[i].name);
        rf_str key = event->data[i].name.len > 0 && !twice
                         ? event->data[i].name
                         : rf_arena_printf(arena, "%.*s%u",
                                           RF_FMT(event->data[i].name.len > 0 ? event->data[i].name
                                                                              : RF_S("Data")),
                                           i + 1);
        char *text = rf_arena_cstr(arena, key);
        if (text == NULL)
            out->buf->failed = true;
        else
            json_put_text(out, text, event->data[i].value);
    }
    json_end_object(out);
}

static void put_security(const struct winevent *event, const struct winevent_columns *columns,
                         struct rf_arena *arena, struct rowset *rows)
{
    struct json_out out = rowset_begin(rows, RF_S("SecurityEvent"));
    rf_str process = data_of(event, "NewProcessName");
    bool others = false;
    put_common(event, &out);
    put_text(&out, "Level", event->level);
    put_text(&out, "EventSourceName", event->provider);
    put_activity(event, arena, &out);
    put_accounts(event, arena, &out);
    put_logon_type(data_of(event, "LogonType"), arena, &out);
    if (process.len == 0) process = data_of(event, "ProcessName");
    if (is_some(process)) put_text(&out, "Process", file_name(process));
    put_data_columns(event, columns, arena, &out, &others);
    if (others && event->raw_data.len > 0) {
        json_put_text(&out, "EventData", event->raw_data);
    } else if (others) {
        struct rf_buf buf = rf_buf_in(arena);
        struct json_out bag = json_out_to(&buf);
        json_begin_object(&bag, NULL);
        put_data_bag(event, "EventData", arena, &bag);
        json_end_object(&bag);
        /* {"EventData":{...}} without its frame. */
        rf_str frame = RF_S("{\"EventData\":");
        if (!buf.failed)
            json_put_text(&out, "EventData", rf_slice(rf_buf_view(&buf), frame.len, buf.len - 1));
    }
    json_put_text(&out, "SourceSystem", RF_S("OpsManager"));
    rowset_end(rows, &out);
}

/* ---- WindowsEvent --------------------------------------------------------------------------------------------------------- */

static void put_windows(const struct winevent *event, struct rf_arena *arena, struct rowset *rows)
{
    struct json_out out = rowset_begin(rows, RF_S("WindowsEvent"));
    put_common(event, &out);
    (void)put_int(&out, "EventLevel", event->level);
    put_text(&out, "Provider", event->provider);
    put_data_bag(event, "EventData", arena, &out);
    put_text(&out, "RawEventData", event->raw_data);
    rowset_end(rows, &out);
}

void winevent_put(const struct winevent *event, const struct winevent_columns *columns,
                  struct rf_arena *arena, struct rowset *rows)
{
    if (rf_str_eq_nocase(event->channel, RF_S("Security")))
        put_security(event, columns, arena, rows);
    else
        put_windows(event, arena, rows);
}
