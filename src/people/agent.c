#include "people/agent.h"

void agent_read(rf_str agent, const char **system, const char **browser)
{
    static const struct {
        const char *mark, *name;
    } systems[] = {{"Windows NT 10", "Windows10"},
                   {"Windows", "Windows"},
                   {"Android", "Android"},
                   {"iPhone", "Ios"},
                   {"iPad", "Ios"},
                   {"Mac OS X", "MacOs"},
                   {"Linux", "Linux"}},
      browsers[] = {{"Edg/", "Edge"},      {"Firefox/", "Firefox"}, {"Chrome/", "Chrome"},
                    {"Safari/", "Safari"}, {"python", "Python"},    {"node", "Node"}};
    *system = *browser = "";
    for (size_t i = 0; i < RF_COUNT(systems) && (*system)[0] == 0; i++)
        if (rf_str_find(agent, rf_str_of(systems[i].mark), 0) != SIZE_MAX)
            *system = systems[i].name;
    for (size_t i = 0; i < RF_COUNT(browsers) && (*browser)[0] == 0; i++)
        if (rf_str_find(agent, rf_str_of(browsers[i].mark), 0) != SIZE_MAX)
            *browser = browsers[i].name;
}
