/* func_parse_agent.c - user agent texts. Our own rules: a product list in order of precedence for the
 * browser, marks of systems and devices. What is not recognised is "Other". */
#include "kql/func_parse_int.h"

/* `mark` is searched for without case; the version follows it behind a slash or blank. */
struct agent_rule {
    const char *mark;
    const char *family;
    const char *version_mark; /* where the version is, when not behind the mark */
};

/* Special browsers first: most of them also claim to be Chrome, Safari and Mozilla. */
static const struct agent_rule browsers[] = {
    {"AdobeAIR/", "AdobeAIR", NULL},
    {"Edg/", "Edge", NULL},
    {"EdgA/", "Edge Mobile", NULL},
    {"EdgiOS/", "Edge Mobile", NULL},
    {"Edge/", "Edge", NULL},
    {"OPR/", "Opera", NULL},
    {"Opera Mini/", "Opera Mini", NULL},
    {"Opera", "Opera", "Version/"},
    {"Vivaldi/", "Vivaldi", NULL},
    {"YaBrowser/", "Yandex Browser", NULL},
    {"SamsungBrowser/", "Samsung Internet", NULL},
    {"UCBrowser/", "UC Browser", NULL},
    {"Teams/", "Microsoft Teams", NULL},
    {"Outlook-iOS", "Outlook-iOS", NULL},
    {"Microsoft Office/", "Microsoft Office", NULL},
    {"Electron/", "Electron", NULL},
    {"Googlebot/", "Googlebot", NULL},
    {"bingbot/", "bingbot", NULL},
    {"HeadlessChrome/", "HeadlessChrome", NULL},
    {"CriOS/", "Chrome Mobile iOS", NULL},
    {"FxiOS/", "Firefox iOS", NULL},
    {"SeaMonkey/", "SeaMonkey", NULL},
    {"Thunderbird/", "Thunderbird", NULL},
    {"Firefox/", "Firefox", NULL},
    {"Chromium/", "Chromium", NULL},
    {"Chrome/", "Chrome", NULL},
    {"SymbianOS", "Nokia OSS Browser", "Series60/"},
    {"MSIE ", "IE", NULL},
    {"Trident/7", "IE", "rv:"},
    {"Android", "Android", "Version/"},
    {"Version/", "Safari", NULL},
    {"AppleWebKit/", "Safari", NULL},
    {"python-requests/", "Python Requests", NULL},
    {"Python-urllib/", "Python-urllib", NULL},
    {"aiohttp/", "aiohttp", NULL},
    {"curl/", "curl", NULL},
    {"Wget/", "Wget", NULL},
    {"Go-http-client/", "Go-http-client", NULL},
    {"okhttp/", "okhttp", NULL},
    {"Java/", "Java", NULL},
    {"PostmanRuntime/", "PostmanRuntime", NULL},
    {"WindowsPowerShell/", "WindowsPowerShell", NULL},
    {"PowerShell/", "PowerShell", NULL},
    {"azsdk-", "Azure SDK", NULL},
    {"BAV2ROPC", "BAV2ROPC", NULL},
    {"CBAInPROD", "CBAInPROD", NULL},
};

static const struct agent_rule systems[] = {
    {"Windows Phone", "Windows Phone", NULL},
    {"Windows NT 10", "Windows", "Windows NT "},
    {"Windows NT", "Windows", "Windows NT "},
    {"Windows 98", "Windows", "Windows "},
    {"Windows", "Windows", NULL},
    {"Android", "Android", NULL},
    {"iPhone OS", "iOS", NULL},
    {"CPU OS", "iOS", NULL},
    {"iPhone", "iOS", NULL},
    {"iPad", "iOS", NULL},
    {"iOS", "iOS", NULL},
    {"Mac OS X", "Mac OS X", NULL},
    {"Macintosh", "Mac OS", NULL},
    {"CrOS", "Chrome OS", NULL},
    {"SymbianOS/", "Symbian OS", NULL},
    {"Ubuntu", "Ubuntu", NULL},
    {"Fedora", "Fedora", NULL},
    {"FreeBSD", "FreeBSD", NULL},
    {"OpenBSD", "OpenBSD", NULL},
    {"Linux", "Linux", NULL},
};

struct device_rule {
    const char *mark, *family, *brand, *model;
};
static const struct device_rule devices[] = {
    {"iPhone", "iPhone", "Apple", "iPhone"},
    {"iPad", "iPad", "Apple", "iPad"},
    {"iPod", "iPod", "Apple", "iPod"},
    {"Macintosh", "Mac", "Apple", "Mac"},
    {"Googlebot", "Spider", "Spider", "Desktop"},
    {"bingbot", "Spider", "Spider", "Desktop"},
};

/* Places of `mark` are searched for without case. */
static size_t find_mark(rf_str text, const char *mark)
{
    rf_str want = rf_str_of(mark);
    for (size_t at = 0; at + want.len <= text.len; at++)
        if (rf_str_eq_nocase(rf_slice(text, at, at + want.len), want)) return at;
    return SIZE_MAX;
}

enum { VERSION_PARTS = 4 };

/* Up to four numbers behind `at`, divided by . or _; empty where there are fewer. */
static void take_version(rf_str text, size_t at, rf_str parts[VERSION_PARTS])
{
    for (int i = 0; i < VERSION_PARTS; i++) parts[i] = (rf_str){NULL, 0};
    if (at < text.len && (text.ptr[at] == '/' || text.ptr[at] == ' ')) at++;
    for (int i = 0; i < VERSION_PARTS; i++) {
        size_t from = at;
        while (at < text.len && rf_is_digit(text.ptr[at])) at++;
        if (at == from) return;
        parts[i] = rf_slice(text, from, at);
        if (at >= text.len || (text.ptr[at] != '.' && text.ptr[at] != '_')) return;
        at++;
    }
}

static const struct agent_rule *rule_find(const struct agent_rule *rules, size_t count, rf_str text,
                                          rf_str parts[VERSION_PARTS])
{
    for (int i = 0; i < VERSION_PARTS; i++) parts[i] = (rf_str){NULL, 0};
    for (size_t i = 0; i < count; i++) {
        size_t at = find_mark(text, rules[i].mark);
        if (at == SIZE_MAX) continue;
        at += strlen(rules[i].mark);
        if (rules[i].version_mark != NULL) {
            size_t other = find_mark(text, rules[i].version_mark);
            if (other != SIZE_MAX) at = other + strlen(rules[i].version_mark);
        }
        take_version(text, at, parts);
        return &rules[i];
    }
    return NULL;
}

static void put_pair(struct dyn_builder *bag, const char *key, rf_str value)
{
    dyn_key(bag, rf_str_of(key));
    dyn_put_string(bag->buf, value);
}

static void put_browser(struct rf_buf *buf, rf_str text)
{
    struct dyn_builder bag;
    rf_str parts[VERSION_PARTS];
    const struct agent_rule *rule = rule_find(browsers, RF_COUNT(browsers), text, parts);
    dyn_begin(&bag, buf, DYN_BAG);
    put_pair(&bag, "Family", rf_str_of(rule == NULL ? "Other" : rule->family));
    put_pair(&bag, "MajorVersion", parts[0]);
    put_pair(&bag, "MinorVersion", parts[1]);
    put_pair(&bag, "Patch", parts[2]);
    dyn_end(&bag);
}

/* Windows tells its kernel's version; people know the product by another. */
static void windows_version(rf_str parts[VERSION_PARTS])
{
    static const struct {
        const char *major, *minor, *name;
    } versions[] = {
        {"6", "3", "8.1"},   {"6", "2", "8"},  {"6", "1", "7"},
        {"6", "0", "Vista"}, {"5", "1", "XP"}, {"5", "2", "XP"},
    };
    if (rf_str_is(parts[0], "10")) parts[1] = (rf_str){NULL, 0};
    for (size_t i = 0; i < RF_COUNT(versions); i++) {
        if (!rf_str_is(parts[0], versions[i].major) || !rf_str_is(parts[1], versions[i].minor))
            continue;
        parts[0] = rf_str_of(versions[i].name);
        parts[1] = (rf_str){NULL, 0};
        if (rf_str_is(parts[0], "8.1")) {
            parts[0] = RF_S("8");
            parts[1] = RF_S("1");
        }
        return;
    }
}

static void put_system(struct rf_buf *buf, rf_str text)
{
    struct dyn_builder bag;
    rf_str parts[VERSION_PARTS];
    const struct agent_rule *rule = rule_find(systems, RF_COUNT(systems), text, parts);
    if (rule != NULL && strcmp(rule->family, "Windows") == 0) windows_version(parts);
    dyn_begin(&bag, buf, DYN_BAG);
    put_pair(&bag, "Family", rf_str_of(rule == NULL ? "Other" : rule->family));
    put_pair(&bag, "MajorVersion", parts[0]);
    put_pair(&bag, "MinorVersion", parts[1]);
    put_pair(&bag, "Patch", parts[2]);
    put_pair(&bag, "PatchMinor", parts[3]);
    dyn_end(&bag);
}

/* "Nokia" and "SM-" are followed by the model, up to a blank, a slash, a semicolon or the end. */
static rf_str model_at(rf_str text, size_t at)
{
    size_t to = at;
    while (to < text.len && strchr(" /;)", text.ptr[to]) == NULL) to++;
    return rf_slice(text, at, to);
}

static void put_device(struct rf_buf *buf, rf_str text)
{
    struct dyn_builder bag;
    rf_str family = RF_S("Other"), brand = RF_S(""), model = RF_S("");
    size_t nokia = find_mark(text, "Nokia"), samsung = find_mark(text, "SM-");
    if (nokia != SIZE_MAX && find_mark(text, "Nokia/") != nokia) {
        brand = RF_S("Nokia");
        model = model_at(text, nokia + 5);
    } else if (samsung != SIZE_MAX) {
        brand = RF_S("Samsung");
        model = model_at(text, samsung);
    }
    bool by_model = brand.len > 0;
    for (size_t i = 0; brand.len == 0 && i < RF_COUNT(devices); i++) {
        if (find_mark(text, devices[i].mark) == SIZE_MAX) continue;
        family = rf_str_of(devices[i].family);
        brand = rf_str_of(devices[i].brand);
        model = rf_str_of(devices[i].model);
    }
    dyn_begin(&bag, buf, DYN_BAG);
    dyn_key(&bag, RF_S("Family"));
    if (by_model) {
        struct rf_buf name = rf_buf_in(buf->arena);
        size_t dash = rf_str_find(model, RF_S("-"), rf_str_is(brand, "Nokia") ? 0 : model.len);
        rf_buf_printf(&name, "%.*s %.*s", RF_FMT(brand),
                      RF_FMT(rf_slice(model, 0, dash == SIZE_MAX ? model.len : dash)));
        buf->failed = buf->failed || name.failed;
        family = rf_buf_view(&name);
    }
    dyn_put_string(buf, family);
    put_pair(&bag, "Brand", brand);
    put_pair(&bag, "Model", model);
    dyn_end(&bag);
}

void parse_agent_put(struct rf_buf *buf, rf_str text, uint32_t parts)
{
    struct dyn_builder bag;
    enum { AGENT_BYTES_MAX = 4096 }; /* the marks are searched for one by one */
    text = rf_slice(text, 0, RF_MIN(text.len, (size_t)AGENT_BYTES_MAX));
    dyn_begin(&bag, buf, DYN_BAG);
    if (parts & AGENT_BROWSER) {
        dyn_key(&bag, RF_S("Browser"));
        put_browser(buf, text);
    }
    if (parts & AGENT_OS) {
        dyn_key(&bag, RF_S("OperatingSystem"));
        put_system(buf, text);
    }
    if (parts & AGENT_DEVICE) {
        dyn_key(&bag, RF_S("Device"));
        put_device(buf, text);
    }
    dyn_end(&bag);
}
