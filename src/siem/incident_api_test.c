#include "siem/siem_world_test_util.h"

#define INC S_P "/incidents/"
#define BODY(status, more)                                                                         \
    "{\"properties\":{\"title\":\"Manual\",\"severity\":\"High\",\"status\":\"" status "\"" more   \
    "}}"

Test(incident_api, triage)
{
    struct siem_world w;
    s_init(&w);
    s_expect(&w, "PUT", INC "i1" S_V, BODY("New", ",\"labels\":[{\"labelName\":\"acc\"}]"), 201);
    const struct json_node *label = json_at(w.answer, "properties.labels")->first;
    cr_assert(rf_str_is(json_text_at(label, "labelType"), "User"));
    cr_assert_str_eq(s_text(&w, "type"), "Microsoft.SecurityInsights/incidents");
    char stale[600], fresh[600];
    const char *etag = s_text(&w, "etag");
    (void)snprintf(stale, sizeof stale,
                   "{\"etag\":\"\\\"%.16s\\\"\",\"properties\":{\"title\":\"Manual\",\"severity\":"
                   "\"Low\",\"status\":\"Active\",\"owner\":{\"assignedTo\":\"Anna\",\"email\":"
                   "\"anna@example.org\",\"objectId\":\"aaaaaaaa-0000-0000-0000-000000000001\"}}}",
                   etag + 1);
    s_expect(&w, "PUT", INC "i1" S_V, stale, 200);
    cr_assert_str_eq(s_text(&w, "properties.owner.assignedTo"), "Anna");
    cr_assert_eq(json_at(w.answer, "properties.labels")->count, 0, "left out is cleared");
    cr_assert_str_neq(s_text(&w, "etag"), etag);
    (void)snprintf(fresh, sizeof fresh, "%s", s_text(&w, "etag"));
    s_expect(&w, "PUT", INC "i1" S_V, stale, 409);
    w.headers[w.header_count++] = (struct http_header){RF_S("If-Match"), RF_S("\"0000\"")};
    s_expect(&w, "PUT", INC "i1" S_V, BODY("Active", ""), 412);
    w.headers[w.header_count++] = (struct http_header){RF_S("If-Match"), rf_str_of(fresh)};
    s_expect(&w, "PUT", INC "i1" S_V, BODY("Active", ""), 200);
    cr_assert_str_eq(s_text(&w, "properties.owner.assignedTo"), "");
    w.headers[w.header_count++] = (struct http_header){RF_S("If-None-Match"), RF_S("*")};
    s_expect(&w, "PUT", INC "i1" S_V, BODY("Active", ""), 412);

    s_expect(&w, "PUT", INC "i1/comments/c1" S_V, "{\"properties\":{\"message\":\"looked\"}}", 201);
    cr_assert_str_eq(s_text(&w, "properties.author.userPrincipalName"),
                     "walker@ringfort.localhost");
    cr_assert(s_text(&w, "properties.createdTimeUtc")[0] == '2');
    s_expect(&w, "PUT", INC "i1/comments/c1" S_V, "{\"properties\":{\"message\":\"again\"}}", 200);
    s_expect(&w, "GET", INC "i1/comments" S_V, "", 200);
    cr_assert_eq(s_count(&w), 1);
    s_expect(&w, "GET", INC "i1/comments/c1" S_V, "", 200);
    cr_assert_str_eq(s_text(&w, "properties.message"), "again");
    s_expect(&w, "PUT", INC "i1/tasks/t1" S_V,
             "{\"properties\":{\"title\":\"do\",\"status\":\"New\"}}", 201);
    s_expect(&w, "PUT", INC "i1/tasks/t1" S_V,
             "{\"properties\":{\"title\":\"do\",\"status\":\"Completed\"}}", 200);
    cr_assert_str_eq(s_text(&w, "properties.status"), "Completed");

    s_expect(&w, "PUT", INC "i1" S_V, BODY("Closed", ",\"classification\":\"Wrong\""), 400);
    s_expect(&w, "PUT", INC "i1" S_V,
             BODY("Closed", ",\"classification\":\"FalsePositive\",\"classificationReason\":"
                            "\"IncorrectAlertLogic\",\"classificationComment\":\"noise\""),
             200);
    cr_assert_str_eq(s_text(&w, "properties.classificationReason"), "IncorrectAlertLogic");
    cr_assert_eq(s_number(&w, "properties.additionalData.commentsCount"), 1);
    const struct json_node *rows = s_rows(&w, "SecurityIncident"), *last = rows->last;
    cr_assert_eq(rows->count, 8);
    cr_assert(rf_str_is(json_text_at(last, "Status"), "Closed"));
    cr_assert(json_text_at(last, "ClosedTime").len > 0);
    cr_assert(rf_str_is(json_text_at(last, "ModifiedBy"), "walker@ringfort.localhost"));
    cr_assert_eq(json_get(last, "Comments")->count, 1);
    cr_assert_eq(json_get(last, "Tasks")->count, 1);
    s_expect(&w, "PUT", INC "i1" S_V, BODY("Active", ",\"classification\":\"TruePositive\""), 200);
    cr_assert(json_at(w.answer, "properties.classification") == NULL);

    s_expect(&w, "DELETE", INC "i1/comments/c1" S_V, "", 200);
    s_expect(&w, "DELETE", INC "i1/comments/c1" S_V, "", 204);
    s_expect(&w, "DELETE", INC "i1" S_V, "", 200);
    cr_assert_str_eq(w.site.last_table, "AzureActivity");
    s_expect(&w, "DELETE", INC "i1" S_V, "", 204);
    s_expect(&w, "GET", INC "i1" S_V, "", 404);
    s_expect(&w, "GET", INC "i1/comments" S_V, "", 404);
    s_done(&w);
}

Test(incident_api, what_is_not_valid_is_refused)
{
    static const struct {
        const char *body, *said;
    } cases[] = {
        {"", "JSON body is required"},
        {"[]", "'properties'"},
        {"{\"properties\":{\"severity\":\"High\",\"status\":\"New\"}}",
         "properties.title is required"},
        {"{\"properties\":{\"title\":\"x\",\"status\":\"New\"}}",
         "properties.severity is required"},
        {"{\"properties\":{\"title\":\"x\",\"severity\":\"Low\"}}",
         "properties.status is required"},
        {BODY("Open", ""), "properties.status: 'Open'"},
        {"{\"properties\":{\"title\":\"x\",\"severity\":\"Critical\",\"status\":\"New\"}}",
         "'Critical'"},
        {BODY("Closed", ",\"classificationReason\":\"SuspiciousActivity\""), "does not go with"},
        {BODY("Closed", ",\"classification\":\"TruePositive\",\"classificationReason\":"
                        "\"InaccurateData\""),
         "does not go with"},
        {BODY("Closed", ",\"classification\":\"Undetermined\",\"classificationReason\":"
                        "\"InaccurateData\""),
         "does not go with"},
        {BODY("New", ",\"labels\":[{\"labelType\":\"User\"}]"), "properties.labelName is required"},
        {BODY("New", ",\"labels\":\"x\""), "properties.labels is not a list"},
        {BODY("New", ",\"owner\":{\"objectId\":\"x\"}"), "objectId is not a GUID"},
        {BODY("New", ",\"owner\":{\"ownerType\":\"Cat\"}"), "'Cat'"},
        {BODY("New", ",\"firstActivityTimeUtc\":\"yesterday\""), "is not a time"},
        {BODY("New", ",\"firstActivityTimeUtc\":\"2024-01-02T00:00:00Z\",\"lastActivityTimeUtc\":"
                     "\"2024-01-01T00:00:00Z\""),
         "is behind"},
    };
    struct siem_world w;
    s_init(&w);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        s_expect(&w, "PUT", INC "i1" S_V, cases[i].body, 400);
        cr_expect(strstr(s_text(&w, "error.message"), cases[i].said) != NULL, "%s: %s",
                  cases[i].body, s_text(&w, "error.message"));
    }
    s_expect(&w, "PUT", INC "i%20x" S_V, BODY("New", ""), 400);
    s_expect(&w, "PUT", INC "i1", BODY("New", ""), 400);
    s_expect(&w, "GET",
             S_GROUP "/providers/Microsoft.OperationalInsights/workspaces/none"
                     "/providers/Microsoft.SecurityInsights/incidents" S_V,
             "", 404);
    s_expect(&w, "GET", S_P "/incidents" S_V, "", 200);
    cr_assert_eq(s_count(&w), 0, "what was refused left nothing");
    cr_assert_eq(s_rows(&w, "SecurityIncident")->count, 0);
    s_done(&w);
}

Test(incident_api, rights)
{
    struct siem_world w;
    s_init(&w);
    s_expect(&w, "PUT", INC "i1" S_V, BODY("New", ""), 201);
    s_be(&w, S_READER);
    s_expect(&w, "GET", INC "i1" S_V, "", 200);
    s_expect(&w, "POST", INC "i1/alerts" S_V, "", 200);
    s_expect(&w, "PUT", INC "i1" S_V, BODY("Active", ""), 403);
    s_expect(&w, "PUT", INC "i1/comments/c" S_V, "{\"properties\":{\"message\":\"x\"}}", 403);
    s_expect(&w, "POST", INC "i1/runPlaybook" S_V, "{\"logicAppsResourceId\":\"/x\"}", 403);
    s_expect(&w, "DELETE", INC "i1" S_V, "", 403);
    s_be(&w, "aaaaaaaa-0000-0000-0000-000000000004");
    s_expect(&w, "GET", S_P "/incidents" S_V, "", 403);
    const struct service *services[] = {incidents_service(w.incidents)};
    cr_assert_gt(route_walk(&w.site, services, 1), 30);
    s_done(&w);
}

/* ---- lists --------------------------------------------------------------------------------------------------------------- */

static void make_many(struct siem_world *w, int count)
{
    static const char *const severities[] = {"High", "Low", "Medium", "Informational"};
    static const char *const statuses[] = {"New", "Active", "Closed"};
    for (int i = 1; i <= count; i++) {
        char target[300], body[300];
        (void)snprintf(target, sizeof target, INC "n%d" S_V, i);
        (void)snprintf(
            body, sizeof body,
            "{\"properties\":{\"title\":\"t%02d\",\"severity\":\"%s\",\"status\":\"%s\"}}",
            i * 7 % count, severities[i % 4], statuses[i % 3]);
        s_expect(w, "PUT", target, body, 201);
        rf_clock_fixed_pass(&w->site.clock, 60 * RF_USEC_PER_SECOND);
    }
}

/* The names on all pages, with blanks between; checks that each page but the last is full. */
static const char *names(struct siem_world *w, const char *query, uint32_t top)
{
    struct rf_buf all = rf_buf_in(&w->site.arena);
    char target[700];
    (void)snprintf(target, sizeof target, S_P "/incidents" S_V "%s&%%24top=%u", query, top);
    const char *next = target;
    for (int pages = 0; next != NULL; pages++) {
        cr_assert_lt(pages, 100);
        s_expect(w, "GET", next, "", 200);
        for (const struct json_node *i = json_get(w->answer, "value")->first; i; i = i->next)
            rf_buf_printf(&all, "%.*s ", RF_FMT(json_text_at(i, "name")));
        const char *link = s_text(w, "nextLink");
        next = link[0] == '\0' ? NULL : link + strlen("https://localhost:8443");
        cr_assert(next == NULL || s_count(w) == top);
    }
    rf_buf_byte(&all, 0);
    return (const char *)all.ptr;
}

/* What has no route here would reach the control plane, which keeps documents of types that it does not know. */
Test(incident_api, other_verbs_do_not_pass_by)
{
    static const char *const paths[] = {
        S_P "/incidents/i1" S_V,
        S_P "/incidents/i1/comments/c1" S_V,
        S_P "/incidents/i1/tasks/t1" S_V,
        S_P "/incidents/i1/relations/r1" S_V,
        S_P "/bookmarks/b1" S_V,
        S_P "/bookmarks/b1/relations/r1" S_V,
        S_P "/entities/e1" S_V,
        S_P "/entities/e1/relations/r1" S_V,
        S_P "/watchlists/w1/watchlistItems/i1" S_V,
    };
    struct siem_world w;
    s_init(&w);
    for (size_t i = 0; i < RF_COUNT(paths); i++) {
        s_expect(&w, "PATCH", paths[i], "{\"properties\":{\"title\":\"x\"}}", 405);
        cr_expect_str_eq(s_text(&w, "error.code"), "MethodNotAllowed");
        s_expect(&w, "HEAD", paths[i], NULL, 404);
    }
    s_expect(&w, "PUT", S_P "/entities/e1" S_V, "{\"properties\":{}}", 405);
    s_expect(&w, "DELETE", S_P "/entities/e1" S_V, NULL, 405);
    s_expect(&w, "PUT", S_P "/incidents/i1" S_V,
             "{\"properties\":{\"title\":\"t\",\"severity\":\"Low\",\"status\":\"New\"}}", 201);
    s_expect(&w, "PATCH", paths[0], "{\"properties\":{\"title\":\"x\"}}", 405);
    s_expect(&w, "HEAD", paths[0], NULL, 200);
    s_expect(&w, "GET", paths[0], NULL, 200);
    cr_expect_str_eq(s_text(&w, "properties.title"), "t");
    s_done(&w);
}

Test(incident_api, lists_in_pages_orders_and_parts)
{
    static const struct {
        const char *query, *names;
    } cases[] = {
        {"", "n10 n9 n8 n7 n6 n5 n4 n3 n2 n1 "},
        {"&$orderby=properties/createdTimeUtc%20desc", "n10 n9 n8 n7 n6 n5 n4 n3 n2 n1 "},
        {"&$orderby=properties/createdTimeUtc%20asc", "n1 n2 n3 n4 n5 n6 n7 n8 n9 n10 "},
        {"&$orderby=properties/incidentNumber", "n1 n2 n3 n4 n5 n6 n7 n8 n9 n10 "},
        {"&$orderby=properties/title", "n10 n3 n6 n9 n2 n5 n8 n1 n4 n7 "},
        {"&$orderby=properties/severity%20desc", "n8 n4 n10 n6 n2 n9 n5 n1 n7 n3 "},
        {"&$filter=properties/status%20eq%20'Closed'", "n8 n5 n2 "},
        {"&$filter=properties/status%20ne%20'Closed'", "n10 n9 n7 n6 n4 n3 n1 "},
        {"&$filter=properties/status%20eq%20'New'%20or%20properties/status%20eq%20'Active'",
         "n10 n9 n7 n6 n4 n3 n1 "},
        {"&$filter=properties/status%20eq%20'New'%20and%20properties/status%20eq%20'Active'", ""},
        {"&$filter=properties/incidentNumber%20ge%203%20and%20properties/incidentNumber%20lt%205",
         "n4 n3 "},
        {"&$filter=properties/incidentNumber%20eq%207", "n7 "},
        {"&$filter=contains(properties/title,'T0')&$orderby=properties/title%20desc",
         "n7 n4 n1 n8 n5 n2 n9 n6 n3 n10 "},
        {"&$filter=properties/createdTimeUtc%20ge%202026-01-31T12:08:00Z", "n10 n9 "},
        {"&$filter=properties/createdTimeUtc%20lt%202026-01-31T12:02:00Z", "n2 n1 "},
    };
    struct siem_world w;
    s_init(&w);
    make_many(&w, 10);
    for (size_t i = 0; i < RF_COUNT(cases); i++)
        for (uint32_t top = 1; top <= 11; top += top == 1 ? 2 : 4)
            cr_expect_str_eq(names(&w, cases[i].query, top), cases[i].names, "%s by %u: %s",
                             cases[i].query, top, names(&w, cases[i].query, top));
    static const struct {
        const char *query, *code;
    } wrong[] = {{"&$filter=properties/status%20is%20'x'", "InvalidFilter"},
                 {"&$orderby=properties/nothing", "InvalidOrderBy"},
                 {"&$orderby=properties/title%20up", "InvalidOrderBy"},
                 {"&$top=0", "InvalidTop"},
                 {"&$top=1001", "InvalidTop"},
                 {"&$top=x", "InvalidTop"},
                 {"&$skipToken=x", "InvalidSkipToken"},
                 {"&$orderby=properties/title&$skipToken=x", "InvalidSkipToken"},
                 {"&$orderby=properties/title&$skipToken=MHwwMDB8", "InvalidSkipToken"}};
    for (size_t i = 0; i < RF_COUNT(wrong); i++) {
        char target[300];
        (void)snprintf(target, sizeof target, S_P "/incidents" S_V "%s", wrong[i].query);
        s_expect(&w, "GET", target, "", 400);
        cr_expect_str_eq(s_text(&w, "error.code"), wrong[i].code, "%s", wrong[i].query);
    }
    s_done(&w);
}

/* ---- limits ---------------------------------------------------------------------------------------------------------------- */

Test(incident_api, comments_and_tasks_have_limits)
{
    struct siem_world w;
    s_init(&w);
    s_expect(&w, "PUT", INC "i1" S_V, BODY("New", ""), 201);
    char target[300];
    for (int i = 0; i <= INCIDENT_COMMENTS_MAX; i++) {
        (void)snprintf(target, sizeof target, INC "i1/comments/c%d" S_V, i);
        s_expect(&w, "PUT", target, "{\"properties\":{\"message\":\"x\"}}",
                 i < INCIDENT_COMMENTS_MAX ? 201 : 400);
    }
    for (int i = 0; i <= INCIDENT_TASKS_MAX; i++) {
        (void)snprintf(target, sizeof target, INC "i1/tasks/t%d" S_V, i);
        s_expect(&w, "PUT", target, "{\"properties\":{\"title\":\"x\",\"status\":\"new\"}}",
                 i < INCIDENT_TASKS_MAX ? 201 : 400);
    }
    s_expect(&w, "GET", INC "i1/comments" S_V "&$top=60", "", 200);
    cr_assert_eq(s_count(&w), 60);
    const char *next = s_text(&w, "nextLink");
    s_expect(&w, "GET", next + strlen("https://localhost:8443"), "", 200);
    cr_assert(s_count(&w) == 40 && s_text(&w, "nextLink")[0] == '\0');
    struct rf_buf long_text = rf_buf_in(&w.site.arena);
    rf_buf_printf(&long_text, "{\"properties\":{\"message\":\"");
    for (int i = 0; i < INCIDENT_COMMENT_CHARS_MAX; i++) rf_buf_str(&long_text, RF_S("\xc3\xa9"));
    size_t end = long_text.len;
    rf_buf_printf(&long_text, "\"}}%c", 0);
    s_expect(&w, "PUT", INC "i1/comments/c1" S_V, (const char *)long_text.ptr, 200);
    long_text.len = end;
    rf_buf_printf(&long_text, "x\"}}%c", 0);
    s_expect(&w, "PUT", INC "i1/comments/c1" S_V, (const char *)long_text.ptr, 400);
    s_expect(&w, "PUT", INC "i1/comments/c1" S_V, "{\"properties\":{\"message\":\" \"}}", 400);
    s_expect(&w, "PUT", INC "i1/tasks/t1" S_V,
             "{\"properties\":{\"title\":\"x\",\"status\":\"Done\"}}", 400);
    s_done(&w);
}

/* ---- bookmarks, relations, entities ------------------------------------------------------------------------------------------- */

Test(incident_api, bookmarks_and_relations)
{
    struct siem_world w;
    s_init(&w);
    s_expect(&w, "PUT", INC "i1" S_V, BODY("New", ""), 201);
    s_expect(&w, "PUT", S_P "/bookmarks/b1" S_V,
             "{\"properties\":{\"displayName\":\"evidence\",\"query\":\"print 1\",\"queryResult\":"
             "\"{\\\"a\\\":1}\",\"labels\":[\"l\"],\"entityMappings\":[{\"entityType\":\"Account\","
             "\"fieldMappings\":[{\"identifier\":\"FullName\",\"value\":\"CORP\\\\anna\"}]}]}}",
             201);
    cr_assert_str_eq(s_text(&w, "properties.createdBy.name"), "walker");
    const char *id = rf_arena_cstr(&w.site.arena, json_text_at(w.answer, "id"));
    char body[500];
    (void)snprintf(body, sizeof body, "{\"properties\":{\"relatedResourceId\":\"%s\"}}", id);
    s_expect(&w, "PUT", INC "i1/relations/r1" S_V, body, 201);
    s_expect(&w, "PUT", INC "i1/relations/r1" S_V, body, 200);
    s_expect(&w, "GET", INC "i1/relations" S_V, "", 200);
    const struct json_node *relation = json_get(w.answer, "value")->first;
    cr_assert(s_count(&w) == 1 &&
              rf_str_is(json_text_at(relation, "properties.relatedResourceKind"), "Bookmark"));
    cr_assert(rf_str_is(json_text_at(relation, "properties.relatedResourceName"), "b1"));
    s_expect(&w, "POST", INC "i1/bookmarks" S_V, "", 200);
    const struct json_node *mark = json_get(w.answer, "value")->first;
    cr_assert(rf_str_is(json_text_at(mark, "properties.displayName"), "evidence"));
    cr_assert(rf_str_is(json_text_at(mark, "kind"), "Bookmark"));
    s_expect(&w, "GET", INC "i1" S_V, "", 200);
    cr_assert_eq(s_number(&w, "properties.additionalData.bookmarksCount"), 1);
    s_expect(&w, "GET", S_P "/bookmarks/b1" S_V, "", 200);
    cr_assert_str_eq(s_text(&w, "properties.incidentInfo.incidentId"), "i1");
    s_expect(&w, "GET", S_P "/bookmarks/b1/relations" S_V, "", 200);
    cr_assert_eq(s_count(&w), 1);
    s_expect(&w, "POST", S_P "/bookmarks/b1/expand" S_V, "{}", 200);
    const struct json_node *entity = json_at(w.answer, "value.entities")->first;
    cr_assert(rf_str_is(json_text_at(entity, "properties.ntDomain"), "CORP"));
    s_expect(&w, "DELETE", INC "i1/relations/r1" S_V, "", 200);
    s_expect(&w, "DELETE", INC "i1/relations/r1" S_V, "", 204);
    s_expect(&w, "GET", INC "i1/relations/r1" S_V, "", 404);
    s_expect(&w, "PUT", S_P "/bookmarks/b1/relations/r2" S_V,
             "{\"properties\":{\"relatedResourceId\":\"" INC "i1\"}}", 201);
    s_expect(&w, "PUT", INC "i2" S_V, BODY("New", ""), 201);
    s_expect(&w, "PUT", INC "i2/relations/r" S_V, body, 201);
    s_expect(&w, "DELETE", INC "i2" S_V, "", 200);
    s_expect(&w, "GET", S_P "/bookmarks/b1" S_V, "", 200);
    cr_assert(json_at(w.answer, "properties.incidentInfo") == NULL);
    s_expect(&w, "DELETE", S_P "/bookmarks/b1" S_V, "", 200);
    s_expect(&w, "GET", INC "i1/relations" S_V, "", 200);
    cr_assert_eq(s_count(&w), 0, "a bookmark takes its relations with it");
    s_expect(&w, "GET", INC "i1" S_V, "", 200);
    cr_assert_eq(s_number(&w, "properties.additionalData.bookmarksCount"), 0);
    const struct json_node *rows = s_rows(&w, "HuntingBookmark");
    cr_assert(rows->count == 2 && !json_bool_at(rows->first, "SoftDeleted", true) &&
              json_bool_at(rows->last, "SoftDeleted", false));
    s_expect(&w, "PUT", INC "i1/relations/r1" S_V, body, 400);
    s_expect(&w, "PUT", INC "i1/relations/r1" S_V,
             "{\"properties\":{\"relatedResourceId\":\"/subscriptions/x\"}}", 400);
    s_expect(&w, "PUT", S_P "/bookmarks/b2" S_V, "{\"properties\":{\"displayName\":\"x\"}}", 400);
    s_done(&w);
}

static void take_alert(struct siem_world *w)
{
    struct json_node *entity = json_new(&w->site.arena, JSON_T_OBJECT);
    struct alert_entity entities[] = {{RF_S("ip"), RF_S("ip|address=192.0.2.7"), entity}};
    struct alert alert = {.id = RF_S("0b1c2d3e-0000-0000-0000-000000000001"),
                          .name = RF_S("Found"),
                          .severity = RF_S("Low"),
                          .entities = entities,
                          .entity_count = 1};
    alert.row =
        RF_S("{\"TimeGenerated\":\"2026-01-31T12:00:00Z\",\"SystemAlertId\":"
             "\"0b1c2d3e-0000-0000-0000-000000000001\",\"DisplayName\":\"Found\","
             "\"AlertSeverity\":\"Low\",\"StartTime\":\"2026-01-31T11:00:00Z\",\"EndTime\":"
             "\"2026-01-31T11:00:00Z\",\"Entities\":\"[{\\\"$id\\\":\\\"1\\\",\\\"Address\\\":"
             "\\\"192.0.2.7\\\",\\\"Type\\\":\\\"ip\\\"}]\"}");
    struct rule rule = {.create_incident = true};
    struct state_txn *txn;
    cr_assert(state_begin_write(w->site.state, &txn, &w->err) == RF_OK);
    cr_assert(incident_take_alert(txn, &w->place, &rule, RF_S(S_RULE), &alert,
                                  WALK_NOW * RF_USEC_PER_SECOND, &w->site.arena, NULL, NULL,
                                  &w->err) == RF_OK,
              "%s", w->err.text);
    cr_assert(state_commit(txn, &w->err) == RF_OK);
}

Test(incident_api, entities_by_their_names)
{
    struct siem_world w;
    s_init(&w);
    take_alert(&w);
    s_expect(&w, "GET", S_P "/entities" S_V, "", 200);
    cr_assert_eq(s_count(&w), 1);
    rf_str id = json_text_at(json_get(w.answer, "value")->first, "id");
    const char *entity = rf_arena_cstr(&w.site.arena, id);
    char target[400];
    (void)snprintf(target, sizeof target, "%s" S_V, entity);
    s_expect(&w, "GET", target, "", 200);
    cr_assert_str_eq(s_text(&w, "kind"), "Ip");
    cr_assert_str_eq(s_text(&w, "properties.address"), "192.0.2.7");
    (void)snprintf(target, sizeof target, "%s/expand" S_V, entity);
    s_expect(&w, "POST", target, "{\"startTime\":\"2026-01-31T00:00:00Z\"}", 200);
    const struct json_node *alert = json_at(w.answer, "value.entities")->first;
    cr_assert(rf_str_is(json_text_at(alert, "kind"), "SecurityAlert"));
    s_expect(&w, "POST", target, "{\"startTime\":\"2026-02-01T00:00:00Z\"}", 200);
    cr_assert_eq(json_at(w.answer, "value.entities")->count, 0);
    (void)snprintf(target, sizeof target, "%s/getTimeline" S_V, entity);
    s_expect(&w, "POST", target, "{}", 400);
    s_expect(&w, "POST", target,
             "{\"startTime\":\"2026-01-31T00:00:00Z\",\"endTime\":\"2026-02-01T00:00:00Z\"}", 200);
    cr_assert_eq(s_number(&w, "metaData.totalCount"), 1);
    s_expect(&w, "GET", S_P "/entities/0b1c2d3e-0000-0000-0000-000000000001/relations" S_V, "",
             200);
    cr_assert_eq(s_count(&w), 1);
    s_expect(&w, "GET", S_P "/entities/11111111-0000-0000-0000-000000000001" S_V, "", 404);

    /* An alert is related to its incident without anybody saying so, and may be taken off and put back. */
    s_expect(&w, "GET", S_P "/incidents" S_V, "", 200);
    const struct json_node *incident = json_get(w.answer, "value")->first;
    const char *inc = rf_arena_cstr(&w.site.arena, json_text_at(incident, "id"));
    const char *name = rf_arena_cstr(&w.site.arena, json_text_at(incident, "name"));
    (void)snprintf(target, sizeof target,
                   "%s/relations/%s_0b1c2d3e-0000-0000-0000-000000000001" S_V, inc, name);
    s_expect(&w, "GET", target, "", 200);
    cr_assert_str_eq(s_text(&w, "properties.relatedResourceKind"), "SecurityAlert");
    s_expect(&w, "DELETE", target, "", 200);
    (void)snprintf(target, sizeof target, "%s/alerts" S_V, inc);
    s_expect(&w, "POST", target, "", 200);
    cr_assert_eq(s_count(&w), 0);
    (void)snprintf(target, sizeof target, "%s/relations/mine" S_V, inc);
    s_expect(&w, "PUT", target,
             "{\"properties\":{\"relatedResourceId\":\"" S_P
             "/entities/0b1c2d3e-0000-0000-0000-000000000001\"}}",
             201);
    (void)snprintf(target, sizeof target, "%s/relations" S_V, inc);
    s_expect(&w, "GET", target, "", 200);
    cr_assert_eq(s_count(&w), 1);
    (void)snprintf(target, sizeof target, "%s/runPlaybook" S_V, inc);
    s_expect(&w, "POST", target, "{}", 400);
    s_expect(&w, "POST", target,
             "{\"logicAppsResourceId\":\"" S_GROUP "/providers/Microsoft.Logic/workflows/none\"}",
             404);
    s_done(&w);
}
