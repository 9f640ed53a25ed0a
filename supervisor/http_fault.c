/* Owns the table of refusals: what each is called, answers and says. */
#include "common/compat.h"

#include <string.h>

#include "common/log.h"
#include "supervisor/http_fault.h"

#define DETAIL_MAX 128	/* bytes of the client's own that are shown */
#define RETRY_AFTER_S 1 /* of what passes by itself */

struct fault_info {
	const char *name;
	int status;
	const char *reason;
};

#define FAULT_ROW(name, status, reason) { #name, status, reason },
static const struct fault_info faults[] = { { "NONE", 0, "" },
	HTTP_FAULT_LIST(FAULT_ROW) };

const char *
http_fault_name(enum http_fault fault)
{
	return faults[fault].name;
}

int
http_fault_status(enum http_fault fault)
{
	return faults[fault].status;
}

void
http_fault_error(
    enum http_fault fault, const char *detail, struct apierr *error)
{
	const struct fault_info *f = &faults[fault];
	const char *type = f->status == 400 ? E_ILLEGAL_ARGUMENT : E_STATUS;
	char shown[DETAIL_MAX];

	if (detail == NULL) {
		apierr_set(error, f->status, type, "%s", f->reason);
	} else {
		log_escape(shown, sizeof(shown), detail, strlen(detail));
		apierr_set(
		    error, f->status, type, "%s: [%s]", f->reason, shown);
	}
	if (f->status == 503)
		error->retry_after_s = RETRY_AFTER_S;
}
