/* decimal.h - 128-bit decimal numbers: up to 34 significant digits, scale 0..28 or so, exact; results
 * that need more digits are rounded half to even; overflow gives false (null in KQL). */
#ifndef RF_DECIMAL_H
#define RF_DECIMAL_H

#include "value/value.h"

struct decimal decimal_from_i64(int64_t i);
bool decimal_from_real(double r, struct decimal *out); /* by the shortest decimal text */
double decimal_to_real(const struct decimal *d);
bool decimal_to_i64(const struct decimal *d, int64_t *out); /* cut toward zero */
int decimal_cmp(const struct decimal *a, const struct decimal *b);
uint64_t decimal_hash(const struct decimal *d); /* 1.0 and 1.00 hash alike */
bool decimal_add(const struct decimal *a, const struct decimal *b, struct decimal *out);
bool decimal_sub(const struct decimal *a, const struct decimal *b, struct decimal *out);
bool decimal_mul(const struct decimal *a, const struct decimal *b, struct decimal *out);
bool decimal_div(const struct decimal *a, const struct decimal *b,
                 struct decimal *out); /* false: b is 0 */
bool decimal_mod(const struct decimal *a, const struct decimal *b,
                 struct decimal *out); /* never negative */
struct decimal decimal_neg(struct decimal d);
/* Multiple of `size` at or below d. */
bool decimal_floor_to(const struct decimal *d, const struct decimal *size, struct decimal *out);
bool decimal_round(const struct decimal *d, int digits,
                   struct decimal *out);   /* half away from zero */
int decimal_sign(const struct decimal *d); /* -1, 0, 1 */

#endif
