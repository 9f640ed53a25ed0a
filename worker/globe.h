/* Places on the globe, as the data has them and as one can reckon with them. */
#ifndef WORKER_GLOBE_H
#define WORKER_GLOBE_H

#include <stddef.h>

#include "common/compat.h"
#include "worker/groups.h"

/*
 * Read "lat,lon" in degrees, each within -180..180 (results-and-models 6.2),
 * blanks allowed around them. Latitudes beyond 90 go over the pole. The
 * position's cell is its degree of latitude and longitude, its coordinates the
 * unit vector that points there: so neither the antimeridian nor the poles are
 * anything special. 0, or -1: it is no place.
 */
int globe_parse(const char *p, size_t len, struct position *) MUST_CHECK;

/* Kilometres along the surface between two directions of any length. */
double globe_distance_km(const double a[3], const double b[3]);

/* The place a direction points to, in degrees: -90..90, -180..180. */
void globe_degrees(const double a[3], double *lat, double *lon);

#endif
