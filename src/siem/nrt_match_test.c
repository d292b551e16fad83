/* nrt_match_test.c - rules raise the same alerts whether rows are looked at for all of them at once or each runs on each commit. */
#include "siem/nrt_match.h"

#include "authz/route_walk.h"
#include "kql/source_file.h"
#include "siem/siem_int.h"
#include "test/rf_prop.h"

#define M_SUB "/subscriptions/99999999-0000-0000-0000-000000000001"
#define M_WS M_SUB "/resourceGroups/rg/providers/Microsoft.OperationalInsights/workspaces/ws"
#define M_GUID "99999999-0000-0000-0000-000000000002"
#define M_RULES M_WS "/providers/Microsoft.SecurityInsights/alertRules/"

struct stage {
    struct walk_site site;
    struct arm *arm;
    struct tables *tables;
    struct siem *siem;
    char folder[64];
    struct rf_err err;
};

static void put(struct stage *s, const char *id, const char *text)
{
    struct arm_resource made;
    struct json_node *body;
    bool created;
    cr_assert(json_parse(rf_str_of(text), &s->site.arena, &body, &s->err) == RF_OK, "%s: %s", text,
              s->err.text);
    cr_assert(arm_put(s->arm, rf_str_of(id), body, NULL, &s->site.arena, &made, &created,
                      &s->err) == RF_OK,
              "%s", s->err.text);
}

static void open_stage(struct stage *s)
{
    memset(s, 0, sizeof *s);
    walk_site_init(&s->site);
    (void)snprintf(s->folder, sizeof s->folder, "/tmp/ringfort-nrt-XXXXXX");
    cr_assert(mkdtemp(s->folder) != NULL);
    struct rf_clock *clock = &s->site.clock.clock;
    struct arm_options arm = {.state = s->site.state,
                              .authz = s->site.authz,
                              .site = &s->site.site,
                              .audit = &s->site.audit,
                              .clock = clock};
    struct tables_options tables = {.fs = rf_fs_real(), .folder = s->folder, .clock = clock};
    cr_assert(arm_new(&arm, &s->arm, &s->err) == RF_OK, "%s", s->err.text);
    cr_assert(tables_new(&tables, &s->tables, &s->err) == RF_OK, "%s", s->err.text);
    struct siem_options siem = {.state = s->site.state,
                                .arm = s->arm,
                                .authz = s->site.authz,
                                .tables = s->tables,
                                .site = &s->site.site,
                                .audit = &s->site.audit,
                                .clock = clock,
                                .by_hand = true};
    cr_assert(siem_new(&siem, &s->siem, &s->err) == RF_OK, "%s", s->err.text);
    static const struct table_column columns[] = {
        {{(const uint8_t *)"TimeGenerated", 13}, TYPE_DATETIME, false},
        {{(const uint8_t *)"Account", 7}, TYPE_STRING, false},
        {{(const uint8_t *)"Line", 4}, TYPE_STRING, false},
        {{(const uint8_t *)"Code", 4}, TYPE_INT, false},
        {{(const uint8_t *)"TenantId", 8}, TYPE_STRING, true},
        {{(const uint8_t *)"Type", 4}, TYPE_STRING, true}};
    struct table_def def = {
        .name = RF_S("T_CL"), .columns = columns, .column_count = RF_COUNT(columns)};
    cr_assert(tables_define(s->tables, RF_S(M_GUID), &def, &s->err) == RF_OK, "%s", s->err.text);
    put(s, M_SUB "/resourceGroups/rg", "{\"location\":\"local\"}");
    put(s, M_WS, "{\"location\":\"local\",\"properties\":{\"customerId\":\"" M_GUID "\"}}");
}

static void close_stage(struct stage *s)
{
    char command[100];
    siem_stop(s->siem);
    arm_free(s->arm);
    siem_free(s->siem);
    tables_free(s->tables);
    (void)snprintf(command, sizeof command, "rm -rf %s", s->folder);
    cr_assert(system(command) == 0);
    walk_site_done(&s->site);
}

static const char *const queries[] = {
    "T_CL | where Line has 'whoami'",
    "T_CL | where Line has 'mimikatz' or Account =~ 'ANNA'",
    "T_CL | where Code == 4688 and Line contains 'net user'",
    "T_CL | where Code in (4720, 4722)",
    "T_CL | where Account in ('anna', 'berta') | extend Who = Account | where Who startswith "
    "'bert'",
    "T_CL | where Line matches regex @'\\\\temp\\\\\\\\[a-z]+\\\\.exe'",
    "T_CL | where not(Line has 'whoami')",
    "T_CL | where Code > 4700",
    "T_CL | where Line has_any ('rundll32', 'regsvr32')",
    "T_CL | where Line has_all ('curl', 'wget')",
    "T_CL | where isnotempty(Line) and Line endswith_cs '.PS1'",
    "T_CL | where Line contains '\\u0436\\u0443\\u043a'", /* a beetle, in lower case */
    "T_CL | where tolower(Line) has 'whoami'",
    "let bad = dynamic(['sekurlsa', 'kerberoast']); T_CL | where Line has_any (bad)",
};

static const char *const rows[][2] = {
    {"anna", "notepad.exe"},
    {"carl", "cmd /c WhoAmI"},
    {"berta", "net user /add"},
    {"carl", "C:\\\\temp\\\\evil.exe -x"},
    {"carl", "curl http://x | wget"},
    {"dora", "regsvr32 /s x.dll"},
    {"carl", "setup.PS1"},
    {"carl", "setup.ps1"},
    {"dora", "\\u0416\\u0423\\u041a"},
    {"carl", "Kerberoast"},
    {"carl", ""},
    {"carl", "nothing of note"},
};
static const int codes[] = {4624, 4688, 4720, 1};

static void add_rules(struct stage *s)
{
    for (size_t i = 0; i < RF_COUNT(queries); i++) {
        rf_str id = rf_arena_printf(&s->site.arena, M_RULES "r%zu", i);
        rf_str text = rf_arena_printf(
            &s->site.arena,
            "{\"kind\":\"NRT\",\"properties\":{\"displayName\":\"r%zu\",\"enabled\":true,"
            "\"severity\":\"Low\",\"query\":\"%s\",\"suppressionEnabled\":false,"
            "\"suppressionDuration\":\"PT1H\"}}",
            i, queries[i]);
        put(s, rf_arena_cstr(&s->site.arena, id), rf_arena_cstr(&s->site.arena, text));
    }
}

static void commit(struct stage *s, struct rf_prng *prng)
{
    struct rf_buf text = rf_buf_in(&s->site.arena);
    rf_usec now = rf_clock_now(&s->site.clock.clock);
    uint64_t count = 1 + rf_test_below(prng, 3);
    for (uint64_t i = 0; i < count; i++) {
        const char *const *row = rows[rf_test_below(prng, RF_COUNT(rows))];
        rf_buf_printf(
            &text, "%s{\"TimeGenerated\":\"%.*s\",\"Account\":\"%s\",\"Line\":\"%s\",\"Code\":%d}",
            i == 0 ? "[" : ",", RF_FMT(time_iso(&s->site.arena, now)), row[0], row[1],
            codes[rf_test_below(prng, RF_COUNT(codes))]);
    }
    rf_buf_byte(&text, ']');
    cr_assert(tables_append_json(s->tables, RF_S(M_GUID), RF_S("T_CL"), rf_buf_view(&text),
                                 ticks_of(now), NULL, &s->err) == RF_OK,
              "%s", s->err.text);
}

/* How many alerts each rule has raised. */
static void count_alerts(struct stage *s, uint32_t *counts)
{
    struct state_txn *txn;
    struct state_list list;
    struct state_scan scan = {.space = "siem.alert"};
    cr_assert(state_begin_read(s->site.state, &txn, &s->err) == RF_OK);
    cr_assert(state_list(txn, &scan, &s->site.arena, &list, &s->err) == RF_OK);
    state_end(txn);
    for (uint32_t i = 0; i < list.count; i++) {
        struct json_node *body;
        cr_assert(json_parse(list.items[i].body, &s->site.arena, &body, &s->err) == RF_OK);
        rf_str name = json_text_at(body, "row.DisplayName");
        for (size_t r = 0; r < RF_COUNT(queries); r++) {
            char known[20];
            (void)snprintf(known, sizeof known, "r%zu", r);
            counts[r] += rf_str_is(name, known);
        }
    }
}

static void play(uint64_t seed, bool match_off, uint32_t *counts)
{
    struct stage s;
    struct rf_prng prng = {.state = seed, .size = RF_TEST_SIZE_MAX};
    open_stage(&s);
    s.siem->engine->match_off = match_off;
    add_rules(&s);
    while (engine_step(s.siem->engine)) continue;
    nrt_step(s.siem->engine);
    for (int i = 0; i < 30; i++) {
        rf_clock_fixed_pass(&s.site.clock, 25 * RF_USEC_PER_SECOND);
        commit(&s, &prng);
        nrt_step(s.siem->engine);
    }
    rf_clock_fixed_pass(&s.site.clock, 200 * RF_USEC_PER_SECOND);
    nrt_step(s.siem->engine);
    count_alerts(&s, counts);
    close_stage(&s);
}

Test(nrt_match, alerts_are_the_same_without_it, .timeout = 120)
{
    uint32_t total = 0;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        uint32_t with[RF_COUNT(queries)] = {0}, without[RF_COUNT(queries)] = {0};
        play(seed, false, with);
        play(seed, true, without);
        for (size_t r = 0; r < RF_COUNT(queries); r++) {
            cr_expect(with[r] == without[r], "%s: %u with, %u without", queries[r], with[r],
                      without[r]);
            total += with[r];
        }
    }
    cr_expect(total > 100, "only %u alerts: the test tells little", total);
}

/* ---- the matcher alone ---------------------------------------------------------------------------------------------- */

static struct ast_column match_columns[] = {
    {.name = {(const uint8_t *)"Line", 4}, .type = TYPE_STRING},
    {.name = {(const uint8_t *)"Code", 4}, .type = TYPE_INT},
    {.name = {(const uint8_t *)"More", 4}, .type = TYPE_STRING}};

static struct source *source_of(struct rf_arena *arena, const char *line, int code, uint32_t width)
{
    static const uint8_t types[] = {TYPE_STRING, TYPE_INT, TYPE_STRING};
    struct value cells[] = {value_str(rf_str_of(line)), value_i64(TYPE_INT, code),
                            value_str(RF_S("whoami"))};
    struct rows *kept = rows_new(arena, types, width);
    struct vec columns[3];
    for (uint32_t c = 0; c < width; c++) cr_assert(vec_const(arena, &cells[c], &columns[c]));
    struct batch batch = {
        .row_count = 1, .column_count = width, .columns = columns, .arena = arena};
    cr_assert(rows_append(kept, &batch));
    return source_rows_new(RF_S("T_CL"), match_columns, width, kept, arena);
}

Test(nrt_match, only_rules_whose_literals_occur_are_candidates)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    uint8_t raw[ROW_NUMBER_BYTES];
    struct rf_err err;
    struct nrt_matcher *m;
    rf_arena_init(&arena, 64 << 20);
    const rf_str line[] = {RF_S("Line")}, code[] = {RF_S("Code")};
    const struct row_literal who[] = {{RF_S("whoami"), true}},
                             number[] = {{row_literal_number(4688, raw), false}};
    struct engine_rule rules[5] = {{.literals = {who, 1, line, 1, 2}},
                                   {.literals = {number, 1, code, 1, 2}},
                                   {.literals = {0}},
                                   {.literals = {who, 1, line, 1, 2}},
                                   {.literals = {who, 1, line, 1, 3}}};
    rules[3].rule.trigger_operator = RULE_LT; /* alerts when there are no rows */
    rules[3].rule.trigger_threshold = 1;
    struct engine_rule *list[] = {&rules[0], &rules[1], &rules[2], &rules[3], &rules[4]};
    static const struct {
        const char *line;
        int code;
        uint32_t width;
        bool want[5]; /* the last rule's literals were found when the table had other columns */
    } cases[] = {
        {"cmd /c WHOAMI", 1, 2, {true, false, true, true, true}},
        {"notepad.exe", 4688, 2, {false, true, true, true, true}},
        {"notepad.exe", 46880, 2, {false, false, true, true, true}},
        {"4688", 468, 2, {false, false, true, true, true}},
        {"notepad.exe", 1, 3, {true, true, true, true, true}},
    };
    cr_assert(nrt_matcher_new(list, 5, &m, &err) == RF_OK);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        nrt_matcher_look(m, source_of(&arena, cases[i].line, cases[i].code, cases[i].width));
        for (uint32_t r = 0; r < 5; r++)
            cr_expect(nrt_matcher_is_candidate(m, r) == cases[i].want[r], "case %zu rule %u", i, r);
    }
    nrt_matcher_free(m);
}
