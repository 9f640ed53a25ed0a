/* Owns the form of a line of progress. */
#include "common/compat.h"

#include <stdio.h>

#include "ctl/progress.h"

#define BAR 20

/* Powers of 1000, three digits. */
static void
size_text(char *dst, size_t len, double bytes)
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB" };
	size_t i = 0;

	while (bytes >= 999.5 && i + 1 < NELEM(units)) {
		bytes /= 1000;
		i++;
	}
	snprintf(dst, len, "%.*f %s", i == 0 || bytes >= 99.95 ? 0 : 1, bytes,
	    units[i]);
}

static void
left_text(char *dst, size_t len, double s)
{
	unsigned long n = s < 359999 ? (unsigned long)(s + 0.5) : 359999;

	if (n >= 3600)
		snprintf(dst, len, "%lu:%02lu:%02lu left", n / 3600,
		    n / 60 % 60, n % 60);
	else
		snprintf(dst, len, "%lu:%02lu left", n / 60, n % 60);
}

void
progress_text(char *dst, size_t len, uint64_t done, uint64_t total, int64_t us)
{
	double rate = us > 0 ? (double)done * 1e6 / (double)us : 0;
	char have[24], of[24], speed[24], left[40] = "", bar[BAR + 1];
	double part;

	size_text(have, sizeof(have), (double)done);
	size_text(speed, sizeof(speed), rate);
	if (total == 0) {
		snprintf(dst, len, "%s  %s/s", have, speed);
		return;
	}
	if (done > total) /* a file that grows */
		done = total;
	part = (double)done / (double)total;
	for (int i = 0; i < BAR; i++)
		bar[i] = i < (int)(part * BAR) ? '=' : ' ';
	bar[BAR] = '\0';
	size_text(of, sizeof(of), (double)total);
	if (rate > 0)
		left_text(left, sizeof(left), (double)(total - done) / rate);
	snprintf(dst, len, "[%s] %3d%%  %s of %s  %s/s  %s", bar,
	    (int)(part * 100), have, of, speed, left);
}
