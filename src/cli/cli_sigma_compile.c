/* cli_sigma_compile.c - ringfort sigma compile: rules as KQL. */
#include "base/json_out.h"
#include "cli/cli.h"
#include "cli/cli_sigma.h"
#include "sigma/compile.h"

enum { QUERY_BYTES_MAX = 256 << 20 };

void cli_sigma_say_problem(const struct sigma_problem *p)
{
    if (p->err.line > 0)
        cli_say("%s: line %u: %s: %s", p->path, p->err.line, p->err.code, p->err.text);
    else
        cli_say("%s: %s: %s", p->path, p->err.code, p->err.text);
}

static void put_problem(struct rf_buf *buf, const struct sigma_problem *p)
{
    struct json_out out = json_out_to(buf);
    json_begin_object(&out, NULL);
    json_put_text(&out, "rule_id", p->id);
    json_put_text(&out, "file", rf_str_of(p->path));
    json_begin_object(&out, "error");
    json_put_i64(&out, "line", p->err.line);
    json_put_text(&out, "code", rf_str_of(p->err.code));
    json_put_text(&out, "message", rf_str_of(p->err.text));
    json_end_object(&out);
    json_end_object(&out);
    rf_buf_byte(buf, '\n');
}

static void put_query(struct rf_buf *buf, const struct sigma_rule *rule,
                      const struct compiled *done)
{
    struct json_out out = json_out_to(buf);
    json_begin_object(&out, NULL);
    json_put_text(&out, "rule_id", sigma_rule_label(rule));
    json_put_text(&out, "title", rule->title);
    json_put_text(&out, "level", rule->level);
    json_put_text(&out, "layout", rf_str_of(done->layout->name));
    json_put_text(&out, "table", done->table);
    json_put_text(&out, "query", done->query);
    json_end_object(&out);
    rf_buf_byte(buf, '\n');
}

/* A comment ends with its line. */
static void put_comment(struct rf_buf *buf, const struct sigma_rule *rule)
{
    rf_buf_str(buf, RF_S("// "));
    for (size_t i = 0; i < rule->title.len; i++)
        rf_buf_byte(buf, rule->title.ptr[i] < 0x20 ? ' ' : rule->title.ptr[i]);
    rf_buf_printf(buf, "\n// %.*s%s%.*s", RF_FMT(sigma_rule_label(rule)),
                  rule->level.len > 0 ? ", " : "", RF_FMT(rule->level));
    if (rule->author.len > 0) {
        rf_buf_str(buf, RF_S(", by "));
        for (size_t i = 0; i < rule->author.len; i++)
            rf_buf_byte(buf, rule->author.ptr[i] < 0x20 ? ' ' : rule->author.ptr[i]);
    }
    rf_buf_byte(buf, '\n');
}

/* Rules of a log source that the wanted layout lacks are compiled for one that has it. */
static enum rf_kind compile(const struct sigma_args *args, const struct sigma_rule *rule,
                            struct rf_arena *arena, struct compiled *out, struct rf_err *err)
{
    struct compile_options options = {.layout = args->layout, .table = args->table};
    enum rf_kind kind = sigma_compile(rule, &options, arena, out, err);
    if (kind != RF_NOT_FOUND || args->layout == NULL) return kind;
    options = (struct compile_options){.layout = NULL};
    return sigma_compile(rule, &options, arena, out, err);
}

struct compile {
    const struct sigma_args *args;
    uint32_t count, failed;
};

static enum rf_kind compile_one(struct compile *c, const struct sigma_rule *rule,
                                struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, QUERY_BYTES_MAX);
    struct rf_buf buf = rf_buf_in(&arena);
    struct compiled done;
    struct sigma_problem problem = {.path = rule->path, .id = rule->id};
    c->count++;
    if (compile(c->args, rule, &arena, &done, &problem.err) != RF_OK) {
        if (problem.err.line == 0) problem.err.line = 1;
        problem.err.line += rule->line - 1;
        c->failed++;
        if (c->args->jsonl)
            put_problem(&buf, &problem);
        else
            cli_sigma_say_problem(&problem);
    } else if (c->args->jsonl) {
        put_query(&buf, rule, &done);
    } else {
        if (c->count > 1) rf_buf_byte(&buf, '\n');
        put_comment(&buf, rule);
        rf_buf_str(&buf, done.query);
    }
    if (buf.failed) return rf_fail_memory(err, &arena);
    if (buf.len > 0 && fwrite(buf.ptr, 1, buf.len, stdout) != buf.len)
        return RF_FAIL_ERRNO(err, "OutputFailed", "the queries cannot be written");
    return RF_OK;
}

static enum rf_kind say_problems(const struct sigma_args *args, const struct sigma_set *set,
                                 struct rf_arena *arena, struct rf_err *err)
{
    struct rf_buf buf = rf_buf_in(arena);
    for (uint32_t i = 0; i < set->problem_count; i++) {
        if (args->jsonl)
            put_problem(&buf, &set->problems[i]);
        else
            cli_sigma_say_problem(&set->problems[i]);
    }
    if (buf.failed) return rf_fail_memory(err, arena);
    if (buf.len > 0) (void)fwrite(buf.ptr, 1, buf.len, stdout);
    return RF_OK;
}

int cli_sigma_compile(const struct sigma_args *args, const struct sigma_set *set,
                      struct spent loading, struct rf_arena *arena)
{
    struct rf_err err = {0};
    struct compile c = {.args = args};
    enum rf_kind kind = RF_OK;
    (void)loading;
    for (uint32_t i = 0; i < set->rule_count && kind == RF_OK; i++)
        if (!set->rules[i]->inner && !set->rules[i]->failed)
            kind = compile_one(&c, set->rules[i], &err);
    fflush(stdout);
    if (kind == RF_OK) kind = say_problems(args, set, arena, &err);
    if (kind != RF_OK) return cli_say_error(&err, (rf_str){NULL, 0}, NULL);
    if (!args->jsonl && c.failed + set->problem_count > 0)
        cli_say("%u rules compiled, %u not", c.count - c.failed, c.failed + set->problem_count);
    return c.failed + set->problem_count == 0 ? CLI_OK : CLI_FAILED;
}
