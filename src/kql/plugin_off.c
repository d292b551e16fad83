/* plugin_off.c - plugins that run foreign code or reach outside: known by name, so that the answer says
 * why they do not work. */
#include "kql/plugin.h"

static enum rf_kind off_bind(struct binder *b, const struct plugin_call *call, struct node *input,
                             struct node **out)
{
    (void)input;
    (void)out;
    return bind_fail(b, call->ast->pos, "PluginNotAvailable",
                     "%.*s is not available: queries run no foreign code and reach nothing outside "
                     "of Ringfort",
                     RF_FMT(call->ast->text));
}

#define OFF(text)                                                                                  \
    {                                                                                              \
        .name = text, .doc = "Not available.", .syntax = text "(...)", .no_input = true,           \
        .bind = off_bind                                                                           \
    }
const struct plugin plugins_off[] = {
    OFF("python"),
    OFF("r"),
    OFF("http_request"),
    OFF("http_request_post"),
    OFF("sql_request"),
    OFF("mysql_request"),
    OFF("postgresql_request"),
    OFF("cosmosdb_sql_request"),
    OFF("azure_digital_twins_query_request"),
    OFF("infer_storage_schema_with_suggestions"),
    OFF("ai_embed_text"),
    OFF("ai_embeddings"),
    OFF("ai_chat_completion"),
    OFF("ai_chat_completion_prompt"),
    {0},
};
