/* The scales of a series. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <math.h>

#include "worker/power.h"

Test(power, there_and_back)
{
	for (enum power p = POWER_LINEAR; p < POWERS; p++) {
		for (double x = 1e-3; x < 1e12; x *= 7) {
			double y = power_of(p, 0.375, x);

			cr_expect_float_eq(
			    power_back(p, 0.375, y), x, 1e-9 * (x + 1));
		}
	}
}

Test(power, slopes_are_those_of_the_curves)
{
	for (enum power p = POWER_LINEAR; p < POWERS; p++) {
		for (double x = 0.5; x < 1e6; x *= 3) {
			double h = 1e-5 * x;
			double rise =
			    power_of(p, 0.1, x + h) - power_of(p, 0.1, x - h);

			cr_expect_float_eq(power_ln_slope(p, 0.1, x),
			    log(rise / (2 * h)), 1e-7);
		}
	}
}

Test(power, order_is_kept)
{
	for (enum power p = POWER_LINEAR; p < POWERS; p++)
		cr_expect_lt(power_of(p, 1, 3), power_of(p, 1, 4));
}
