/* cli_device.c - ringfort device: the devices of a namespace of event hubs and their certificates. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/fs.h"
#include "cli/cli.h"
#include "cli/cli_device_files.h"
#include "cli/cli_format.h"
#include "cli/cli_list.h"
#include "cli/cli_server.h"
#include "crypt/device.h"
#include "crypt/x509.h"

enum { ANSWER_BYTES_MAX = 256 << 20, HUBS_MAX = 64, WORDS_MAX = 4097 };
#define VERSION "2024-01-01"
#define NAMESPACES "Microsoft.EventHub/namespaces"
#define EST "/.well-known/est"
#define PEM_TYPE "application/x-pem-file"

enum {
    OPT_SERVER,
    OPT_NAMESPACE = OPT_SERVER + CLI_SERVER_OPTION_COUNT,
    OPT_HUB,
    OPT_OUT,
    OPT_DAYS,
    OPT_AGAIN,
    OPT_CSR,
    OPT_CODE,
    OPT_MINUTES,
    OPT_CODE_FILE,
    OPT_SERIAL,
    OPT_ISSUER,
    OPT_FORMAT
};
static const struct cli_option options[] = {
    CLI_SERVER_OPTIONS(OPT_SERVER),
    [OPT_NAMESPACE] = {"namespace", "NAME", "the devices' namespace; the first unless given"},
    [OPT_HUB] = {"hub", "HUB",
                 "enrol: a hub that the devices may send to; may be repeated; those of before "
                 "unless given"},
    [OPT_OUT] = {"out", "FOLDER",
                 "enrol, renew: where NAME.key (mode 0600) and NAME.pem are; here unless given"},
    [OPT_DAYS] = {"days", "N", "enrol: how long certificates are good, 1 to 398 (90)"},
    [OPT_AGAIN] = {"again", NULL, "enrol: also devices that were revoked"},
    [OPT_CSR] = {"csr", "FILE",
                 "enrol: the device's own request (PKCS #10), so that its key stays with it; - is "
                 "standard input"},
    [OPT_CODE] = {"code", NULL,
                  "enrol: print a code, by which the device gets its certificate, once"},
    [OPT_MINUTES] = {"minutes", "N", "enrol --code: how long the code is good, 1 to 1440 (15)"},
    [OPT_CODE_FILE] = {"code-file", "FILE",
                       "enrol, on the device: the code that the operator gave; - is standard "
                       "input"},
    [OPT_SERIAL] = {"serial", "HEX", "revoke: this certificate only"},
    [OPT_ISSUER] = {"issuer", "URL",
                    "enrol: vault://VAULT/ISSUER, an authority of a vault that issues the "
                    "certificates from now on; 'own': the installation's own"},
    [OPT_FORMAT] = {"format", "FORMAT", "list: table, csv, markdown, json or jsonl"},
};
static const struct cli_usage usage = {
    .command = "device",
    .words = "enrol NAME... | renew NAME... | revoke NAME... | list | show NAME",
    .doc =
        "Devices send to event hubs as themselves, by a certificate. 'enrol' makes a key and has "
        "the server\nissue a certificate for it; 'renew' follows it up with the certificate "
        "alone; 'revoke' ends a\ndevice, or one of its certificates, at once.",
    .options = options,
    .option_count = RF_COUNT(options),
    .notes = "  ringfort device enrol truck-7 --hub telemetry --out certificates\n"
             "  ringfort device enrol truck-8 --hub telemetry --csr truck-8.csr\n"
             "  ringfort device enrol truck-9 --hub telemetry --code\n"
             "  ringfort device enrol truck-9 --server https://hub.example:8443 --ca ca.pem "
             "--code-file -\n"
             "  ringfort device renew truck-7 --out certificates\n"
             "  ringfort device revoke truck-7 --serial 4a1f0c...\n",
};

struct device_args {
    struct cli_server_args server;
    const char *names, *out, *csr, *code_file, *serial, *issuer;
    const char *hubs[HUBS_MAX];
    uint32_t hub_count;
    const char **words;
    uint32_t word_count;
    int64_t days, minutes; /* 0: not given */
    bool again, wants_code;
    enum cli_format format;
};
struct device_call {
    struct cli_server *server; /* NULL: the device asks for itself */
    const struct device_args *args;
    struct rf_arena *arena;
    rf_str devices; /* id of the collection */
    rf_str code;    /* of --code-file */
};

/* ---- arguments --------------------------------------------------------------------------------------------------------- */

static bool parse_number(const char *text, int64_t most, int64_t *out)
{
    char *end;
    if (!rf_is_digit((uint8_t)text[0]) || strlen(text) > 9) return false;
    *out = strtoll(text, &end, 10);
    return *end == '\0' && *out >= 1 && *out <= most;
}

static int take_option(int at, const char *value, struct device_args *args)
{
    switch (at) {
    case OPT_NAMESPACE:
        args->names = value;
        return CLI_OK;
    case OPT_HUB:
        if (args->hub_count == HUBS_MAX)
            return cli_wrong(&usage, "--hub: %d are the most; put the resource instead", HUBS_MAX);
        args->hubs[args->hub_count++] = value;
        return CLI_OK;
    case OPT_OUT:
        args->out = value;
        return CLI_OK;
    case OPT_CSR:
        args->csr = value;
        return CLI_OK;
    case OPT_CODE_FILE:
        args->code_file = value;
        return CLI_OK;
    case OPT_SERIAL:
        args->serial = value;
        return CLI_OK;
    case OPT_ISSUER:
        args->issuer = value;
        return CLI_OK;
    case OPT_AGAIN:
        args->again = true;
        return CLI_OK;
    case OPT_CODE:
        args->wants_code = true;
        return CLI_OK;
    case OPT_DAYS:
        if (parse_number(value, DEVICE_CERTIFICATE_DAYS_MAX, &args->days)) return CLI_OK;
        return cli_wrong(&usage, "--days: '%s' is no number from 1 to %d", value,
                         DEVICE_CERTIFICATE_DAYS_MAX);
    case OPT_MINUTES:
        if (parse_number(value, 1440, &args->minutes)) return CLI_OK;
        return cli_wrong(&usage, "--minutes: '%s' is no number from 1 to 1440", value);
    case OPT_FORMAT:
        if (cli_format_parse(value, &args->format) && args->format != CLI_CHART) return CLI_OK;
        return cli_wrong(&usage, "--format: '%s' is not table, json, jsonl, csv or markdown",
                         value);
    default:
        return cli_server_option(at, OPT_SERVER, value, &args->server) ? CLI_OK : CLI_WRONG_USE;
    }
}

static int check_enrol(const struct device_args *args)
{
    if ((args->csr != NULL) + args->wants_code + (args->code_file != NULL) > 1)
        return cli_wrong(&usage, "--csr, --code and --code-file exclude each other");
    if ((args->csr != NULL || args->code_file != NULL) && args->word_count != 2)
        return cli_wrong(&usage, "--csr and --code-file are for one device");
    if (args->minutes != 0 && !args->wants_code)
        return cli_wrong(&usage, "--minutes is for --code");
    if (args->code_file != NULL &&
        (args->hub_count > 0 || args->days != 0 || args->again || args->issuer != NULL))
        return cli_wrong(&usage,
                         "--hub, --days, --issuer and --again are the operator's, with --code");
    return CLI_OK;
}

static int check_words(const struct device_args *args)
{
    static const char *const verbs[] = {"enrol", "renew", "revoke", "list", "show"};
    const char *verb = args->word_count == 0 ? "" : args->words[0];
    size_t i = 0;
    if (args->word_count == 0)
        return cli_wrong(&usage, "enrol, renew, revoke, list or show is needed");
    if (strcmp(verb, "enroll") == 0) verb = verbs[0];
    while (i < RF_COUNT(verbs) && strcmp(verb, verbs[i]) != 0) i++;
    if (i == RF_COUNT(verbs))
        return cli_wrong(&usage, "'%s' is not enrol, renew, revoke, list or show", verb);
    if (strcmp(verb, "list") == 0)
        return args->word_count == 1 ? CLI_OK
                                     : cli_wrong(&usage, "'%s' is not expected", args->words[1]);
    if (args->word_count == 1) return cli_wrong(&usage, "%s needs the name of a device", verb);
    if (strcmp(verb, "show") == 0 && args->word_count > 2)
        return cli_wrong(&usage, "'%s' is not expected", args->words[2]);
    if (args->serial != NULL && (strcmp(verb, "revoke") != 0 || args->word_count > 2))
        return cli_wrong(&usage, "--serial is for revoke, of one device");
    for (uint32_t w = 1; w < args->word_count; w++)
        if (!device_name_is_good(rf_str_of(args->words[w])))
            return cli_wrong(&usage,
                             "'%s' is no name of a device: 1 to %d letters, digits, '.', '-' and "
                             "'_', with a letter or digit at both ends",
                             args->words[w], DEVICE_NAME_BYTES_MAX);
    return strcmp(verb, "enrol") == 0 ? check_enrol(args) : CLI_OK;
}

static int read_args(int argc, char **argv, struct device_args *args)
{
    struct cli_line line = cli_line_of(&usage, argc, argv);
    for (int at; (at = cli_next(&line)) != CLI_END;) {
        if (at == CLI_HELP) return CLI_HELP;
        if (at == CLI_WRONG) return CLI_WRONG_USE;
        if (at == CLI_WORD) {
            if (args->word_count == WORDS_MAX)
                return cli_wrong(&usage, "more than %d devices at a time", WORDS_MAX - 1);
            args->words[args->word_count++] = line.value;
            continue;
        }
        int status = take_option(at, line.value, args);
        if (status != CLI_OK) return status;
    }
    return check_words(args);
}

/* ---- the operator's part ------------------------------------------------------------------------------------------------ */

static enum rf_kind find_devices(struct device_call *call, struct rf_err *err)
{
    struct json_node *list;
    rf_str names = call->args->names == NULL ? RF_S("") : rf_str_of(call->args->names), target;
    if (names.len == 0) {
        target = rf_arena_printf(
            call->arena, "/subscriptions/%.*s/providers/" NAMESPACES "?api-version=" VERSION,
            RF_FMT(cli_server_site(call->server)->subscription_id));
        if (target.ptr == NULL) return rf_fail_memory(err, call->arena);
        RF_TRY(cli_server_list(call->server, target, call->arena, &list, err));
        if (list->count == 0)
            return RF_FAIL(err, RF_NOT_FOUND, "NoNamespace", "the server has no namespace");
        names = json_text_at(list->first, "id");
    } else {
        RF_TRY(cli_server_id(call->server,
                             rf_arena_printf(call->arena, NAMESPACES "/%.*s", RF_FMT(names)),
                             call->arena, &names, err));
    }
    call->devices = rf_arena_printf(call->arena, "%.*s/devices", RF_FMT(names));
    return call->devices.ptr == NULL ? rf_fail_memory(err, call->arena) : RF_OK;
}

static rf_str id_of(const struct device_call *call, rf_str name)
{
    return rf_arena_printf(call->arena, "%.*s/%.*s", RF_FMT(call->devices), RF_FMT(name));
}

/* POST of an action; `body` may be empty. */
static enum rf_kind act_on(const struct device_call *call, rf_str name, const char *action,
                           const struct json_node *body, struct json_node **out, struct rf_err *err)
{
    struct http_answer answer;
    struct cli_call request = {.method = "POST", .body = json_to_text(call->arena, body)};
    rf_str id = rf_arena_printf(call->arena, "%.*s/%s", RF_FMT(id_of(call, name)), action);
    RF_TRY(cli_server_target(call->server, id, RF_S(VERSION), call->arena, &request.target, err));
    if (request.body.ptr == NULL) return rf_fail_memory(err, call->arena);
    enum rf_kind kind = cli_server_call(call->server, &request, call->arena, &answer, err);
    if (kind == RF_NOT_FOUND && err->code != NULL && strcmp(err->code, "ResourceNotFound") == 0)
        return RF_FAIL(err, RF_NOT_FOUND, "ResourceNotFound",
                       "there is no device '%.*s'; 'ringfort device enrol %.*s --hub HUB' makes it",
                       RF_FMT(name), RF_FMT(name));
    RF_TRY(kind);
    return json_parse(answer.body, call->arena, out, err);
}

/* What is not said stays as it was; a device that is not there needs to know where it may send. */
static enum rf_kind put_device(const struct device_call *call, rf_str name, struct rf_err *err)
{
    const struct device_args *args = call->args;
    struct rf_arena *arena = call->arena;
    struct json_node *now = NULL, *body = json_new(arena, JSON_T_OBJECT), *ignored;
    struct json_node *properties = json_object_in(arena, body, "properties");
    rf_str target;
    bool created;
    RF_TRY(cli_server_target(call->server, id_of(call, name), RF_S(VERSION), arena, &target, err));
    enum rf_kind kind = cli_server_get(call->server, target, arena, &now, err);
    if (kind != RF_OK && kind != RF_NOT_FOUND) return kind;
    if (kind == RF_OK && args->hub_count == 0 && args->days == 0 && !args->again &&
        args->issuer == NULL)
        return RF_OK;
    if (kind == RF_NOT_FOUND && args->hub_count == 0)
        return RF_FAIL(err, RF_NOT_FOUND, "ResourceNotFound",
                       "there is no device '%.*s'; name the hubs that it may send to with --hub "
                       "HUB, and it is made",
                       RF_FMT(name));
    if (kind == RF_OK && json_get(now, "properties") != NULL)
        properties = json_set(arena, body, RF_S("properties"),
                              json_clone(arena, json_get(now, "properties")));
    if (args->hub_count > 0) {
        struct json_node *hubs =
            json_set(arena, properties, RF_S("eventHubs"), json_new(arena, JSON_T_ARRAY));
        for (uint32_t i = 0; hubs != NULL && i < args->hub_count; i++)
            (void)json_append(hubs, json_new_text(arena, rf_str_of(args->hubs[i])));
    }
    if (args->days > 0) json_set_i64(arena, properties, "certificateDays", args->days);
    if (args->again) json_set_text(arena, properties, "status", RF_S("Enabled"));
    if (args->issuer != NULL)
        json_set_text(arena, properties, "certificateIssuer",
                      rf_str_of(strcmp(args->issuer, "own") == 0 ? "" : args->issuer));
    return cli_server_put(call->server, id_of(call, name), RF_S(VERSION), body, arena, &created,
                          &ignored, err);
}

static enum rf_kind print_code(const struct device_call *call, rf_str name, struct rf_err *err)
{
    struct json_node *answer, *body = json_new(call->arena, JSON_T_OBJECT);
    if (call->args->minutes > 0) json_set_i64(call->arena, body, "minutes", call->args->minutes);
    RF_TRY(act_on(call, name, "createEnrolmentCode", body, &answer, err));
    printf("%.*s\n", RF_FMT(json_text_at(answer, "enrolmentCode")));
    cli_say("the code of '%.*s' is good once, until %.*s; on the device: ringfort device enrol "
            "%.*s --server %.*s --ca FILE --code-file -",
            RF_FMT(name), RF_FMT(json_text_at(answer, "expiresAt")), RF_FMT(name),
            RF_FMT(cli_server_site(call->server)->server));
    return RF_OK;
}

static enum rf_kind read_words(const char *path, struct rf_arena *arena, rf_str *out,
                               struct rf_err *err)
{
    if (strcmp(path, "-") != 0) return cli_device_read(path, arena, out, err);
    char text[CLI_DEVICE_TEXT_MAX];
    size_t len = fread(text, 1, sizeof text, stdin);
    bool fits = len < sizeof text && rf_arena_str(arena, rf_str_make(text, len), out);
    explicit_bzero(text, len);
    return fits ? RF_OK : RF_FAIL(err, RF_LIMIT, "FileTooLarge", "standard input is too long");
}

/* ---- the device's part ---------------------------------------------------------------------------------------------------- */

/* Where the server is, and a client that trusts it and shows `certificate`. */
static enum rf_kind est_client(const struct device_call *call, rf_str certificate, rf_str key,
                               rf_str *server, struct http_client **out, struct rf_err *err)
{
    const struct cli_server_args *args = &call->args->server;
    struct http_client_options http = {.certificate_pem = certificate, .key_pem = key};
    struct cli_server *open = NULL;
    const char *ca = args->ca;
    *server = args->server == NULL ? RF_S("") : cli_server_name(args->server);
    if (server->len == 0 || args->bootstrap != NULL) {
        RF_TRY(cli_server_open(args, &open, err));
        const struct cli_login *login = cli_server_login(open);
        bool fits = rf_arena_str(call->arena, login->server, server);
        if (ca == NULL && login->ca.len > 0) ca = rf_arena_cstr(call->arena, login->ca);
        cli_server_close(open);
        if (!fits) return rf_fail_memory(err, call->arena);
    }
    RF_TRY(cli_server_check(*server, err));
    if (ca != NULL) RF_TRY(cli_device_read(ca, call->arena, &http.ca_pem, err));
    return http_client_new(&http, out, err);
}

static rf_str est_path(const struct device_call *call, rf_str server, const char *what)
{
    const char *names = call->args->names;
    return rf_arena_printf(call->arena, "%.*s" EST "%s%s/%s", RF_FMT(server),
                           names == NULL ? "" : "/", names == NULL ? "" : names, what);
}

/* Sends a request; the answer is the certificate, and the authority's behind it. `login`: of HTTP Basic, or empty. */
static enum rf_kind est_call(struct http_client *client, rf_str url, rf_str login, rf_str csr,
                             struct rf_arena *arena, rf_str *pem, struct rf_err *err)
{
    struct http_answer answer;
    struct http_header headers[3] = {{RF_S("Content-Type"), RF_S("application/pkcs10")},
                                     {RF_S("Accept"), RF_S(PEM_TYPE)},
                                     {RF_S("Authorization"), login}};
    if (url.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(http_client_call(client, "POST", url, headers, login.len > 0 ? 3 : 2, csr, arena,
                            &answer, err));
    *pem = answer.body;
    if (answer.status == 200) return RF_OK;
    rf_str text = rf_str_trim(answer.body);
    text.len = RF_MIN(text.len, (size_t)900);
    if (answer.status == 401 || answer.status == 403)
        return RF_FAIL(err, RF_DENIED, "EnrolmentRefused", "%.*s", RF_FMT(text));
    return RF_FAIL(err, RF_INVALID, "EnrolmentFailed", "status %u: %.*s", answer.status,
                   RF_FMT(text));
}

static enum rf_kind ask_by_code(const struct device_call *call, rf_str name, rf_str csr,
                                rf_str *pem, struct rf_err *err)
{
    struct http_client *client;
    rf_str server;
    rf_str login = rf_arena_printf(call->arena, "%.*s:%.*s", RF_FMT(name), RF_FMT(call->code));
    if (login.ptr == NULL) return rf_fail_memory(err, call->arena);
    login = base64_encode(call->arena, login);
    login = rf_arena_printf(call->arena, "Basic %.*s", RF_FMT(login));
    RF_TRY(est_client(call, RF_S(""), RF_S(""), &server, &client, err));
    enum rf_kind kind =
        est_call(client, est_path(call, server, "simpleenroll"), login, csr, call->arena, pem, err);
    http_client_free(client);
    return kind;
}

/* ---- enrol, renew ----------------------------------------------------------------------------------------------------------- */

static enum rf_kind ask_by_login(const struct device_call *call, rf_str name, rf_str csr,
                                 rf_str *pem, struct rf_err *err)
{
    struct json_node *answer, *body = json_new(call->arena, JSON_T_OBJECT);
    if (json_set_text(call->arena, body, "certificateSigningRequest", csr) == NULL)
        return rf_fail_memory(err, call->arena);
    RF_TRY(act_on(call, name, "enrol", body, &answer, err));
    *pem = rf_arena_printf(call->arena, "%.*s%.*s", RF_FMT(json_text_at(answer, "certificate")),
                           RF_FMT(json_text_at(answer, "authority")));
    return pem->ptr == NULL ? rf_fail_memory(err, call->arena) : RF_OK;
}

static enum rf_kind say_certificate(const struct device_call *call, const char *path, rf_str pem,
                                    struct rf_err *err)
{
    struct cert_info info;
    RF_TRY(cert_read(pem, call->arena, &info, err));
    cli_say("%s: serial %.*s, until %.*s", path, RF_FMT(info.serial),
            RF_FMT(time_iso(call->arena, info.not_after)));
    return RF_OK;
}

static void wipe(rf_str text)
{
    if (text.len > 0) explicit_bzero((void *)(uintptr_t)text.ptr, text.len);
}

/* The key is on the disk before the server is asked: a certificate whose key was lost would have to be revoked. */
static enum rf_kind enrol_with_key(const struct device_call *call, rf_str name, struct rf_err *err)
{
    const char *folder = call->args->out;
    rf_str key, csr, pem;
    RF_TRY(cli_device_check(folder, name, call->arena, err));
    const char *key_path = cli_device_path(folder, name, ".key", call->arena);
    const char *pem_path = cli_device_path(folder, name, ".pem", call->arena);
    if (key_path == NULL || pem_path == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(csr_make(name, call->arena, &key, &csr, err));
    enum rf_kind kind = cli_device_write(key_path, key, 0600, err);
    wipe(key);
    if (kind != RF_OK) return kind;
    kind = call->code.len > 0 ? ask_by_code(call, name, csr, &pem, err)
                              : ask_by_login(call, name, csr, &pem, err);
    if (kind != RF_OK) {
        (void)unlink(key_path);
        return kind;
    }
    RF_TRY(cli_device_write(pem_path, pem, 0644, err));
    return say_certificate(call, pem_path, pem, err);
}

static enum rf_kind enrol_with_csr(const struct device_call *call, rf_str name, struct rf_err *err)
{
    rf_str csr, pem;
    const char *path = cli_device_path(call->args->out, name, ".pem", call->arena);
    if (path == NULL) return rf_fail_memory(err, call->arena);
    if (access(path, F_OK) == 0)
        return RF_FAIL(err, RF_CONFLICT, "FileExists",
                       "%s is there already; name another folder with --out", path);
    RF_TRY(rf_fs_mkdirs(rf_fs_real(), call->args->out, err));
    RF_TRY(read_words(call->args->csr, call->arena, &csr, err));
    RF_TRY(ask_by_login(call, name, csr, &pem, err));
    RF_TRY(cli_device_write(path, pem, 0644, err));
    return say_certificate(call, path, pem, err);
}

static enum rf_kind enrol(const struct device_call *call, rf_str name, struct rf_err *err)
{
    if (call->code.len > 0) return enrol_with_key(call, name, err);
    RF_TRY(put_device(call, name, err));
    if (call->args->wants_code) return print_code(call, name, err);
    return call->args->csr != NULL ? enrol_with_csr(call, name, err)
                                   : enrol_with_key(call, name, err);
}

static enum rf_kind renew(const struct device_call *call, rf_str name, struct rf_err *err)
{
    const char *folder = call->args->out;
    struct http_client *client;
    struct cert_info old;
    rf_str server, key, pem, fresh_key = {0}, csr, fresh;
    const char *key_path = cli_device_path(folder, name, ".key", call->arena);
    const char *pem_path = cli_device_path(folder, name, ".pem", call->arena);
    if (key_path == NULL || pem_path == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(cli_device_read(pem_path, call->arena, &pem, err));
    RF_TRY(cert_read(pem, call->arena, &old, err));
    RF_TRY(cli_device_read(key_path, call->arena, &key, err));
    enum rf_kind kind = est_client(call, pem, key, &server, &client, err);
    wipe(key);
    if (kind != RF_OK) return kind;
    kind = csr_make(name, call->arena, &fresh_key, &csr, err);
    if (kind == RF_OK)
        kind = est_call(client, est_path(call, server, "simplereenroll"), RF_S(""), csr,
                        call->arena, &fresh, err);
    http_client_free(client);
    if (kind == RF_OK)
        kind = cli_device_replace(folder, name, old.serial, fresh_key, fresh, call->arena, err);
    wipe(fresh_key);
    return kind == RF_OK ? say_certificate(call, pem_path, fresh, err) : kind;
}

/* ---- revoke, list, show -------------------------------------------------------------------------------------------------------- */

static enum rf_kind revoke_device(const struct device_call *call, rf_str name, struct rf_err *err)
{
    struct json_node *answer, *body = json_new(call->arena, JSON_T_OBJECT);
    if (call->args->serial != NULL &&
        json_set_text(call->arena, body, "serialNumber", rf_str_of(call->args->serial)) == NULL)
        return rf_fail_memory(err, call->arena);
    RF_TRY(act_on(call, name, "revoke", body, &answer, err));
    cli_say("revoked %s%s of device '%.*s'",
            call->args->serial == NULL ? "all certificates" : "the certificate ",
            call->args->serial == NULL ? "" : call->args->serial, RF_FMT(name));
    return RF_OK;
}

/* How many certificates are good, and when the last of them ends. */
static void sum_up(struct rf_arena *arena, struct json_node *device)
{
    const struct json_node *list = json_at(device, "properties.certificates");
    rf_str last = RF_S("");
    int64_t count = 0;
    for (const struct json_node *c = list == NULL ? NULL : list->first; c != NULL; c = c->next) {
        if (!rf_str_is(json_text_at(c, "status"), "Active")) continue;
        rf_str end = json_text_at(c, "notAfter");
        if (rf_str_cmp(end, last) > 0) last = end;
        count++;
    }
    struct json_node *hubs = json_at(device, "properties.eventHubs");
    struct rf_buf names = rf_buf_in(arena);
    for (const struct json_node *h = hubs == NULL ? NULL : hubs->first; h != NULL; h = h->next)
        rf_buf_printf(&names, "%s%.*s", names.len > 0 ? " " : "", RF_FMT(h->text));
    json_set_i64(arena, device, "certificateCount", count);
    json_set_text(arena, device, "lastEnd", last);
    json_set_text(arena, device, "hubNames", names.failed ? RF_S("") : rf_buf_view(&names));
}

static enum rf_kind list_devices(const struct device_call *call, struct rf_err *err)
{
    static const struct cli_list_column columns[] = {
        {RF_S("name"), "name", {0}, CLI_LIST_TEXT},
        {RF_S("status"), "properties.status", {0}, CLI_LIST_TEXT},
        {RF_S("hubs"), "hubNames", {0}, CLI_LIST_TEXT},
        {RF_S("certificates"), "certificateCount", {0}, CLI_LIST_NUMBER},
        {RF_S("until"), "lastEnd", {0}, CLI_LIST_TIME}};
    struct json_node *list;
    enum cli_format format = call->args->format;
    rf_str target;
    RF_TRY(
        cli_server_target(call->server, call->devices, RF_S(VERSION), call->arena, &target, err));
    RF_TRY(cli_server_list(call->server, target, call->arena, &list, err));
    for (struct json_node *d = list->first; d != NULL; d = d->next)
        if (format != CLI_JSON && format != CLI_JSONL) sum_up(call->arena, d);
    return cli_list_print(list, RF_S("devices"), columns, RF_COUNT(columns), format, call->arena,
                          err);
}

static enum rf_kind show(const struct device_call *call, rf_str name, struct rf_err *err)
{
    struct json_node *device;
    rf_str target;
    RF_TRY(cli_server_target(call->server, id_of(call, name), RF_S(VERSION), call->arena, &target,
                             err));
    RF_TRY(cli_server_get(call->server, target, call->arena, &device, err));
    cli_print_json(device, call->arena);
    return RF_OK;
}

/* ---- the command ----------------------------------------------------------------------------------------------------------------- */

static enum rf_kind prepare(struct device_call *call, struct rf_err *err)
{
    const struct device_args *args = call->args;
    bool alone = strcmp(args->words[0], "renew") == 0;
    if (args->code_file != NULL) {
        RF_TRY(read_words(args->code_file, call->arena, &call->code, err));
        call->code = rf_str_trim(call->code);
        alone = true;
        if (call->code.len == 0)
            return RF_FAIL(err, RF_INVALID, "NoCode", "%s holds no code", args->code_file);
    }
    if (alone) return RF_OK;
    RF_TRY(cli_server_open(&args->server, &call->server, err));
    return find_devices(call, err);
}

static enum rf_kind act(struct device_call *call, struct rf_err *err)
{
    const struct device_args *args = call->args;
    const char *verb = args->words[0];
    RF_TRY(prepare(call, err));
    if (strcmp(verb, "list") == 0) return list_devices(call, err);
    for (uint32_t w = 1; w < args->word_count; w++) {
        rf_str name = rf_str_of(args->words[w]);
        enum rf_kind kind = strcmp(verb, "renew") == 0    ? renew(call, name, err)
                            : strcmp(verb, "revoke") == 0 ? revoke_device(call, name, err)
                            : strcmp(verb, "show") == 0   ? show(call, name, err)
                                                          : enrol(call, name, err);
        if (kind != RF_OK) return kind;
    }
    return RF_OK;
}

int cli_device(int argc, char **argv)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, ANSWER_BYTES_MAX);
    struct device_args args = {.format = CLI_FORMAT_COUNT,
                               .out = ".",
                               .words = rf_arena_new(&arena, const char *, WORDS_MAX)};
    if (args.words == NULL) return CLI_FAILED;
    int status = read_args(argc, argv, &args);
    if (status != CLI_OK) return status == CLI_HELP ? CLI_OK : status;
    struct device_call call = {.args = &args, .arena = &arena};
    struct rf_err err = {.code = ""};
    enum rf_kind kind = act(&call, &err);
    wipe(call.code);
    cli_server_close(call.server);
    return kind == RF_OK ? CLI_OK : cli_say_error(&err, (rf_str){NULL, 0}, NULL);
}
