#include "kql/plugin.h"
const struct plugin plugins_sequence[] = {{0}};
