/* cli_testing.c - ringfort test: rules against recorded data, in the engine that the server runs. (A file called cli_test.c
 * would be the test of some cli.c.) */
#include <stdlib.h>

#include "base/fs.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/cli_options.h"
#include "cli/cli_text.h"
#include "lab/coverage.h"
#include "lab/report.h"

enum {
    TEST_BYTES_MAX = 1 << 30,
    JOBS_MAX = 64,
    TEST_FILE_BYTES_MAX = 4 << 20,
    UPDATES_MAX = 10000
};
enum {
    OPT_RULES,
    OPT_FILTER,
    OPT_JOBS,
    OPT_FORMAT,
    OPT_JSON,
    OPT_JUNIT,
    OPT_UPDATE,
    OPT_COVERAGE,
    OPT_NAVIGATOR,
    OPT_AGAINST,
    OPT_QUIET
};

static const struct cli_option options[] = {
    [OPT_RULES] = {"rules", "PATH", "further rules that coverage counts; files, folders, patterns"},
    [OPT_FILTER] = {"filter", "TEXT", "only tests whose file or name holds TEXT"},
    [OPT_JOBS] = {"jobs", "N", "tests at once; as many as there are processors unless given"},
    [OPT_FORMAT] = {"format", "FORMAT", "text or json"},
    [OPT_JSON] = {"json", NULL, "the same as --format json"},
    [OPT_JUNIT] = {"junit", "FILE", "also write JUnit's XML to FILE"},
    [OPT_UPDATE] = {"update", NULL, "write what came into the test files as what is expected"},
    [OPT_COVERAGE] = {"coverage", NULL,
                      "say which rules fired, never did, never could, and the ATT&CK techniques"},
    [OPT_NAVIGATOR] = {"navigator", "FILE", "write a layer for the ATT&CK Navigator to FILE"},
    [OPT_AGAINST] = {"against", "PATH",
                     "run the tests with the rules of PATH as well, and show what differs"},
    [OPT_QUIET] = {"quiet", NULL, "only say what did not pass"},
};

static const struct cli_usage usage = {
    .command = "test",
    .words = "DIR|FILE...",
    .doc = "Runs tests of detection rules (*.test.yaml): recorded data arrives by a virtual clock "
           "in the engine of the server, and\nthe incidents that it makes are compared with those "
           "expected.",
    .options = options,
    .option_count = RF_COUNT(options),
    .notes =
        "Exit status 0: all tests passed, or were skipped; 1: a test failed, or --against found "
        "a difference. The same input gives\nthe same bytes, whatever --jobs is. The form of "
        "test files is described in docs/rule-tests.md.\n\n"
        "  ringfort test rules/ --coverage --junit result.xml\n"
        "  ringfort test rules/ --against ../before/rules\n",
};

struct test_args {
    const char *filter, *junit, *navigator, *against;
    const char **words, **rules;
    uint32_t word_count, rule_count, jobs;
    bool json, update, coverage, quiet;
};

struct suite {
    struct rf_arena *arena;
    struct test_args args;
    struct lab_tests tests;
    struct lab_rules rules; /* of the repository */
    struct rf_arena *arenas, *old_arenas;
    struct lab_result *results, *old_results;
    bool colour;
};

/* ---- text ----------------------------------------------------------------------------------------------------------------- */

static void put_status(const struct suite *s, enum lab_status status)
{
    static const char *const words[] = {[LAB_PASSED] = "PASS",
                                        [LAB_FAILED] = "FAIL",
                                        [LAB_BROKEN] = "BROKEN",
                                        [LAB_SKIPPED] = "SKIP"};
    static const char *const colours[] = {[LAB_PASSED] = "\x1b[32m",
                                          [LAB_FAILED] = "\x1b[1;31m",
                                          [LAB_BROKEN] = "\x1b[1;31m",
                                          [LAB_SKIPPED] = "\x1b[33m"};
    printf("%s%-6s%s  ", s->colour ? colours[status] : "", words[status],
           s->colour ? "\x1b[0m" : "");
}

static uint32_t length_of(const struct json_node *outcome, const char *member)
{
    const struct json_node *list = json_get(outcome, member);
    return list == NULL ? 0 : list->count;
}

static void print_result(const struct suite *s, const struct lab_test *test,
                         const struct lab_result *result)
{
    bool good = result->status == LAB_PASSED;
    if (good && s->args.quiet) return;
    put_status(s, result->status);
    cli_text_print(stdout, rf_str_of(test->path), UINT32_MAX);
    if (!good && test->line > 0) printf(":%u", test->line);
    printf("  ");
    cli_text_print(stdout, test->name, 120);
    if (result->status == LAB_SKIPPED) {
        printf(": ");
        cli_text_print(stdout, result->why, UINT32_MAX);
    } else if (result->outcome != NULL) {
        uint32_t incidents = length_of(result->outcome, "incidents"),
                 alerts = length_of(result->outcome, "alerts");
        printf("  (%u incident%s, %u alert%s)", incidents, incidents == 1 ? "" : "s", alerts,
               alerts == 1 ? "" : "s");
    }
    printf("\n");
    for (uint32_t i = 0; i < result->message_count; i++) {
        struct rf_buf line = rf_buf_in(s->arena);
        lab_put_message(&line, test, &result->messages[i]);
        printf("    ");
        cli_text_print(stdout, rf_buf_view(&line), UINT32_MAX);
        printf("\n");
    }
}

static void print_counts(const struct suite *s)
{
    struct lab_counts counts = lab_count(s->results, s->tests.count);
    printf("%u test%s: %u passed", s->tests.count, s->tests.count == 1 ? "" : "s", counts.passed);
    if (counts.failed > 0) printf(", %u failed", counts.failed);
    if (counts.broken > 0) printf(", %u broken", counts.broken);
    if (counts.skipped > 0) printf(", %u skipped", counts.skipped);
    printf("\n");
}

static void print_rules(const struct json_node *coverage, const char *state, const char *title)
{
    bool first = true;
    for (const struct json_node *r = json_get(coverage, "rules")->first; r != NULL; r = r->next) {
        rf_str why = json_text_at(r, "why");
        if (!rf_str_is(json_text_at(r, "state"), state)) continue;
        if (first) printf("\n%s\n", title);
        first = false;
        printf("  ");
        cli_text_print(stdout, json_text_at(r, "path"), UINT32_MAX);
        if (why.len > 0) {
            printf(": ");
            cli_text_print(stdout, why, UINT32_MAX);
        }
        printf("\n");
    }
}

static uint32_t count_state(const struct json_node *coverage, const char *state)
{
    uint32_t n = 0;
    for (const struct json_node *r = json_get(coverage, "rules")->first; r != NULL; r = r->next)
        n += rf_str_is(json_text_at(r, "state"), state);
    return n;
}

static void print_techniques(const struct json_node *coverage)
{
    const struct json_node *list = json_get(coverage, "techniques");
    printf("\n%-11s %5s %6s %5s  tactics\n", "technique", "rules", "tested", "fired");
    for (const struct json_node *t = list->first; t != NULL; t = t->next) {
        printf("%-11.*s %5.*s %6.*s %5.*s  ", RF_FMT(json_text_at(t, "technique")),
               RF_FMT(json_get(t, "rules")->text), RF_FMT(json_get(t, "tested")->text),
               RF_FMT(json_get(t, "fired")->text));
        for (const struct json_node *n = json_get(t, "tactics")->first; n != NULL; n = n->next)
            printf("%.*s%s", RF_FMT(n->text), n->next != NULL ? ", " : "");
        printf("\n");
    }
}

static void print_coverage(const struct json_node *coverage)
{
    printf("\n%u rules: %u fired, %u never fired, %u never could, %u untested\n",
           json_get(coverage, "rules")->count, count_state(coverage, "fired"),
           count_state(coverage, "silent"), count_state(coverage, "blind"),
           count_state(coverage, "untested"));
    print_rules(coverage, "silent", "never fired:");
    print_rules(coverage, "blind", "never could fire:");
    print_rules(coverage, "untested", "untested:");
    print_techniques(coverage);
}

/* ---- what differs ------------------------------------------------------------------------------------------------------- */

static void print_value(const struct json_node *node, struct rf_arena *arena)
{
    rf_str text = json_is(node, JSON_T_STRING) ? node->text : json_to_text(arena, node);
    cli_text_print(stdout, text, 200);
}

static void print_change(const struct suite *s, const struct json_node *change)
{
    const struct json_node *item = json_get(change, "item"), *fields = json_get(change, "fields");
    rf_str what = json_text_at(change, "change");
    bool added = rf_str_is(what, "added"), removed = rf_str_is(what, "removed");
    const char *colour = added ? "\x1b[32m" : removed ? "\x1b[31m" : "\x1b[33m";
    printf("    %s%s %.*s%s '", s->colour ? colour : "",
           added     ? "+"
           : removed ? "-"
                     : "~",
           RF_FMT(json_text_at(change, "kind")), s->colour ? "\x1b[0m" : "");
    cli_text_print(stdout, json_text_at(item, "title"), 120);
    printf("' (%.*s, at %.*s)\n", RF_FMT(json_text_at(item, "severity")),
           RF_FMT(json_text_at(item, "created")));
    const struct json_node *entities = json_get(item, "entities");
    for (const struct json_node *e = fields == NULL && entities != NULL ? entities->first : NULL;
         e != NULL; e = e->next) {
        struct rf_buf text = rf_buf_in(s->arena);
        lab_put_entity(&text, e);
        printf("        ");
        cli_text_print(stdout, rf_buf_view(&text), 200);
        printf("\n");
    }
    for (const struct json_node *f = fields == NULL ? NULL : fields->first; f != NULL;
         f = f->next) {
        printf("        %.*s: ", RF_FMT(json_text_at(f, "name")));
        print_value(json_get(f, "old"), s->arena);
        printf(" -> ");
        print_value(json_get(f, "new"), s->arena);
        printf("\n");
    }
}

static enum rf_kind compare_versions(struct suite *s, uint32_t *differ, struct rf_err *err)
{
    struct json_node *all = json_new(s->arena, JSON_T_ARRAY);
    *differ = 0;
    for (uint32_t i = 0; i < s->tests.count; i++) {
        const struct lab_test *test = &s->tests.items[i];
        const struct lab_result *new = &s->results[i], *old = &s->old_results[i];
        static const struct json_node nothing = {.type = JSON_T_OBJECT};
        struct json_node *changes;
        if (new->status == LAB_SKIPPED) continue;
        bool broken = new->outcome == NULL || old->outcome == NULL;
        RF_TRY(lab_diff(old->outcome == NULL ? &nothing : old->outcome,
                        new->outcome == NULL ? &nothing : new->outcome, s->arena, &changes, err));
        *differ += changes->count > 0 || broken;
        struct json_node *made = json_new(s->arena, JSON_T_OBJECT);
        json_set_text(s->arena, made, "name", test->name);
        json_set_text(s->arena, made, "file", rf_str_of(test->path));
        json_set(s->arena, made, RF_S("changes"), changes);
        if (json_append(all, made) == NULL) return rf_fail_memory(err, s->arena);
        if (s->args.json || (changes->count == 0 && !broken)) continue;
        printf("%s:%u  %.*s\n", test->path, test->line, RF_FMT(test->name));
        for (uint32_t m = 0; m < new->message_count + old->message_count &&broken; m++) {
            struct rf_buf line = rf_buf_in(s->arena);
            bool mine = m < new->message_count;
            lab_put_message(&line, test,
                            mine ? &new->messages[m] : &old->messages[m - new->message_count]);
            printf("    %s: ", mine ? "new rules" : "old rules");
            cli_text_print(stdout, rf_buf_view(&line), UINT32_MAX);
            printf("\n");
        }
        for (const struct json_node *c = changes->first; c != NULL; c = c->next) print_change(s, c);
    }
    if (s->args.json) {
        rf_str text = json_to_text(s->arena, all);
        if (text.ptr == NULL) return rf_fail_memory(err, s->arena);
        printf("%.*s\n", RF_FMT(text));
    } else {
        printf("%u of %u tests differ\n", *differ, s->tests.count);
    }
    return RF_OK;
}

/* ---- writing files ------------------------------------------------------------------------------------------------------ */

/* A test whose run went well and whose expectation does not hold. */
static bool wants_update(const struct lab_result *result)
{
    if (result->status != LAB_FAILED || result->expected == NULL) return false;
    for (uint32_t i = 0; i < result->rule_count; i++)
        if (result->rules[i].failures > 0) return false;
    return true;
}

static enum rf_kind update_file(struct suite *s, uint32_t from, uint32_t to, uint32_t *updated,
                                struct rf_err *err)
{
    const char *path = s->tests.items[from].path;
    size_t room = (size_t)to - from;
    const struct lab_test **tests = rf_arena_new(s->arena, const struct lab_test *, room);
    const struct json_node **expected = rf_arena_new(s->arena, const struct json_node *, room);
    uint32_t count = 0;
    rf_str text, made;
    if (tests == NULL || expected == NULL) return rf_fail_memory(err, s->arena);
    for (uint32_t i = from; i < to; i++) {
        if (!wants_update(&s->results[i])) continue;
        tests[count] = &s->tests.items[i];
        expected[count++] = s->results[i].expected;
    }
    if (count == 0) return RF_OK;
    RF_TRY(rf_fs_read_all(rf_fs_real(), path, TEST_FILE_BYTES_MAX, s->arena, &text, err));
    RF_TRY(lab_update_text(text, tests, expected, count, s->arena, &made, err));
    RF_TRY(rf_fs_replace(rf_fs_real(), path, made, err));
    *updated += count;
    if (!s->args.json) printf("%s: %u expectation%s written\n", path, count, count == 1 ? "" : "s");
    return RF_OK;
}

static enum rf_kind update(struct suite *s, uint32_t *updated, struct rf_err *err)
{
    *updated = 0;
    for (uint32_t from = 0, to; from < s->tests.count; from = to) {
        for (to = from;
             to < s->tests.count && strcmp(s->tests.items[to].path, s->tests.items[from].path) == 0;
             to++)
            continue;
        RF_TRY(update_file(s, from, to, updated, err));
    }
    return RF_OK;
}

static enum rf_kind write_reports(struct suite *s, const struct json_node *coverage,
                                  struct rf_err *err)
{
    if (s->args.junit != NULL) {
        struct rf_buf buf = rf_buf_in(s->arena);
        lab_report_junit(&buf, &s->tests, s->results);
        if (buf.failed) return rf_fail_memory(err, s->arena);
        RF_TRY(rf_fs_replace(rf_fs_real(), s->args.junit, rf_buf_view(&buf), err));
    }
    if (s->args.navigator == NULL) return RF_OK;
    struct json_node *layer;
    RF_TRY(lab_navigator_layer(coverage, s->arena, &layer, err));
    rf_str text = json_to_text(s->arena, layer);
    if (text.ptr == NULL) return rf_fail_memory(err, s->arena);
    return rf_fs_replace(rf_fs_real(), s->args.navigator, text, err);
}

/* ---- the command -------------------------------------------------------------------------------------------------------- */

static int read_args(int argc, char **argv, struct test_args *args)
{
    struct cli_line line = cli_line_of(&usage, argc, argv);
    for (int at; (at = cli_next(&line)) != CLI_END;) {
        switch (at) {
        case OPT_RULES:
            args->rules[args->rule_count++] = line.value;
            break;
        case OPT_FILTER:
            args->filter = line.value;
            break;
        case OPT_JOBS:
            args->jobs = (uint32_t)strtoul(line.value, NULL, 10);
            if (args->jobs < 1 || args->jobs > JOBS_MAX)
                return cli_wrong(&usage, "--jobs: '%s' is not a number from 1 to %d", line.value,
                                 JOBS_MAX);
            break;
        case OPT_FORMAT:
            args->json = strcmp(line.value, "json") == 0;
            if (!args->json && strcmp(line.value, "text") != 0)
                return cli_wrong(&usage, "--format: '%s' is not text or json", line.value);
            break;
        case OPT_JSON:
            args->json = true;
            break;
        case OPT_JUNIT:
            args->junit = line.value;
            break;
        case OPT_UPDATE:
            args->update = true;
            break;
        case OPT_COVERAGE:
            args->coverage = true;
            break;
        case OPT_NAVIGATOR:
            args->navigator = line.value;
            break;
        case OPT_AGAINST:
            args->against = line.value;
            break;
        case OPT_QUIET:
            args->quiet = true;
            break;
        case CLI_WORD:
            args->words[args->word_count++] = line.value;
            break;
        case CLI_HELP:
            return CLI_HELP;
        default:
            return CLI_WRONG_USE;
        }
    }
    if (args->word_count == 0) return cli_wrong(&usage, "a folder or file of tests is needed");
    if (args->update && args->against != NULL)
        return cli_wrong(&usage, "--update and --against are for two runs");
    return CLI_OK;
}

static void filter(struct suite *s)
{
    rf_str wanted = rf_str_of(s->args.filter);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < s->tests.count; i++) {
        const struct lab_test *test = &s->tests.items[i];
        if (rf_str_find(rf_str_of(test->path), wanted, 0) != SIZE_MAX ||
            rf_str_find(test->name, wanted, 0) != SIZE_MAX)
            s->tests.items[kept++] = *test;
    }
    s->tests.count = kept;
}

/* The rules that lie beside the tests, and those that --rules names. A folder of tests need not hold any. */
static enum rf_kind find_rules(struct suite *s, struct rf_err *err)
{
    for (uint32_t i = 0; i < s->args.rule_count; i++)
        RF_TRY(lab_rules_add(&s->rules, s->args.rules[i], err));
    for (uint32_t i = 0; i < s->args.word_count; i++) {
        struct rf_fs_stat stat;
        RF_TRY(rf_fs_stat(rf_fs_real(), s->args.words[i], &stat, err));
        if (!stat.is_dir) continue;
        enum rf_kind kind = lab_rules_add(&s->rules, s->args.words[i], err);
        if (kind != RF_OK && !(kind == RF_NOT_FOUND && strcmp(err->code, "NoRules") == 0))
            return kind;
    }
    return RF_OK;
}

static enum rf_kind prepare(struct suite *s, struct rf_err *err)
{
    for (uint32_t i = 0; i < s->args.word_count; i++) {
        const char *path = lab_path_beside(s->arena, "", rf_str_of(s->args.words[i]));
        if (path == NULL) return rf_fail_memory(err, s->arena);
        RF_TRY(lab_tests_add(&s->tests, path, err));
    }
    if (s->tests.count == 0)
        return RF_FAIL(err, RF_NOT_FOUND, "NoTests", "%s holds no tests (*.test.yaml)",
                       s->args.words[0]);
    if (s->args.filter != NULL) filter(s);
    if (s->tests.count == 0)
        return RF_FAIL(err, RF_NOT_FOUND, "NoTests", "no test's file or name holds '%s'",
                       s->args.filter);
    if (s->args.coverage || s->args.navigator != NULL) RF_TRY(find_rules(s, err));
    size_t count = s->tests.count;
    s->arenas = rf_arena_new(s->arena, struct rf_arena, count);
    s->results = rf_arena_new(s->arena, struct lab_result, count);
    s->old_arenas = rf_arena_new(s->arena, struct rf_arena, count);
    s->old_results = rf_arena_new(s->arena, struct lab_result, count);
    bool fits =
        s->arenas != NULL && s->results != NULL && s->old_arenas != NULL && s->old_results != NULL;
    return fits ? RF_OK : rf_fail_memory(err, s->arena);
}

static void run_tests(struct suite *s, const struct lab_rules *instead)
{
    const struct lab_test_options how = {.instead = instead, .compare = s->args.against == NULL};
    lab_tests_run(&s->tests, &how, s->args.jobs, instead != NULL ? s->old_arenas : s->arenas,
                  instead != NULL ? s->old_results : s->results);
}

static enum rf_kind run_against(struct suite *s, uint32_t *bad, struct rf_err *err)
{
    struct lab_rules old = {.arena = s->arena};
    RF_TRY(lab_rules_add(&old, s->args.against, err));
    run_tests(s, NULL);
    run_tests(s, &old);
    return compare_versions(s, bad, err);
}

static enum rf_kind run_suite(struct suite *s, uint32_t *bad, struct rf_err *err)
{
    struct json_node *coverage = NULL;
    uint32_t updated = 0;
    run_tests(s, NULL);
    struct lab_counts counts = lab_count(s->results, s->tests.count);
    if (s->args.coverage || s->args.navigator != NULL)
        RF_TRY(lab_coverage(&s->rules, s->results, s->tests.count, s->arena, &coverage, err));
    if (s->args.json) {
        const struct json_node *report =
            lab_report_json(&s->tests, s->results, s->args.coverage ? coverage : NULL, s->arena);
        rf_str text = report == NULL ? (rf_str){NULL, 0} : json_to_text(s->arena, report);
        if (text.ptr == NULL) return rf_fail_memory(err, s->arena);
        printf("%.*s\n", RF_FMT(text));
    } else {
        for (uint32_t i = 0; i < s->tests.count; i++)
            print_result(s, &s->tests.items[i], &s->results[i]);
        print_counts(s);
        if (s->args.coverage) print_coverage(coverage);
    }
    RF_TRY(write_reports(s, coverage, err));
    if (s->args.update) RF_TRY(update(s, &updated, err));
    *bad = counts.failed + counts.broken - updated;
    return RF_OK;
}

int cli_test(int argc, char **argv)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, TEST_BYTES_MAX);
    struct suite s = {.arena = &arena,
                      .args = {.jobs = cli_workers(),
                               .words = rf_arena_new(&arena, const char *, (size_t)argc),
                               .rules = rf_arena_new(&arena, const char *, (size_t)argc)},
                      .tests = {.arena = &arena},
                      .rules = {.arena = &arena},
                      .colour = cli_has_colour(stdout)};
    struct rf_err err = {0};
    uint32_t bad = 0;
    if (s.args.words == NULL || s.args.rules == NULL) {
        (void)rf_fail_memory(&err, &arena);
        return cli_say_error(&err, (rf_str){NULL, 0}, NULL);
    }
    int status = read_args(argc, argv, &s.args);
    if (status != CLI_OK) return status == CLI_HELP ? CLI_OK : status;
    rf_log_set(RF_SILENT, RF_LOG_TEXT); /* what rules do wrong is told by the tests */
    enum rf_kind kind = prepare(&s, &err);
    if (kind == RF_OK)
        kind = s.args.against != NULL ? run_against(&s, &bad, &err) : run_suite(&s, &bad, &err);
    for (uint32_t i = 0; i < s.tests.count && s.old_results != NULL; i++) {
        rf_arena_done(&s.arenas[i]);
        rf_arena_done(&s.old_arenas[i]);
    }
    if (kind != RF_OK) return cli_say_error(&err, (rf_str){NULL, 0}, NULL);
    return bad == 0 ? CLI_OK : CLI_FAILED;
}
