/* key_scan - looks for the keeper's secrets where they must not be.
 *
 *   key_scan DATA KEEPER-COPY LOG SERVER-PID PID...
 *
 * Drives a running server for a while, learns its secrets from a copy of DATA/keeper, and looks for them in the memory of each
 * process, in its words and environment, in LOG and in every file below DATA but DATA/keeper. A private key is looked for
 * in pieces of 24 bytes of its numbers, most significant byte first and last, and as hexadecimal digits and base64.
 *
 * The controls: a secret of its own must be found in its own memory, and the store's key, which the server has for good reason, in
 * the server's. Exit status 77: this machine does not let us look into other processes. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <unistd.h>

#include <openssl/bn.h>
#include <openssl/evp.h>

#include "crypt/keeper_int.h"
#include "lib/azure_client.h"

enum { PIECE_BYTES = 24, NEEDLES_MAX = 2048, BLOCK_BYTES = 1 << 20, OVERLAP_BYTES = 256 };
#define TABLE "Scan_CL"

struct needle {
    const char *what;
    rf_str bytes;
    bool files_only; /* the server has it in its memory for good reason */
    bool is_client;  /* may be in bootstrap.json */
};

struct scan {
    struct rf_arena arena;
    struct needle needles[NEEDLES_MAX];
    uint32_t count;
    uint32_t by_front[1 << 16]; /* index plus one of the first needle with these two bytes */
    uint32_t next[NEEDLES_MAX];
    uint64_t bytes; /* looked at */
    uint32_t files, found;
    bool in_files, in_bootstrap, is_control;
};

static void add(struct scan *scan, const char *what, rf_str bytes, bool files_only, bool is_client)
{
    if (scan->count == NEEDLES_MAX || bytes.len < 16 || bytes.len > OVERLAP_BYTES)
        azure_die("needle", rf_str_of(what));
    uint32_t front = rf_get_u16le(bytes.ptr);
    scan->needles[scan->count] = (struct needle){what, bytes, files_only, is_client};
    scan->next[scan->count] = scan->by_front[front];
    scan->by_front[front] = ++scan->count;
}

/* Tells what is found; gives whether anything was. */
static bool look(struct scan *scan, rf_str where, rf_str bytes)
{
    bool any = false;
    for (size_t at = 0; at + 1 < bytes.len; at++) {
        uint32_t i = scan->by_front[rf_get_u16le(bytes.ptr + at)];
        for (; i != 0; i = scan->next[i - 1]) {
            const struct needle *n = &scan->needles[i - 1];
            if (n->bytes.len > bytes.len - at || (n->files_only && !scan->in_files) ||
                (n->is_client && scan->in_bootstrap) ||
                memcmp(bytes.ptr + at, n->bytes.ptr, n->bytes.len) != 0)
                continue;
            if (!scan->is_control) printf("found: %s in %.*s\n", n->what, RF_FMT(where));
            scan->found++;
            any = true;
        }
    }
    return any;
}

/* ---- what to look for ------------------------------------------------------------------------------------------------- */

static rf_str copy_of(struct scan *scan, rf_str bytes)
{
    rf_str copy;
    if (!rf_arena_str(&scan->arena, bytes, &copy)) azure_die("memory", RF_S(""));
    return copy;
}

static void add_forms(struct scan *scan, const char *what, rf_str bytes, bool files_only)
{
    add(scan, what, copy_of(scan, bytes), files_only, false);
    struct rf_buf hex = rf_buf_in(&scan->arena);
    for (size_t i = 0; i < bytes.len; i++) rf_buf_printf(&hex, "%02x", bytes.ptr[i]);
    add(scan, what, rf_buf_view(&hex), files_only, false);
    for (size_t from = 0; from < 3; from++) { /* wherever it began in the text */
        rf_str part = rf_slice(bytes, from, bytes.len - (bytes.len - from) % 3);
        add(scan, what, base64_encode(&scan->arena, part), files_only, false);
    }
}

static void add_number(struct scan *scan, const char *what, EVP_PKEY *key, const char *name)
{
    BIGNUM *number = NULL;
    uint8_t bytes[512], turned[512];
    if (EVP_PKEY_get_bn_param(key, name, &number) != 1)
        azure_die("no such number", rf_str_of(what));
    size_t len = (size_t)BN_bn2bin(number, bytes);
    for (size_t i = 0; i < len; i++) turned[i] = bytes[len - 1 - i];
    for (size_t at = 0; at + PIECE_BYTES <= len; at += PIECE_BYTES) {
        add_forms(scan, what, rf_str_make(bytes + at, PIECE_BYTES), false);
        add_forms(scan, what, rf_str_make(turned + at, PIECE_BYTES), false);
    }
    BN_clear_free(number);
}

/* Gives the store's key in *store. */
static void learn(struct scan *scan, const char *folder, uint8_t store[KEEPER_SECRET_BYTES])
{
    static const char *const numbers[] = {
        "d", "rsa-factor1", "rsa-factor2", "rsa-exponent1", "rsa-exponent2", "rsa-coefficient1"};
    struct keeper_core *core;
    struct rf_err err;
    struct keeper_core_options options = {
        .folder = folder, .domain = RF_S("ringfort.localhost"), .clock = rf_clock_real()};
    if (keeper_core_new(&options, &core, &err) != RF_OK) azure_die(folder, rf_str_of(err.text));
    const struct keeper_keys *keys = keeper_core_keys(core);
    uint32_t generation = keeper_root_generation(keys);
    add_forms(scan, "the root key",
              rf_str_make(root_seal_key(&keys->seal, generation), ROOT_KEY_BYTES), false);
    add_forms(scan, "the key that seals keys",
              rf_str_make(keys->file.sealing_key, sizeof keys->file.sealing_key), false);
    add_forms(scan, "the key of the audit log",
              rf_str_make(keys->audit.key, sizeof keys->audit.key), false);
    keeper_derive(keys, ROOT_BASE_STORE, store);
    add_forms(scan, "the key of the store", rf_str_make(store, KEEPER_SECRET_BYTES), true);
    add_number(scan, "the CA's private key", keys->ca, "priv");
    add_number(scan, "the private key of TLS", keys->tls, "priv");
    for (uint32_t i = 0; i < keys->jwt_count; i++)
        for (size_t n = 0; n < RF_COUNT(numbers); n++)
            add_number(scan, "a private key of token signing", keys->jwt[i].key, numbers[n]);
    keeper_core_free(core);
}

/* ---- driving ------------------------------------------------------------------------------------------------------------- */

static void drive(struct azure *a)
{
    struct http_answer answer;
    azure_sign_in(a);
    azure_prepare(a, TABLE);
    for (int i = 0; i < 30; i++) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        rf_arena_init(&arena, 4 << 20);
        azure_connect(a); /* another handshake, another signature */
        if (!azure_fetch_token(a, i % AZURE_AUDIENCES)) azure_die("token", RF_S("refused"));
        if (azure_call(a, "POST", azure_stream(a, TABLE, &arena), AZURE_INGEST, "application/json",
                       RF_S("[{\"Batch\":\"x\",\"Row\":1}]"), &arena, &answer) != 204 ||
            azure_call(a, "POST", azure_query_path(a, &arena), AZURE_LOGS, "application/json",
                       RF_S("{\"query\":\"" TABLE " | count\"}"), &arena, &answer) != 200)
            azure_die("a call", answer.body);
        /* Where a careless client puts its secret: nowhere may it be written down. */
        rf_str secret = percent_encode(&arena, azure_boot(a, "client_secret"));
        rf_str careless = rf_arena_printf(
            &arena, "/subscriptions?api-version=2022-12-01&client_secret=%.*s", RF_FMT(secret));
        (void)azure_call(a, "GET", careless, i % 2 == 0 ? AZURE_ARM : AZURE_NO_TOKEN, "",
                         (rf_str){0}, &arena, &answer);
        if (i < 5) /* more would be held off for a while */
            (void)azure_ask_token(a, RF_S("not the secret"), AZURE_ARM, &arena, &answer);
    }
}

/* What clients hold must be in no file either. */
static void learn_clients(struct scan *scan, const struct azure *a)
{
    rf_str secret = azure_boot(a, "client_secret");
    add(scan, "the client secret", copy_of(scan, secret), true, true);
    rf_str encoded = percent_encode(&scan->arena, secret);
    if (!rf_str_eq(encoded, secret)) add(scan, "the client secret, encoded", encoded, true, true);
    for (int i = 0; i < AZURE_AUDIENCES; i++) {
        rf_str token = a->tokens[i];
        add(scan, "a token", copy_of(scan, rf_slice(token, token.len - 40, token.len)), true, true);
    }
}

/* ---- looking --------------------------------------------------------------------------------------------------------------- */

/* Reads from `from` to `to` (or the end) in overlapping blocks. */
static bool look_in(struct scan *scan, int fd, uint64_t from, uint64_t to, rf_str where)
{
    static uint8_t block[BLOCK_BYTES + OVERLAP_BYTES];
    size_t kept = 0;
    bool any = false;
    while (from < to) {
        ssize_t got =
            pread(fd, block + kept, RF_MIN(to - from, (uint64_t)BLOCK_BYTES), (off_t)from);
        if (got <= 0) break;
        size_t have = kept + (size_t)got;
        any |= look(scan, where, rf_str_make(block, have));
        scan->bytes += (uint64_t)got;
        from += (uint64_t)got;
        kept = RF_MIN(have, (size_t)OVERLAP_BYTES);
        memmove(block, block + have - kept, kept);
    }
    return any;
}

static int open_proc(const char *pid, const char *name)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%s/%s", pid, name);
    return open(path, O_RDONLY | O_CLOEXEC);
}

static bool look_in_process(struct scan *scan, const char *pid)
{
    char path[64], line[512];
    unsigned long from, to;
    uint64_t before = scan->bytes;
    bool any = false;
    int memory = open_proc(pid, "mem");
    if (memory < 0 && (errno == EACCES || errno == EPERM)) {
        printf("the memory of other processes cannot be read here\n");
        exit(77);
    }
    (void)snprintf(path, sizeof path, "/proc/%s/maps", pid);
    FILE *maps = fopen(path, "r");
    if (memory < 0 || maps == NULL) azure_die("no such process", rf_str_of(pid));
    while (fgets(line, sizeof line, maps) != NULL)
        if (sscanf(line, "%lx-%lx r", &from, &to) == 2 && strstr(line, "[vsyscall]") == NULL)
            any |= look_in(scan, memory, from, to, rf_str_of(pid));
    (void)fclose(maps);
    close(memory);
    if (scan->bytes - before < 1 << 20) {
        printf("the memory of process %s cannot be read here\n", pid);
        exit(77);
    }
    static const char *const texts[] = {"cmdline", "environ"};
    scan->in_files = true;
    for (size_t i = 0; i < RF_COUNT(texts); i++) {
        int fd = open_proc(pid, texts[i]);
        if (fd < 0) azure_die(texts[i], rf_str_of(pid));
        any |= look_in(scan, fd, 0, UINT64_MAX, rf_str_of(texts[i]));
        close(fd);
    }
    scan->in_files = false;
    return any;
}

static struct scan *of_walk; /* nftw() passes no context */

static int look_in_file(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)status;
    rf_str name = rf_str_of(path + ftw->base);
    if (type == FTW_D && ftw->level == 1 && rf_str_is(name, "keeper")) return FTW_SKIP_SUBTREE;
    if (type != FTW_F) return FTW_CONTINUE;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return FTW_CONTINUE; /* gone meanwhile */
    of_walk->in_files = true;
    of_walk->in_bootstrap = rf_str_is(name, "bootstrap.json");
    (void)look_in(of_walk, fd, 0, UINT64_MAX, rf_str_of(path));
    of_walk->in_files = of_walk->in_bootstrap = false;
    of_walk->files++;
    close(fd);
    return FTW_CONTINUE;
}

/* ---- controls ----------------------------------------------------------------------------------------------------------------- */

static void must(bool holds, const char *what)
{
    if (holds) return;
    printf("FAILED: %s\n", what);
    exit(1);
}

static void check_controls(const char *server, const uint8_t *store)
{
    static struct scan control = {.is_control = true};
    char own[16];
    uint8_t planted[32];
    rf_arena_init(&control.arena, 1 << 20);
    random_bytes(planted, sizeof planted);
    (void)snprintf(own, sizeof own, "%d", (int)getpid());
    add(&control, "the planted secret", rf_str_make(planted, sizeof planted), false, false);
    must(look_in_process(&control, own), "a planted secret is not found");
    control.found = 0;
    add(&control, "the store's key", rf_str_make(store, KEEPER_SECRET_BYTES), false, false);
    must(look_in_process(&control, server), "the store's key is not found in the server");
    printf("controls: found in this process and in the server\n");
    rf_arena_done(&control.arena);
}

int main(int argc, char **argv)
{
    static struct scan scan;
    struct azure azure;
    uint8_t store[KEEPER_SECRET_BYTES];
    char path[4096];
    if (argc < 5) azure_die("usage", RF_S("key_scan DATA KEEPER-COPY LOG SERVER-PID PID..."));
    rf_arena_init(&scan.arena, 64 << 20);
    (void)snprintf(path, sizeof path, "%s/bootstrap.json", argv[1]);
    azure_init(&azure, path);
    drive(&azure);
    learn(&scan, argv[2], store);
    learn_clients(&scan, &azure);
    check_controls(argv[4], store);
    for (int i = 4; i < argc; i++) (void)look_in_process(&scan, argv[i]);
    of_walk = &scan;
    must(nftw(argv[1], look_in_file, 32, FTW_PHYS | FTW_ACTIONRETVAL) == 0, "cannot walk the data");
    must(scan.files >= 5, "the data has hardly a file");
    int log = open(argv[3], O_RDONLY | O_CLOEXEC);
    scan.in_files = true;
    (void)look_in(&scan, log, 0, UINT64_MAX, rf_str_of("the log"));
    printf("%u needles, %llu MiB of memory and files, %u files: %u found\n", scan.count,
           (unsigned long long)(scan.bytes >> 20), scan.files, scan.found);
    explicit_bzero(store, sizeof store);
    azure_done(&azure);
    return scan.found == 0 ? 0 : 1;
}
