/* generate - an hour in the life of Contoso Shipping, as JSON lines.
 *
 *   cc -O2 -o generate generate.c
 *   ./generate --out DIR [--seed N] [--start ISO] [--minutes N] [--scale N] [--no-attack]
 *
 * Writes one file a table into DIR, rows in time order, and DIR/truth.json with what was planted.
 * The same arguments give the same bytes. Daily life and the attack draw from separate random
 * streams: with --no-attack the planted rows are missing and all others are the same.
 *
 * The attack lies in the last hour of the run; a run that is shorter than an hour squeezes it.
 * Addresses are from the blocks that RFC 2544, RFC 5737 and RFC 1918 keep free of real owners. */
#define _GNU_SOURCE
#include "attack.h"

#include <getopt.h>
#include <sys/stat.h>

static void usage(FILE *to)
{
    fputs(
        "usage: generate --out DIR [--seed N] [--start ISO] [--minutes N] [--scale N] "
        "[--no-attack]\n"
        "  --out DIR     folder for one JSON lines file a table and truth.json; made when missing\n"
        "  --seed N      other daily life, same story (1)\n"
        "  --start ISO   time of the first row (2026-03-02T06:00:00Z)\n"
        "  --minutes N   length of the run, 1 to 10080 (60); the attack lies in its last hour\n"
        "  --scale N     size of the estate, 1 to 100 (1: about 90,000 rows an hour)\n"
        "  --no-attack   a quiet hour\n",
        to);
}

static uint64_t number(const char *name, const char *text, uint64_t from, uint64_t to)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno != 0 || text[0] < '0' || text[0] > '9' || *end != '\0' || value < from ||
        value > to) {
        fprintf(stderr, "generate: --%s wants a number from %llu to %llu\n", name,
                (unsigned long long)from, (unsigned long long)to);
        exit(2);
    }
    return value;
}

struct options {
    const char *out;
    int64_t start;
    uint64_t seed;
    uint32_t minutes, scale;
    bool quiet;
};

static struct options options_read(int argc, char **argv)
{
    static const struct option longs[] = {
        {"out", required_argument, NULL, 'o'},   {"seed", required_argument, NULL, 's'},
        {"start", required_argument, NULL, 't'}, {"minutes", required_argument, NULL, 'm'},
        {"scale", required_argument, NULL, 'x'}, {"no-attack", no_argument, NULL, 'q'},
        {"help", no_argument, NULL, 'h'},        {NULL, 0, NULL, 0},
    };
    struct options o = {
        .seed = 1, .minutes = 60, .scale = 1, .start = time_of("2026-03-02T06:00:00Z")};
    for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        switch (c) {
        case 'o':
            o.out = optarg;
            break;
        case 's':
            o.seed = number("seed", optarg, 0, UINT64_MAX);
            break;
        case 't':
            o.start = time_of(optarg);
            break;
        case 'm':
            o.minutes = (uint32_t)number("minutes", optarg, 1, 10080);
            break;
        case 'x':
            o.scale = (uint32_t)number("scale", optarg, 1, 100);
            break;
        case 'q':
            o.quiet = true;
            break;
        case 'h':
            usage(stdout);
            exit(0);
        default:
            usage(stderr);
            exit(2);
        }
    }
    if (o.out == NULL || optind != argc) {
        usage(stderr);
        exit(2);
    }
    return o;
}

static void daily_life(uint32_t minutes, uint32_t scale)
{
    struct stream signins = stream_of(estate.seed, 1), machines = stream_of(estate.seed, 2);
    struct stream cloud = stream_of(estate.seed, 3), air = stream_of(estate.seed, 4),
                  road = stream_of(estate.seed, 5);
    for (uint32_t minute = 0; minute < minutes; minute++) {
        int64_t from = estate.start + minute * MINUTE;
        signins_minute(&signins, from, within(&signins, 32, 44) * scale);
        servers_minute(&machines, from, minute, scale);
        cloud_minute(&cloud, from, minute, scale);
        drones_minute(&air, from + MINUTE);
        trucks_minute(&road, from + MINUTE);
        for (size_t t = 0; t < TABLES; t++) flush_until(&tables[t], from + MINUTE);
    }
}

int main(int argc, char **argv)
{
    struct options o = options_read(argc, argv);
    if (mkdir(o.out, 0777) != 0 && errno != EEXIST) die("%s: %s", o.out, strerror(errno));
    estate_build(o.seed, o.scale, o.start, o.start + o.minutes * MINUTE);
    for (size_t t = 0; t < TABLES; t++) {
        tables[t].file = open_in(o.out, tables[t].name, ".jsonl");
        tables[t].first = estate.start;
        tables[t].last = estate.end;
    }
    struct stream build = stream_of(o.seed, 0);
    vehicles_build(&build);

    char text[2][32];
    stamp(text[0], estate.start);
    stamp(text[1], estate.end);
    truth = open_in(o.out, "truth", ".json");
    fprintf(truth,
            "[{\"step\":\"run\",\"techniques\":\"\",\"start\":\"%s\",\"end\":\"%s\",\"table\":\"\","
            "\"rows\":0,"
            "\"entities\":{\"seed\":%llu,\"minutes\":%u,\"scale\":%u,\"attack\":%s}}",
            text[0], text[1], (unsigned long long)o.seed, o.minutes, o.scale,
            o.quiet ? "false" : "true");
    if (!o.quiet) attack();
    fputs("]\n", truth);
    close_file(truth, "truth.json");

    daily_life(o.minutes, o.scale);
    uint64_t total = 0;
    for (size_t t = 0; t < TABLES; t++) {
        flush_until(&tables[t], INT64_MAX);
        close_file(tables[t].file, tables[t].name);
        free(tables[t].rows);
        total += tables[t].written;
        fprintf(stderr, "%-20s %9llu rows\n", tables[t].name,
                (unsigned long long)tables[t].written);
    }
    fprintf(stderr, "%-20s %9llu rows in %s\n", "total", (unsigned long long)total, o.out);
    free(servers);
    free(drones);
    free(trucks);
    return 0;
}
