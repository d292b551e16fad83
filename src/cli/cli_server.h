/* cli_server.h - what the commands against a server share: where it is, who asks, and how its answers are read.
 *
 * Where and who comes from the first of these that is there:
 *   --bootstrap FILE      bootstrap.json as 'ringfort serve' writes it
 *   a login               made by 'ringfort login', kept in $XDG_CONFIG_HOME/ringfort/login.json (mode 0600); --server picks
 *                         one of several, else it is the last one made
 *   RINGFORT_BOOTSTRAP    as --bootstrap; before the login when --server does not name one
 * A login knows the bootstrap file or the client's id; the secret is in it only when that was asked for, else it comes from
 * RINGFORT_CLIENT_SECRET. Tokens are kept in the login until they end.
 *
 * Secrets and tokens go over https only, or to this machine. */
#ifndef RF_CLI_SERVER_H
#define RF_CLI_SERVER_H

#include "base/json_tree.h"
#include "cli/cli_options.h"
#include "net/client.h"

/* The options that all of these commands have; NULL where one is not given. */
struct cli_server_args {
    const char *server, *bootstrap, *ca;
};
#define CLI_SERVER_OPTIONS(first)                                                                  \
    [first] = {"server", "URL", "the server: https://HOST:PORT; that of the login unless given"},  \
    [first + 1] = {"bootstrap", "FILE", "where the server is and who asks: its bootstrap.json"},   \
    [first +                                                                                       \
        2] = {"ca", "FILE",                                                                        \
              "certificates (PEM) that the server's is checked with; the system's unless given"}
enum { CLI_SERVER_OPTION_COUNT = 3 };
/* Takes an option made by the above; false when it is another one. */
bool cli_server_option(int at, int first, const char *value, struct cli_server_args *args);

/* What is known of the place; texts are empty where it is not. */
struct cli_site {
    rf_str server; /* without '/' at its end */
    rf_str subscription_id, resource_group, workspace_id, workspace_name, location;
};

struct cli_server;
/* Reads who and where; asks nobody yet. Errors: RF_NOT_FOUND NoServer, FileNotFound; RF_INVALID BadBootstrap, BadLogin,
 * BadServer; RF_DENIED OpenLogin (others may read the file). */
RF_MUST_USE enum rf_kind cli_server_open(const struct cli_server_args *args,
                                         struct cli_server **out, struct rf_err *err);
void cli_server_close(struct cli_server *server); /* NULL is fine */
const struct cli_site *cli_server_site(const struct cli_server *server);
struct cli_login;
const struct cli_login *cli_server_login(const struct cli_server *server);

struct cli_call {
    const char *method;
    rf_str
        target; /* "/path?query", percent-encoded; or an absolute URL on the same server (nextLink) */
    rf_str body;                  /* JSON; empty: none */
    const char *prefer;           /* NULL: none */
    const char *content_encoding; /* NULL: none */
    bool may_be_absent;           /* 404 is no error: look at the status */
    bool is_graph;                /* the directory: it wants a token of its own */
    bool is_events;               /* event hubs: the same, kept for the next call */
    rf_str vault;             /* "https://HOST:PORT" of a vault that the target is on; it wants a
                                     token of its own, kept too. Empty: none */
    const char *content_type; /* NULL: JSON */
};
/* One exchange with a token. Waits and asks again when the server says so (429, 503). Allocates in `arena`.
 * Errors: those of net/client.h; RF_DENIED NotSignedIn; and an answer other than 2xx, as its error says: RF_INVALID, RF_DENIED,
 * RF_NOT_FOUND, RF_CONFLICT, RF_LIMIT, RF_AGAIN, RF_IO ServerError, with line and column when it names a place. */
RF_MUST_USE enum rf_kind cli_server_call(struct cli_server *server, const struct cli_call *call,
                                         struct rf_arena *arena, struct http_answer *out,
                                         struct rf_err *err);
/* Fills err from the error that an answer (or a part of one) holds. `status` may be 200. Gives the kind. */
enum rf_kind cli_server_fault(uint16_t status, const struct json_node *answer, struct rf_err *err);

/* A GET whose answer is JSON. RF_INVALID BadAnswer. */
RF_MUST_USE enum rf_kind cli_server_get(struct cli_server *server, rf_str target,
                                        struct rf_arena *arena, struct json_node **out,
                                        struct rf_err *err);
/* Every page of a list ({"value":[..],"nextLink"}) as one array. */
RF_MUST_USE enum rf_kind cli_server_list(struct cli_server *server, rf_str target,
                                         struct rf_arena *arena, struct json_node **out,
                                         struct rf_err *err);
/* The workspace to ask. `name` is its name, its id (a GUID) or its resource id; NULL: that of the site, or the only one there is.
 * Either of id and resource may be NULL. */
RF_MUST_USE enum rf_kind cli_server_workspace(struct cli_server *server, const char *name,
                                              struct rf_arena *arena, rf_str *id, rf_str *resource,
                                              struct rf_err *err);
/* The api-version to ask for a resource id or type path ("/subscriptions/../providers/A/b/c", "A/b"): the newest that the
 * server knows for its type. */
RF_MUST_USE enum rf_kind cli_server_version(struct cli_server *server, rf_str id,
                                            struct rf_arena *arena, rf_str *out,
                                            struct rf_err *err);
/* A whole resource id of what was typed: "/subscriptions/.." as it is, "Namespace/type/name" below the site's resource group, or
 * below its workspace when the namespace is Microsoft.SecurityInsights. RF_INVALID NoPlace when the site is not known. */
RF_MUST_USE enum rf_kind cli_server_id(struct cli_server *server, rf_str text,
                                       struct rf_arena *arena, rf_str *out, struct rf_err *err);
/* "ID?api-version=V", percent-encoded. `version` empty: cli_server_version's. */
RF_MUST_USE enum rf_kind cli_server_target(struct cli_server *server, rf_str id, rf_str version,
                                           struct rf_arena *arena, rf_str *out, struct rf_err *err);
/* Puts a resource and waits until the server has finished. *created: it was not there. *out: as it is now; may be NULL. */
RF_MUST_USE enum rf_kind cli_server_put(struct cli_server *server, rf_str id, rf_str version,
                                        const struct json_node *body, struct rf_arena *arena,
                                        bool *created, struct json_node **out, struct rf_err *err);
/* A path as a request carries it: bytes that a URL cannot hold become %XX. ptr NULL on lack of memory. */
rf_str cli_url_path(struct rf_arena *arena, rf_str path);
/* Reads a file of resources, JSON or YAML by its name ("-": standard input, by its first byte). *text, for quoting, is set as soon
 * as the file was read. */
RF_MUST_USE enum rf_kind cli_read_resources(const char *path, struct rf_arena *arena,
                                            struct json_node **out, rf_str *text,
                                            struct rf_err *err);
/* Prints JSON with a member a line. */
void cli_print_json(const struct json_node *node, struct rf_arena *arena);

/* A server's name without '/' at its end. */
rf_str cli_server_trim(rf_str url);
static inline rf_str cli_server_name(const char *url) { return cli_server_trim(rf_str_of(url)); }
/* RF_INVALID BadServer unless it is https, or http to this machine. */
RF_MUST_USE enum rf_kind cli_server_check(rf_str url, struct rf_err *err);

/* ---- logins ----------------------------------------------------------------------------------------------------- */

/* Views live as long as the arena they were read into. */
struct cli_login {
    rf_str server, authority, tenant_id, client_id, client_secret;
    rf_str ca;    /* path; empty: the system's */
    rf_str amqps; /* "host:port" */
    rf_str
        vault; /* a vault under its own name, by which others' are made: https://kv.vault.DOMAIN:PORT */
    rf_str bootstrap; /* path; who and where is read from it */
    rf_str subscription_id, resource_group, workspace_id, workspace_name, location;
    rf_str token;
    int64_t token_ends_usec;
    /* That a token is asked for; empty: the server itself. `server` may be another way to it. Not kept. */
    rf_str resource;
};
/* Fills in what the object (of login.json or bootstrap.json) says. */
void cli_login_take(const struct json_node *object, struct cli_login *out);
RF_MUST_USE enum rf_kind cli_login_from_bootstrap(const char *path, struct rf_arena *arena,
                                                  struct cli_login *out, struct rf_err *err);
/* Keeps it in the place of another one for the same server; `first`: before all others, so that it is the present one. */
RF_MUST_USE enum rf_kind cli_login_save(const struct cli_login *login, bool first,
                                        struct rf_err *err);
/* Removes the login of a server, or all (server NULL). RF_NOT_FOUND NoServer. */
RF_MUST_USE enum rf_kind cli_login_forget(const char *server, struct rf_err *err);
/* The logins, the present one first, as they are stored; an empty array when there are none. */
RF_MUST_USE enum rf_kind cli_login_read(struct rf_arena *arena, struct json_node **out,
                                        struct rf_err *err);
/* A client that trusts what the login says. */
RF_MUST_USE enum rf_kind cli_login_client(const struct cli_login *login, struct rf_arena *arena,
                                          struct http_client **out, struct rf_err *err);
bool cli_login_has_token(const struct cli_login *login);
/* Puts a new token into the login. Errors: RF_DENIED NotSignedIn (says what the authority said). */
RF_MUST_USE enum rf_kind cli_login_ask_token(struct http_client *client, struct cli_login *login,
                                             struct rf_arena *arena, struct rf_err *err);

#endif
