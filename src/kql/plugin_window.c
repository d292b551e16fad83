#include "kql/plugin.h"
const struct plugin plugins_window[] = {{0}};
