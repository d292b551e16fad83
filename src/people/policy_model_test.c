/* Random policies and sign-ins: policy_evaluate against sets of bits, from which the JSON is written. */
#include "test/rf_prop.h"

#include "people/policy_int.h"

enum { POLICIES_MAX = 6 };

struct words {
    const char *names[8]; /* bit i of a set is names[i] */
    uint32_t count;
};
/* In every table the ids come first, then the words that stand for several. */
static const struct words users = {{"u0", "u1", "u2", "All", "None", "GuestsOrExternalUsers"}, 6};
static const struct words groups = {{"g0", "g1", "g2"}, 3};
static const struct words roles = {{"r0", "r1"}, 2};
static const struct words apps = {
    {POLICY_ARM_APP, POLICY_GRAPH_APP, "a2", "a3", "All", "None", "MicrosoftAdminPortals"}, 7};
static const struct words places = {{"l0", "l1", "l2", "All", "AllTrusted"}, 5};
static const struct words platforms = {{"linux", "windows", "all"}, 3};
static const struct words clients = {{"browser", "mobileAppsAndDesktopClients", "other", "all"}, 4};
static const struct words risks = {{"none", "low", "medium", "high"}, 4};
static const struct words controls = {
    {"mfa", "compliantDevice", "domainJoinedDevice", "passwordChange", "approvedApplication"}, 5};
static const struct words flows = {{"deviceCodeFlow", "authenticationTransfer"}, 2};
static const struct words contexts = {{"c0", "c1"}, 2};

struct spec {
    uint32_t state; /* 0 enabled, 1 disabled, 2 reported only */
    uint32_t in_users, out_users, in_groups, out_groups, in_roles, out_roles;
    uint32_t in_apps, out_apps, actions, contexts; /* one of the three kinds */
    uint32_t clients, in_places, out_places, in_platforms, out_platforms;
    uint32_t user_risks, sign_in_risks, flows;
    uint32_t controls, strength; /* strength: 0 none, else the last digit of a built-in one */
    bool block, any_will_do, frequency, every_time, always, never;
    int64_t hours;
};
/* The sign-in: numbers of ids, sets of them. */
struct person {
    uint32_t user, groups, roles, resource, client_app, context, client, platform, user_risk;
    uint32_t sign_in_risk, flow, place, proofs;
    bool guest, action, compliant, joined, fresh;
    int64_t hours_ago;
};

/* ---- the model -------------------------------------------------------------------------------------------------------------------- */

#define BIT(n) (1u << (n))
#define HAS(set, n) (((set)&BIT(n)) != 0)

static bool among(uint32_t set, uint32_t group_set, uint32_t role_set, const struct person *p)
{
    return HAS(set, p->user) || HAS(set, 3) || (HAS(set, 5) && p->guest) ||
           (group_set & p->groups) != 0 || (role_set & p->roles) != 0;
}

static bool app_among(uint32_t set, uint32_t app)
{
    return HAS(set, app) || HAS(set, 4) || (HAS(set, 6) && app == 0);
}

static bool apps_model(const struct spec *s, const struct person *p)
{
    if (p->action || s->actions) return p->action && s->actions;
    if (s->contexts) return HAS(s->contexts, p->context);
    bool in = app_among(s->in_apps, p->resource) || app_among(s->in_apps, p->client_app);
    bool out = app_among(s->out_apps, p->resource);
    if (p->resource == 1 || p->resource == p->client_app)
        out = out || app_among(s->out_apps, p->client_app);
    return in && !out;
}

/* Places: l0 and l1 lie apart, l2 (trusted) holds l0's addresses too; 3 is elsewhere. */
static bool place_among(uint32_t set, uint32_t place)
{
    if (HAS(set, 3)) return true;
    if (place == 0) return HAS(set, 0) || HAS(set, 2) || HAS(set, 4);
    if (place == 1) return HAS(set, 1);
    if (place == 2) return HAS(set, 2) || HAS(set, 4);
    return false;
}

static bool applies_model(const struct spec *s, const struct person *p)
{
    if (!among(s->in_users, s->in_groups, s->in_roles, p)) return false;
    if (among(s->out_users, s->out_groups, s->out_roles, p)) return false;
    if (!apps_model(s, p)) return false;
    if (s->clients && !HAS(s->clients, 3) && !HAS(s->clients, p->client)) return false;
    if (s->in_places || s->out_places)
        if (!place_among(s->in_places, p->place) || place_among(s->out_places, p->place))
            return false;
    if (s->in_platforms || s->out_platforms) {
        if (!HAS(s->in_platforms, 2) && !HAS(s->in_platforms, p->platform)) return false;
        if (HAS(s->out_platforms, 2) || HAS(s->out_platforms, p->platform)) return false;
    }
    if (s->user_risks && !HAS(s->user_risks, p->user_risk)) return false;
    if (s->sign_in_risks && !HAS(s->sign_in_risks, p->sign_in_risk)) return false;
    return s->flows == 0 || HAS(s->flows, p->flow);
}

static bool mfa_model(uint32_t proofs)
{
    static const uint32_t enough[] = {PROOF_PASSKEY, PROOF_PASS, PROOF_PASSWORD | PROOF_TOTP,
                                      PROOF_PASSWORD | PROOF_RECOVERY,
                                      PROOF_PASSWORD | PROOF_CERTIFICATE};
    for (size_t i = 0; i < RF_COUNT(enough); i++)
        if ((proofs & enough[i]) == enough[i]) return true;
    return false;
}

static unsigned grant_model(const struct spec *s, const struct person *p)
{
    bool mfa = mfa_model(p->proofs), key = (p->proofs & PROOF_PASSKEY) != 0;
    bool met[] = {mfa, p->compliant, p->joined, p->fresh, false};
    static const unsigned asks[] = {ASK_MFA, ASK_DEVICE, ASK_DEVICE, ASK_PASSWORD_CHANGE,
                                    ASK_DEVICE};
    unsigned open = 0;
    bool one = false;
    for (uint32_t i = 0; i < controls.count; i++) {
        if (!HAS(s->controls, i)) continue;
        one = one || met[i];
        if (!met[i]) open |= asks[i];
    }
    if (s->strength == 2) one = one || mfa, open |= mfa ? 0 : ASK_MFA;
    if (s->strength > 2) one = one || key, open |= key ? 0 : ASK_PASSKEY;
    if (!s->any_will_do) return open;
    if (one) return 0;
    static const unsigned easiest[] = {ASK_MFA, ASK_PASSKEY, ASK_PASSWORD_CHANGE, ASK_DEVICE};
    for (size_t i = 0; i < RF_COUNT(easiest); i++)
        if (open & easiest[i]) return easiest[i];
    return 0;
}

static unsigned asks_model(const struct spec *s, const struct person *p)
{
    unsigned asks = grant_model(s, p);
    if (!s->frequency) return asks;
    bool old = s->every_time ? p->hours_ago > 0 : p->hours_ago > s->hours;
    return old ? asks | ASK_AGAIN : asks;
}

/* ---- JSON --------------------------------------------------------------------------------------------------------------------------- */

static void put_list(struct rf_buf *out, const char *name, const struct words *words, uint32_t set)
{
    bool more = false;
    rf_buf_printf(out, "\"%s\":[", name);
    for (uint32_t i = 0; i < words->count; i++) {
        if (!HAS(set, i)) continue;
        rf_buf_printf(out, "%s\"%s\"", more ? "," : "", words->names[i]);
        more = true;
    }
    rf_buf_printf(out, "],");
}

static void put_conditions(struct rf_buf *out, const struct spec *s)
{
    rf_buf_printf(out, "\"conditions\":{\"users\":{");
    put_list(out, "includeUsers", &users, s->in_users);
    put_list(out, "excludeUsers", &users, s->out_users);
    put_list(out, "includeGroups", &groups, s->in_groups);
    put_list(out, "excludeGroups", &groups, s->out_groups);
    put_list(out, "includeRoles", &roles, s->in_roles);
    put_list(out, "excludeRoles", &roles, s->out_roles);
    rf_buf_printf(out, "\"x\":0},\"applications\":{");
    put_list(out, "includeApplications", &apps, s->in_apps);
    put_list(out, "excludeApplications", &apps, s->out_apps);
    if (s->actions)
        rf_buf_printf(out, "\"includeUserActions\":[\"urn:user:registersecurityinfo\"],");
    put_list(out, "includeAuthenticationContextClassReferences", &contexts, s->contexts);
    rf_buf_printf(out, "\"x\":0},");
    put_list(out, "clientAppTypes", &clients, s->clients);
    rf_buf_printf(out, "\"locations\":{");
    put_list(out, "includeLocations", &places, s->in_places);
    put_list(out, "excludeLocations", &places, s->out_places);
    rf_buf_printf(out, "\"x\":0},\"platforms\":{");
    put_list(out, "includePlatforms", &platforms, s->in_platforms);
    put_list(out, "excludePlatforms", &platforms, s->out_platforms);
    rf_buf_printf(out, "\"x\":0},");
    put_list(out, "userRiskLevels", &risks, s->user_risks);
    put_list(out, "signInRiskLevels", &risks, s->sign_in_risks);
    static const char *const transfers[] = {"none", "deviceCodeFlow", "authenticationTransfer",
                                            "authenticationTransfer, deviceCodeFlow"};
    rf_buf_printf(out, "\"authenticationFlows\":{\"transferMethods\":\"%s\"}},",
                  transfers[s->flows]);
}

static void put_controls(struct rf_buf *out, const struct spec *s)
{
    rf_buf_printf(out, "\"grantControls\":{");
    if (s->block)
        rf_buf_printf(out, "\"builtInControls\":[\"block\"],");
    else
        put_list(out, "builtInControls", &controls, s->controls);
    if (s->strength && !s->block)
        rf_buf_printf(
            out, "\"authenticationStrength\":{\"id\":\"00000000-0000-0000-0000-00000000000%u\"},",
            s->strength);
    rf_buf_printf(out, "\"operator\":\"%s\"},\"sessionControls\":{", s->any_will_do ? "OR" : "AND");
    if (s->always || s->never)
        rf_buf_printf(out, "\"persistentBrowser\":{\"isEnabled\":true,\"mode\":\"%s\"},",
                      s->never ? "never" : "always");
    rf_buf_printf(out,
                  "\"signInFrequency\":{\"isEnabled\":%s,\"type\":\"hours\",\"value\":%lld,"
                  "\"frequencyInterval\":\"%s\"}}",
                  s->frequency ? "true" : "false", (long long)s->hours,
                  s->every_time ? "everyTime" : "timeBased");
}

static const struct json_node *render(struct rf_arena *arena, const struct spec *s)
{
    static const char *const states[] = {"enabled", "disabled",
                                         "enabledForReportingButNotEnforced"};
    struct rf_buf out = rf_buf_in(arena);
    struct json_node *node;
    struct rf_err err;
    rf_buf_printf(&out, "{\"displayName\":\"p\",\"state\":\"%s\",", states[s->state]);
    put_conditions(&out, s);
    put_controls(&out, s);
    rf_buf_printf(&out, "}");
    cr_assert(!out.failed);
    rf_str text = rf_buf_view(&out);
    cr_assert(json_parse(text, arena, &node, &err) == RF_OK, "%.*s: %s", RF_FMT(text), err.text);
    return node;
}

/* ---- random ones ------------------------------------------------------------------------------------------------------------------------ */

/* Mostly none, so that policies apply now and then. */
static uint32_t some(struct rf_prng *prng, uint32_t count, uint64_t rarely)
{
    return rf_test_one_in(prng, rarely) ? (uint32_t)rf_test_below(prng, 1u << count) : 0;
}

static struct spec any_spec(struct rf_prng *prng)
{
    struct spec s = {.state = (uint32_t)rf_test_below(prng, 3) * rf_test_bool(prng)};
    s.in_users = rf_test_bool(prng) ? BIT(3) : (uint32_t)rf_test_below(prng, 64);
    s.out_users = some(prng, 6, 4);
    s.in_groups = some(prng, 3, 2), s.out_groups = some(prng, 3, 6);
    s.in_roles = some(prng, 2, 3), s.out_roles = some(prng, 2, 6);
    uint64_t kind = rf_test_below(prng, 6);
    if (kind == 0)
        s.actions = 1;
    else if (kind == 1)
        s.contexts = 1 + (uint32_t)rf_test_below(prng, 3);
    else
        s.in_apps = rf_test_bool(prng) ? BIT(4) : (uint32_t)rf_test_below(prng, 128);
    s.out_apps = some(prng, 7, 4);
    s.clients = some(prng, 4, 3);
    s.in_places = some(prng, 5, 3), s.out_places = some(prng, 5, 6);
    s.in_platforms = some(prng, 3, 4), s.out_platforms = some(prng, 3, 8);
    s.user_risks = some(prng, 4, 5), s.sign_in_risks = some(prng, 4, 5);
    s.flows = some(prng, 2, 5);
    s.controls = some(prng, 5, 2);
    s.strength = rf_test_one_in(prng, 4) ? 2 + (uint32_t)rf_test_below(prng, 3) : 0;
    s.block = rf_test_one_in(prng, 6);
    s.any_will_do = rf_test_bool(prng);
    s.frequency = rf_test_one_in(prng, 3), s.every_time = rf_test_one_in(prng, 3);
    s.always = rf_test_one_in(prng, 5), s.never = rf_test_one_in(prng, 5);
    s.hours = rf_test_between(prng, 1, 5);
    return s;
}

static struct person any_person(struct rf_prng *prng)
{
    struct person p = {.user = (uint32_t)rf_test_below(prng, 3),
                       .groups = some(prng, 3, 2),
                       .roles = some(prng, 2, 2),
                       .resource = (uint32_t)rf_test_below(prng, 4),
                       .client_app = 2 + (uint32_t)rf_test_below(prng, 2),
                       .context = (uint32_t)rf_test_below(prng, 3),
                       .client = (uint32_t)rf_test_below(prng, 3),
                       .platform = (uint32_t)rf_test_below(prng, 2),
                       .user_risk = (uint32_t)rf_test_below(prng, 4),
                       .sign_in_risk = (uint32_t)rf_test_below(prng, 4),
                       .flow = (uint32_t)rf_test_below(prng, 3),
                       .place = (uint32_t)rf_test_below(prng, 4),
                       .proofs = (uint32_t)rf_test_below(prng, 64),
                       .guest = rf_test_bool(prng),
                       .action = rf_test_one_in(prng, 5),
                       .compliant = rf_test_bool(prng),
                       .joined = rf_test_bool(prng),
                       .fresh = rf_test_bool(prng),
                       .hours_ago = rf_test_between(prng, 0, 6)};
    return p;
}

struct scene {
    struct rf_arena *arena;
    const struct json_node *places[3];
    struct policy_input input;
    rf_str group_names[3], role_names[2], context_name;
};

static uint32_t put_names(const struct words *words, uint32_t set, rf_str *out)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < words->count; i++)
        if (HAS(set, i)) out[count++] = rf_str_of(words->names[i]);
    return count;
}

static void make_scene(struct scene *scene, const struct person *p)
{
    static const char *const ranges[] = {"10.0.0.0/24", "2001:db8::/33", "10.0.0.0/23"};
    static const char *const addresses[] = {"10.0.0.200", "2001:db8:7fff::1", "10.0.1.1",
                                            "2001:db8:8000::1"};
    static const char *const states[] = {"linux", "windows"};
    struct rf_err err;
    for (int i = 0; i < 3; i++) {
        struct json_node *node;
        rf_str text = rf_arena_printf(
            scene->arena,
            "{\"@odata.type\":\"#microsoft.graph.ipNamedLocation\",\"id\":\"l%d\",\"isTrusted\":%s,"
            "\"ipRanges\":[{\"cidrAddress\":\"%s\"}]}",
            i, i == 2 ? "true" : "false", ranges[i]);
        cr_assert(json_parse(text, scene->arena, &node, &err) == RF_OK);
        scene->places[i] = node;
    }
    scene->input = (struct policy_input){
        .user = rf_str_of(users.names[p->user]),
        .guest = p->guest,
        .groups = scene->group_names,
        .roles = scene->role_names,
        .group_count = put_names(&groups, p->groups, scene->group_names),
        .role_count = put_names(&roles, p->roles, scene->role_names),
        .client_app = rf_str_of(apps.names[p->client_app]),
        .resource_app = rf_str_of(apps.names[p->resource]),
        .contexts = &scene->context_name,
        .context_count = p->context < 2,
        .user_action = p->action ? RF_S("urn:user:registersecurityinfo") : RF_S(""),
        .client = (enum policy_client)p->client,
        .address = rf_str_of(addresses[p->place]),
        .platform = rf_str_of(states[p->platform]),
        .device_compliant = p->compliant,
        .device_joined = p->joined,
        .user_risk = (enum risk_level)p->user_risk,
        .sign_in_risk = (enum risk_level)p->sign_in_risk,
        .flow = p->flow < 2 ? flows.names[p->flow] : NULL,
        .proofs = p->proofs,
        .fresh_password = p->fresh,
        .now = 100 * 3600 * RF_USEC_PER_SECOND};
    scene->context_name = rf_str_of(contexts.names[p->context % 2]);
    scene->input.proved_at = scene->input.now - (rf_usec)p->hours_ago * 3600 * RF_USEC_PER_SECOND;
}

/* ---- the property ------------------------------------------------------------------------------------------------------------------------- */

static enum policy_result result_model(const struct spec *s, const struct person *p)
{
    bool report = s->state == 2;
    if (s->state == 1) return POLICY_NOT_ENABLED;
    if (!applies_model(s, p)) return report ? POLICY_REPORT_NOT_APPLIED : POLICY_NOT_APPLIED;
    unsigned asks = asks_model(s, p);
    if (s->block || (asks & ASK_DEVICE)) return report ? POLICY_REPORT_FAILURE : POLICY_FAILURE;
    if (asks != 0) return report ? POLICY_REPORT_INTERRUPTED : POLICY_INTERRUPTED;
    return report ? POLICY_REPORT_SUCCESS : POLICY_SUCCESS;
}

static void check_verdict(const struct policy_verdict *got, const struct spec *specs,
                          uint32_t count, const struct person *p)
{
    bool blocked = false, always = false, never = false;
    unsigned asks = 0;
    int64_t least = INT64_MAX;
    for (uint32_t i = 0; i < count; i++) {
        const struct spec *s = &specs[i];
        enum policy_result result = result_model(s, p);
        cr_assert(got->rows[i].result == result, "policy %u: %d, not %d (%s)", i,
                  (int)got->rows[i].result, (int)result,
                  got->rows[i].why_not == NULL ? "" : got->rows[i].why_not);
        if (s->state != 0 || result == POLICY_NOT_APPLIED) continue;
        blocked = blocked || s->block;
        if (!s->block) asks |= asks_model(s, p);
        if (s->frequency) least = RF_MIN(least, s->every_time ? 0 : s->hours * 3600);
        never = never || s->never;
        always = always || s->always;
    }
    cr_assert(got->blocked == blocked && (got->blocked_by != NULL) == blocked);
    cr_assert(got->asks == asks && (got->asked_by != NULL) == (asks != 0), "%u, not %u", got->asks,
              asks);
    cr_assert(got->frequency_seconds == (least == INT64_MAX ? -1 : least));
    cr_assert((got->persistent == PERSIST_NEVER) == never);
    cr_assert((got->persistent == PERSIST_ALWAYS) == (always && !never));
}

RF_PROP(policies_do_what_sets_of_bits_do, 3000)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 16 << 20);
    struct spec specs[POLICIES_MAX];
    const struct json_node *policies[POLICIES_MAX];
    struct scene scene = {.arena = &arena};
    struct policy_verdict verdict;
    struct rf_err err;
    uint32_t count = (uint32_t)rf_test_below(prng, POLICIES_MAX + 1);
    for (uint32_t i = 0; i < count; i++) {
        specs[i] = any_spec(prng);
        policies[i] = render(&arena, &specs[i]);
    }
    for (int tries = 0; tries < 4; tries++) {
        struct person person = any_person(prng);
        make_scene(&scene, &person);
        cr_assert(policy_evaluate(policies, count, scene.places, 3, &scene.input, &arena, &verdict,
                                  &err) == RF_OK);
        check_verdict(&verdict, specs, count, &person);
    }
}
