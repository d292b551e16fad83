#include "kql/plugin.h"
const struct plugin plugins_cohort[] = {{0}};
