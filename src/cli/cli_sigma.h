/* cli_sigma.h - what the verbs of ringfort sigma share. */
#ifndef RF_CLI_SIGMA_H
#define RF_CLI_SIGMA_H

#include "base/clock.h"
#include "sigma/layout.h"

struct sigma_args {
    const char **rules, **words; /* words[0] is the verb */
    size_t rule_count, word_count;
    struct sigma_placeholder *placeholders;
    uint32_t placeholder_count;
    const struct layout *layout; /* NULL: not given */
    const char *table;           /* NULL: not given */
    unsigned threads;            /* 0: not given */
    bool jsonl, matches, stats;
};

/* Times of one part: by the clock, and of CPU. */
struct spent {
    rf_usec elapsed, cpu;
};
static inline struct spent spent_now(void)
{
    return (struct spent){rf_clock_elapsed(rf_clock_real()), rf_clock_cpu()};
}
static inline struct spent spent_since(struct spent from)
{
    struct spent now = spent_now();
    return (struct spent){now.elapsed - from.elapsed, now.cpu - from.cpu};
}

/* The verbs; each gives an enum cli_exit. */
int cli_sigma_run(const struct sigma_args *args, const struct sigma_set *set, struct spent loading,
                  struct rf_arena *arena);
int cli_sigma_compile(const struct sigma_args *args, const struct sigma_set *set,
                      struct spent loading, struct rf_arena *arena);
/* Says what is wrong with a rule, with file and line. */
void cli_sigma_say_problem(const struct sigma_problem *problem);

#endif
