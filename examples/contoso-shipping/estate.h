/* estate.h - depots, people and servers of Contoso Shipping. */
#ifndef CONTOSO_ESTATE_H
#define CONTOSO_ESTATE_H

#include "rows.h"

/* ---- the estate ---- */

static const struct depot {
    const char *code, *lower, *city, *state, *country;
    double latitude, longitude;
} depots[] = {
    {"ROT", "rot", "Rotterdam", "South Holland", "NL", 51.9244, 4.4777},
    {"HAM", "ham", "Hamburg", "Hamburg", "DE", 53.5511, 9.9937},
    {"ANT", "ant", "Antwerp", "Flanders", "BE", 51.2194, 4.4025},
    {"LEH", "leh", "Le Havre", "Normandy", "FR", 49.4944, 0.1079},
    {"FLX", "flx", "Felixstowe", "Suffolk", "GB", 51.9617, 1.3513},
    {"GDN", "gdn", "Gdansk", "Pomerania", "PL", 54.3520, 18.6466},
    {"GOT", "got", "Gothenburg", "Vastra Gotaland", "SE", 57.7089, 11.9746},
    {"BIO", "bio", "Bilbao", "Basque Country", "ES", 43.2630, -2.9350},
};
enum {
    DEPOTS = COUNT(depots),
    HEADQUARTERS = 0,
    STORY_DEPOT = 1,
    STORY_DRIVER = 25,
    STORY_DRONE = 41
};

static const char *const first_names[] = {
    "adam",  "alma",  "bram",  "carla", "cezar", "dana",  "diego", "edda",  "elif", "emil",
    "fenna", "filip", "freya", "gita",  "hanna", "hugo",  "ilse",  "ines",  "ivo",  "jana",
    "joost", "julia", "karol", "kim",   "lars",  "lena",  "maja",  "marek", "mila", "nils",
    "olga",  "oskar", "petra", "rafal", "ruben", "sanne", "sofia", "timo",  "vera", "yusuf",
};
static const char *const last_names[] = {
    "aalto",  "bakker", "berg",  "blom",    "castro",  "costa", "dahl",  "dekker",
    "duval",  "ekman",  "faber", "garcia",  "graf",    "haan",  "holm",  "ibarra",
    "jansen", "kaiser", "kowal", "kruger",  "lambert", "lind",  "maes",  "martin",
    "moreau", "nowak",  "olsen", "peeters", "quint",   "reyes", "roos",  "sauer",
    "smit",   "thorn",  "ucar",  "vidal",   "visser",  "weiss", "young", "zeman",
};
enum { NAMES = COUNT(first_names) };
_Static_assert(COUNT(last_names) == NAMES, "a full grid of names");

struct estate {
    uint32_t drivers, staff, drones, trucks, app_servers; /* app_servers: for each depot */
    uint64_t seed;
    int64_t start, end;
};
static struct estate estate;

/* Drivers come first, then staff. Each has a home depot, two addresses and one telephone or laptop.
 */
struct person {
    uint32_t index;
    bool driver;
    const struct depot *depot;
    char login[64], display[64], upn[96], id[40];
};

static void person_get(struct person *p, uint32_t index)
{
    uint32_t first = index % NAMES, last = (index / NAMES + 7 * first) % NAMES,
             again = index / (NAMES * NAMES);
    p->index = index;
    p->driver = index < estate.drivers;
    p->depot = &depots[p->driver ? index % DEPOTS : (index * 5) % 3];
    if (again == 0) {
        snprintf(p->login, sizeof p->login, "%s.%s", first_names[first], last_names[last]);
    } else {
        snprintf(p->login, sizeof p->login, "%s.%s%u", first_names[first], last_names[last],
                 again + 1);
    }
    snprintf(p->display, sizeof p->display, "%c%s %c%s", first_names[first][0] - 32,
             first_names[first] + 1, last_names[last][0] - 32, last_names[last] + 1);
    snprintf(p->upn, sizeof p->upn, "%s@" DOMAIN_NAME, p->login);
    guid_for(p->id, "user", index);
}

/* 198.18.0.0/15: /16 .18 for mobile networks and homes, .19 for the depots' own exits. */
static void address_of(char out[48], const char *kind, uint64_t number)
{
    uint64_t a = number;
    for (const char *p = kind; *p != '\0'; p++) a = mix(a * 137 + (unsigned char)*p);
    snprintf(out, 48, "198.18.%u.%u", (unsigned)(mix(a) >> 32 & 255),
             (unsigned)(1 + mix(a + 1) % 254));
}

static void exit_of(char out[48], const struct depot *d)
{
    snprintf(out, 48, "198.19.%u.1", (unsigned)(d - depots));
}

enum role {
    ROLE_APP,
    ROLE_FILES,
    ROLE_PORTAL,
    ROLE_DOMAIN,
    ROLE_MONITOR,
    ROLE_BACKUP,
    ROLE_DEPLOY
};

struct server {
    char name[64], ip[48], id[44];
    const struct depot *depot;
    enum role role;
};
static struct server *servers;
static uint32_t server_count, portal, monitor, backup, deploy, story_server;

static uint32_t server_add(const struct depot *d, const char *short_name, uint32_t host,
                           enum role role)
{
    struct server *s = &servers[server_count];
    s->depot = d;
    s->role = role;
    snprintf(s->name, sizeof s->name, "%s-%s." DOMAIN_NAME, d->lower, short_name);
    snprintf(s->ip, sizeof s->ip, "10.%u.%u.%u", (unsigned)(20 + (d - depots)), host / 250,
             10 + host % 240);
    guid_for(s->id, "device", server_count);
    return server_count++;
}

static void estate_build(uint64_t seed, uint32_t scale, int64_t start, int64_t end)
{
    estate = (struct estate){.drivers = 400 * scale,
                             .staff = 120 * scale,
                             .drones = 150 * scale,
                             .trucks = 120 * scale,
                             .app_servers = 2 * scale,
                             .seed = seed,
                             .start = start,
                             .end = end};
    servers = calloc(DEPOTS * (estate.app_servers + 1) + 6, sizeof *servers);
    if (servers == NULL) die("out of memory");
    char name[24];
    for (size_t d = 0; d < DEPOTS; d++) {
        uint32_t files = server_add(&depots[d], "fs01", 0, ROLE_FILES);
        if (d == STORY_DEPOT) story_server = files;
        for (uint32_t i = 0; i < estate.app_servers; i++) {
            snprintf(name, sizeof name, "app%02u", i + 1);
            server_add(&depots[d], name, 20 + i, ROLE_APP);
        }
    }
    portal = server_add(&depots[HEADQUARTERS], "portal01", 1, ROLE_PORTAL);
    server_add(&depots[HEADQUARTERS], "dc01", 2, ROLE_DOMAIN);
    server_add(&depots[HEADQUARTERS], "dc02", 3, ROLE_DOMAIN);
    monitor = server_add(&depots[HEADQUARTERS], "mon01", 4, ROLE_MONITOR);
    backup = server_add(&depots[HEADQUARTERS], "bkp01", 5, ROLE_BACKUP);
    deploy = server_add(&depots[HEADQUARTERS], "dep01", 6, ROLE_DEPLOY);
}

#endif
