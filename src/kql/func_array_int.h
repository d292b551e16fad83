/* func_array_int.h - what func_array.c takes from func_array_sort.c. */
#ifndef RF_FUNC_ARRAY_INT_H
#define RF_FUNC_ARRAY_INT_H

#include "kql/func_dynamic_int.h"

func_kernel array_sort_asc_kernel, array_sort_desc_kernel;
enum rf_kind array_sort_resolve(struct func_bind *bind, struct rf_err *err);

#endif
