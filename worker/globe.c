/* Owns the geometry of the globe, which is a sphere here. */
#include "common/compat.h"

#include <math.h>
#include <string.h>

#include "common/timefmt.h"
#include "worker/globe.h"

#define RADIUS_KM 6371.0088 /* mean radius of the earth (IUGG) */
#define DEGREES_MOST 180.0

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static int
parse_degrees(const char *p, size_t len, double *v)
{
	while (len > 0 && is_blank(p[0])) {
		p++;
		len--;
	}
	while (len > 0 && is_blank(p[len - 1]))
		len--;
	if (len == 0 || number_parse(p, len, v) == -1)
		return -1;
	return fabs(*v) <= DEGREES_MOST ? 0 : -1; /* nor is NaN */
}

static uint32_t
cell_of(const double at[3])
{
	double lat, lon;

	globe_degrees(at, &lat, &lon);
	return (uint32_t)(floor(lat) + 90) * 361 + (uint32_t)(floor(lon) + 180);
}

int
globe_parse(const char *p, size_t len, struct position *out)
{
	const char *comma = len == 0 ? NULL : memchr(p, ',', len);
	double lat, lon;
	size_t n;

	if (comma == NULL)
		return -1;
	n = (size_t)(comma - p);
	if (parse_degrees(p, n, &lat) == -1 ||
	    parse_degrees(comma + 1, len - n - 1, &lon) == -1)
		return -1;
	lat *= M_PI / DEGREES_MOST;
	lon *= M_PI / DEGREES_MOST;
	out->at[0] = cos(lat) * cos(lon);
	out->at[1] = cos(lat) * sin(lon);
	out->at[2] = sin(lat);
	out->cell = cell_of(out->at);
	return 0;
}

/* By the arc tangent, which keeps its digits for small and large angles. */
double
globe_distance_km(const double a[3], const double b[3])
{
	double x = a[1] * b[2] - a[2] * b[1];
	double y = a[2] * b[0] - a[0] * b[2];
	double z = a[0] * b[1] - a[1] * b[0];
	double dot = a[0] * b[0] + a[1] * b[1] + a[2] * b[2];

	return RADIUS_KM * atan2(sqrt(x * x + y * y + z * z), dot);
}

void
globe_degrees(const double a[3], double *lat, double *lon)
{
	*lat = atan2(a[2], hypot(a[0], a[1])) * (DEGREES_MOST / M_PI);
	*lon = atan2(a[1], a[0]) * (DEGREES_MOST / M_PI);
}
