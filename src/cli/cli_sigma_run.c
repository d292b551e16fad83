/* cli_sigma_run.c - ringfort sigma run: what each rule matches in each file. */
#include "base/json_out.h"
#include "base/pool.h"
#include "cli/cli.h"
#include "cli/cli_sigma.h"
#include "cli/cli_text.h"
#include "sigma/scan.h"

enum { TITLE_WIDTH = 70 };

/* ---- results ------------------------------------------------------------------------------------------------------------------ */

struct run {
    const struct sigma_args *args;
    const struct sigma_set *set;
    struct scan_rules *rules;
    struct scan_worker **workers;
    unsigned worker_count;
    struct scan_job *jobs;
    struct rf_err *problems; /* by job; code NULL: none */
    size_t job_count;
};

static void put_lines(struct json_out *out, const struct scan_result *result)
{
    json_begin_array(out, "first_lines");
    for (uint64_t i = 0; i < result->matches && i < SCAN_FIRST_LINES; i++)
        json_put_i64(out, NULL, (int64_t)result->first_lines[i]);
    json_end_array(out);
}

static enum rf_kind show_match(void *ctx, struct scan_job *job, uint32_t rule, uint64_t line,
                               rf_str event, struct rf_err *err)
{
    const struct run *run = ctx;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 30);
    struct rf_buf buf = rf_buf_in(&arena);
    rf_str text = rf_str_trim(event);
    if (run->args->jsonl) {
        struct json_out out = json_out_to(&buf);
        json_begin_object(&out, NULL);
        json_put_text(&out, "rule_id", sigma_rule_label(run->set->rules[rule]));
        json_put_text(&out, "file", rf_str_of(job->path));
        json_put_i64(&out, "line", (int64_t)line);
        if (text.len > 0 && text.ptr[0] == '{')
            json_put_raw(&out, "event", text);
        else
            json_put_text(&out, "event", text);
        json_end_object(&out);
    } else {
        rf_buf_printf(&buf, "%s:%llu  ", job->path, (unsigned long long)line);
        (void)cli_text_put(&buf, run->set->rules[rule]->title, TITLE_WIDTH);
        rf_buf_printf(&buf, "\n    ");
        (void)cli_text_put(&buf, text, UINT32_MAX);
    }
    rf_buf_byte(&buf, '\n');
    if (buf.failed) return rf_fail_memory(err, &arena);
    if (fwrite(buf.ptr, 1, buf.len, stdout) != buf.len)
        return RF_FAIL_ERRNO(err, "OutputFailed", "the matches cannot be written");
    return RF_OK;
}

static enum rf_kind run_job(void *ctx, size_t job, unsigned worker, struct rf_err *err)
{
    struct run *run = ctx;
    (void)err;
    if (scan_file(run->workers[worker], &run->jobs[job], &run->problems[job]) == RF_OK)
        run->problems[job].code = NULL;
    return RF_OK; /* the other files are read all the same */
}

static bool is_shown(const struct sigma_rule *rule) { return !rule->inner && !rule->failed; }

static enum rf_kind print_jsonl(const struct run *run, const struct scan_job *job,
                                struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 30);
    struct rf_buf buf = rf_buf_in(&arena);
    for (uint32_t i = 0; i < run->set->rule_count; i++) {
        if (!is_shown(run->set->rules[i])) continue;
        struct json_out out = json_out_to(&buf);
        json_begin_object(&out, NULL);
        json_put_text(&out, "rule_id", sigma_rule_label(run->set->rules[i]));
        json_put_text(&out, "file", rf_str_of(job->path));
        json_put_i64(&out, "matches", (int64_t)job->results[i].matches);
        put_lines(&out, &job->results[i]);
        json_end_object(&out);
        rf_buf_byte(&buf, '\n');
    }
    if (buf.failed) return rf_fail_memory(err, &arena);
    (void)fwrite(buf.ptr, 1, buf.len, stdout);
    return RF_OK;
}

static void print_text(const struct run *run, const struct scan_job *job)
{
    for (uint32_t i = 0; i < run->set->rule_count; i++) {
        const struct sigma_rule *rule = run->set->rules[i];
        const struct scan_result *result = &job->results[i];
        if (!is_shown(rule) || result->matches == 0) continue;
        printf("%8llu  %-13.*s ", (unsigned long long)result->matches, RF_FMT(rule->level));
        (void)cli_text_print(stdout, rule->title.len > 0 ? rule->title : sigma_rule_label(rule),
                             TITLE_WIDTH);
        printf("\n          ");
        (void)cli_text_print(stdout, sigma_rule_label(rule), TITLE_WIDTH);
        printf("  %s, line", job->path);
        for (uint64_t k = 0; k < result->matches && k < SCAN_FIRST_LINES; k++)
            printf(" %llu", (unsigned long long)result->first_lines[k]);
        printf(result->matches > SCAN_FIRST_LINES ? " ...\n" : "\n");
    }
}

/* How many rules of how many match anything. */
static void print_sum(const struct run *run)
{
    uint32_t shown = 0, matching = 0;
    for (uint32_t i = 0; i < run->set->rule_count; i++) {
        bool matches = false;
        if (!is_shown(run->set->rules[i])) continue;
        for (size_t j = 0; j < run->job_count; j++)
            matches = matches || run->jobs[j].results[i].matches > 0;
        shown++;
        matching += matches;
    }
    printf("%u of %u rules match\n", matching, shown);
}

static void say_job(const struct scan_job *job, const struct rf_err *problem)
{
    if (problem->code != NULL) cli_say("%s: %s: %s", job->path, problem->code, problem->text);
    if (job->bad_lines > 0)
        cli_say("warning: %s: %llu line%s left out, the first in line %llu: %s", job->path,
                (unsigned long long)job->bad_lines, job->bad_lines == 1 ? " is" : "s are",
                (unsigned long long)job->first_bad_line, job->bad_reason);
    if (job->without_time > 0)
        cli_say("warning: %s: %llu matching events have no time, and take no part in correlations",
                job->path, (unsigned long long)job->without_time);
}

static double seconds_of(rf_usec usec) { return (double)usec / RF_USEC_PER_SECOND; }

static void say_stats(const struct run *run, struct spent loading, struct spent running)
{
    struct match_stats sum = {0};
    for (unsigned i = 0; i < run->worker_count; i++) {
        struct match_stats s = scan_worker_stats(run->workers[i]);
        sum.events += s.events;
        sum.classes += s.classes;
        sum.candidates += s.candidates;
        sum.evaluated_atoms += s.evaluated_atoms;
        sum.matches += s.matches;
    }
    cli_say("%u rules in %.3f s (%.3f s of CPU)", run->set->rule_count, seconds_of(loading.elapsed),
            seconds_of(loading.cpu));
    cli_say("%llu events in %.3f s (%.3f s of CPU, %.0f events per second of CPU); %llu classes, "
            "%llu candidates, %llu tests, "
            "%llu matches",
            (unsigned long long)sum.events, seconds_of(running.elapsed), seconds_of(running.cpu),
            running.cpu > 0 ? (double)sum.events / seconds_of(running.cpu) : 0,
            (unsigned long long)sum.classes, (unsigned long long)sum.candidates,
            (unsigned long long)sum.evaluated_atoms, (unsigned long long)sum.matches);
}

static enum rf_kind prepare(struct run *run, struct rf_arena *arena, struct rf_err *err)
{
    const struct sigma_args *args = run->args;
    unsigned threads = args->threads == 0 ? (unsigned)cli_workers() : args->threads;
    run->job_count = args->word_count - 1;
    run->jobs = rf_arena_new(arena, struct scan_job, run->job_count);
    run->problems = rf_arena_new(arena, struct rf_err, run->job_count);
    if (args->matches) threads = 1; /* events in the order of files */
    threads = (unsigned)RF_MIN((size_t)threads, run->job_count);
    run->workers = rf_arena_new(arena, struct scan_worker *, threads);
    if (run->jobs == NULL || run->problems == NULL || run->workers == NULL)
        return rf_fail_memory(err, arena);
    for (size_t i = 0; i < run->job_count; i++) {
        run->jobs[i] = (struct scan_job){
            .path = args->words[i + 1],
            .layout = args->layout,
            .results = rf_arena_new(arena, struct scan_result, run->set->rule_count),
            .on_match = args->matches ? show_match : NULL,
            .ctx = run};
        if (run->jobs[i].results == NULL) return rf_fail_memory(err, arena);
    }
    RF_TRY(scan_rules_new(run->set, &run->rules, err));
    for (; run->worker_count < threads; run->worker_count++)
        RF_TRY(scan_worker_new(run->rules, &run->workers[run->worker_count], err));
    return RF_OK;
}

static void run_done(struct run *run)
{
    for (unsigned i = 0; i < run->worker_count; i++) scan_worker_free(run->workers[i]);
    scan_rules_free(run->rules);
}

static enum rf_kind run_jobs(struct run *run, struct rf_err *err)
{
    struct pool *pool = NULL;
    if (run->worker_count > 1) RF_TRY(pool_new(run->worker_count, &pool, err));
    enum rf_kind kind = pool_run(pool, run->job_count, run_job, run, err);
    pool_free(pool);
    return kind;
}

static enum rf_kind run_rules(struct run *run, struct rf_arena *arena, struct spent loading,
                              bool *fine, struct rf_err *err)
{
    RF_TRY(prepare(run, arena, err));
    struct spent from = spent_now();
    RF_TRY(run_jobs(run, err));
    struct spent running = spent_since(from);
    for (size_t i = 0; i < run->job_count; i++) {
        if (run->problems[i].code != NULL) *fine = false;
        fflush(stdout);
        say_job(&run->jobs[i], &run->problems[i]);
        if (run->problems[i].code != NULL || run->args->matches) continue;
        if (run->args->jsonl)
            RF_TRY(print_jsonl(run, &run->jobs[i], err));
        else
            print_text(run, &run->jobs[i]);
    }
    if (!run->args->jsonl && !run->args->matches) print_sum(run);
    if (run->args->stats) say_stats(run, loading, running);
    return RF_OK;
}

int cli_sigma_run(const struct sigma_args *args, const struct sigma_set *set, struct spent loading,
                  struct rf_arena *arena)
{
    struct rf_err err = {0};
    struct run run = {.args = args, .set = set};
    bool fine = set->problem_count == 0;
    for (uint32_t i = 0; i < set->problem_count; i++) cli_sigma_say_problem(&set->problems[i]);
    enum rf_kind kind = run_rules(&run, arena, loading, &fine, &err);
    run_done(&run);
    if (kind != RF_OK) return cli_say_error(&err, (rf_str){NULL, 0}, NULL);
    return fine ? CLI_OK : CLI_FAILED;
}
