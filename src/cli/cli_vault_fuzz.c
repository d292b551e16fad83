/* References, maps of credentials, and the names that callers of their socket have: the first byte says which. */
#include "cli/cli_credentials.h"

#include "test/rf_fuzz.h"

RF_FUZZ(cli_vault, text)
{
    struct cli_secret_ref ref;
    struct credential_map map;
    struct rf_err err;
    rf_str unit, credential;
    if (text.len == 0) return;
    rf_str rest = rf_slice(text, 1, text.len);
    switch (text.ptr[0]) {
    case 'r':
        if (cli_secret_ref_parse(rest, &ref, &err) == RF_OK)
            RF_ASSERT(ref.name.len > 0 && (ref.version.len == 0 || ref.version.len == 32));
        break;
    case 'm':
        if (credential_map_read(rest, &map, &err) == RF_OK)
            RF_ASSERT(map.credential.len > 0 && map.ref.name.len > 0);
        break;
    default:
        if (credential_peer(rest, &unit, &credential))
            RF_ASSERT(unit.len > 0 && credential.len > 0 &&
                      rf_str_find(credential, RF_S("/"), 0) == SIZE_MAX);
    }
}
