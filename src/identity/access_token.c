#include "identity/identity_int.h"

/* Opaque to everybody: uti is in the logs, rh and aio are there because Entra has them. */
struct token_marks {
    rf_str uti, aio, rh;
};

static bool make_marks(struct rf_arena *arena, struct token_marks *out)
{
    uint8_t raw[16 + 30 + 24];
    random_bytes(raw, sizeof raw);
    out->uti = base64url_encode(arena, rf_str_make(raw, 16));
    out->aio = base64url_encode(arena, rf_str_make(raw + 16, 30));
    rf_str rh = base64url_encode(arena, rf_str_make(raw + 46, 24));
    out->rh = rh.ptr == NULL ? rh : rf_arena_printf(arena, "1.%.*s.", RF_FMT(rh));
    return out->uti.ptr != NULL && out->aio.ptr != NULL && out->rh.ptr != NULL;
}

static void put_roles(struct json_out *out, const struct role_list *roles)
{
    if (roles->count == 0) return;
    json_begin_array(out, "roles");
    for (uint32_t i = 0; i < roles->count; i++) json_put_text(out, NULL, roles->values[i]);
    json_end_array(out);
}

/* Section 4.1 of the contract. */
static void put_claims(struct json_out *out, const struct identity *identity,
                       const struct access_token_request *wanted, const struct token_marks *marks,
                       const struct access_token *token, rf_str issuer, rf_str idp)
{
    const struct client *client = wanted->client;
    bool v2 = wanted->resource->version2;
    json_begin_object(out, NULL);
    json_put_text(out, "aud", v2 ? wanted->resource->app_id : wanted->audience);
    json_put_text(out, "iss", issuer);
    json_put_i64(out, "iat", token->not_before);
    json_put_i64(out, "nbf", token->not_before);
    json_put_i64(out, "exp", token->expires);
    json_put_text(out, "aio", marks->aio);
    if (!v2) {
        json_put_text(out, "app_displayname", client->display_name);
        json_put_text(out, "appid", client->app_id);
        json_put_text(out, "appidacr", rf_str_of(wanted->client_strength));
    } else {
        json_put_text(out, "azp", client->app_id);
        json_put_text(out, "azpacr", rf_str_of(wanted->client_strength));
    }
    json_put_text(out, "idp", idp);
    json_put_text(out, "idtyp", RF_S("app"));
    json_put_text(out, "oid", client->id);
    json_put_text(out, "rh", marks->rh);
    put_roles(out, wanted->roles);
    json_put_text(out, "sub", client->id);
    json_put_text(out, "tid", identity->tenant);
    json_put_text(out, "uti", marks->uti);
    json_put_text(out, "ver", v2 ? RF_S("2.0") : RF_S("1.0"));
    if (wanted->cae) {
        json_begin_array(out, "xms_cc");
        json_put_text(out, NULL, RF_S("cp1"));
        json_end_array(out);
    }
    rf_str host_id = json_text_at(client->principal, "~resourceId");
    if (host_id.len > 0) json_put_text(out, "xms_mirid", host_id);
    json_end_object(out);
}

/* out->text stays empty when the proof does not hold. */
static enum rf_kind sign(struct identity *identity, rf_str claims, const struct keeper_proof *proof,
                         struct rf_arena *arena, struct access_token *out, struct rf_err *err)
{
    struct keeper *keeper = identity->options.keeper;
    RF_CLEANUP(memo_release) struct memo_entry *entry = NULL;
    RF_TRY(signing_keys(identity, &entry, err));
    const struct signing_keys *keys = entry->value;
    rf_str body = base64url_encode(arena, claims), signature;
    if (body.ptr == NULL) return rf_fail_memory(err, arena);
    struct rf_buf input = rf_buf_in(arena);
    (void)rf_buf_reserve(&input, keys->header.len + 1 + body.len);
    rf_buf_str(&input, keys->header);
    rf_buf_byte(&input, '.');
    rf_buf_str(&input, body);
    if (input.failed) return rf_fail_memory(err, arena);
    out->match = 0;
    if (proof == NULL)
        RF_TRY(keeper_jwt_sign(keeper, rf_buf_view(&input), arena, &signature, err));
    else
        RF_TRY(keeper_jwt_sign_if(keeper, proof, rf_buf_view(&input), arena, &out->match,
                                  &signature, err));
    if (out->match == KEEPER_NO_MATCH) return RF_OK;
    out->text = jwt_assemble(arena, rf_buf_view(&input), signature);
    return out->text.ptr == NULL ? rf_fail_memory(err, arena) : RF_OK;
}

enum rf_kind access_token_make(struct identity *identity, const struct access_token_request *wanted,
                               struct rf_arena *arena, struct access_token *out, struct rf_err *err)
{
    struct token_marks marks;
    if (!make_marks(arena, &marks)) return rf_fail_memory(err, arena);
    int64_t now = wanted->now / RF_USEC_PER_SECOND;
    struct access_token token = {
        .uti = marks.uti, .not_before = now, .expires = now + TOKEN_LIFE_SECONDS};
    rf_str idp =
        rf_arena_printf(arena, "%.*s/%.*s/", RF_FMT(wanted->origin), RF_FMT(identity->tenant));
    rf_str issuer = !wanted->resource->version2
                        ? idp
                        : rf_arena_printf(arena, "%.*s/%.*s/v2.0", RF_FMT(wanted->origin),
                                          RF_FMT(identity->tenant));
    struct rf_buf buf = rf_buf_in(arena);
    struct json_out claims = json_out_to(&buf);
    put_claims(&claims, identity, wanted, &marks, &token, issuer, idp);
    if (buf.failed || idp.ptr == NULL || issuer.ptr == NULL) return rf_fail_memory(err, arena);
    enum rf_kind kind = sign(identity, rf_buf_view(&buf), wanted->proof, arena, &token, err);
    if (kind != RF_OK && kind != RF_LIMIT) {
        /* The key that signs may have changed since it was looked up. */
        identity_keys_changed(identity);
        kind = sign(identity, rf_buf_view(&buf), wanted->proof, arena, &token, err);
    }
    if (kind == RF_OK) *out = token;
    return kind;
}
