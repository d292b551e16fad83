#include "kql/plugin.h"
const struct plugin plugins_activity[] = {{0}};
