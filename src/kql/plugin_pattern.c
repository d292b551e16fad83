#include "kql/plugin.h"
const struct plugin plugins_pattern[] = {{0}};
