/*
 * Every way in which the HTTP layer refuses a request, declared once: its
 * status and the reason that the client reads. Each refusal is counted.
 */
#ifndef SUPERVISOR_HTTP_FAULT_H
#define SUPERVISOR_HTTP_FAULT_H

#include "common/apierr.h"
#include "common/compat.h"

/* clang-format off */
#define HTTP_FAULT_LIST(X) \
	/* name           status  reason */ \
	X(BARE_LF,           400, "a line ends in LF without CR before it") \
	X(BARE_CR,           400, "a CR is not followed by LF") \
	X(CONTROL_BYTE,      400, "a control byte where none may be") \
	X(METHOD,            400, "the method is not a token") \
	X(TARGET,            400, "the request target is not valid") \
	X(TARGET_LONG,       414, "the request target is too long") \
	X(VERSION,           400, "the request line does not end in HTTP/1.0 " \
				  "or HTTP/1.1") \
	X(VERSION_UNKNOWN,   505, "only HTTP/1.0 and HTTP/1.1 are spoken here") \
	X(HEAD_LARGE,        431, "the header fields are larger than the " \
				  "configuration key max_head_size allows") \
	X(FIELDS_MANY,       431, "there are too many header fields") \
	X(FIELD_FOLDED,      400, "a header field is folded over lines") \
	X(FIELD_SPACE,       400, "white space before the colon of a header " \
				  "field") \
	X(FIELD_NAME,        400, "the name of a header field is not a token") \
	X(HOST_MISSING,      400, "HTTP/1.1 asks for a Host header") \
	X(HOST_TWICE,        400, "there is more than one Host header") \
	X(HOST_INVALID,      400, "the Host header is not a host") \
	X(LENGTH_TWICE,      400, "there is more than one Content-Length") \
	X(LENGTH_INVALID,    400, "Content-Length is not a plain number") \
	X(LENGTH_AND_CODING, 400, "Content-Length beside Transfer-Encoding") \
	X(CODING_IN_1_0,     400, "HTTP/1.0 knows no Transfer-Encoding") \
	X(CODING_UNKNOWN,    400, "Transfer-Encoding is not exactly chunked") \
	X(CHUNK_SIZE,        400, "the size of a chunk is not a hexadecimal " \
				  "number") \
	X(CHUNK_HUGE,        400, "the size of a chunk is beyond all bounds") \
	X(CHUNK_EXTENSION,   400, "the extension of a chunk is not valid") \
	X(CHUNK_LINE_LONG,   400, "the extensions of the chunks are too long") \
	X(CHUNK_END,         400, "no CRLF after the data of a chunk") \
	X(TRAILER_LARGE,     431, "the trailer fields are too large") \
	X(EXPECTATION,       417, "the only expectation met is 100-continue") \
	X(ENCODING,          415, "Content-Encoding is none of gzip, zstd, " \
				  "identity") \
	X(HOST_FORBIDDEN,    403, "the Host header names neither this machine " \
				  "nor a host of the configuration key " \
				  "allowed_host") \
	X(ORIGIN_FORBIDDEN,  403, "the Origin header names no origin of the " \
				  "configuration key allowed_origin") \
	X(BODY_LARGE,        413, "the body is too large") \
	X(BODY_ENCODING,     400, "the body is not what its Content-Encoding " \
				  "says") \
	X(HEAD_SLOW,         408, "the request did not come in time") \
	X(BODY_SLOW,         408, "the body came too slowly") \
	X(UNANSWERED,        500, "the request was neither answered nor read") \
	X(CROWDED,           503, "too much of the bodies of other requests is " \
				  "held; try again") \
	X(NO_MEMORY,         503, "there is no memory for the request")
/* clang-format on */

#define HTTP_FAULT_ENUM(name, status, reason) HTTP_FAULT_##name,
enum http_fault {
	HTTP_FAULT_NONE,
	HTTP_FAULT_LIST(HTTP_FAULT_ENUM) HTTP_FAULT_COUNT
};

/* "BARE_LF", ... for counters and the log; "NONE" for none. */
const char *http_fault_name(enum http_fault);
int http_fault_status(enum http_fault); /* 0 for none */

/*
 * The fault as an error of the API.
 *
 * detail  what the client sent, shown after the reason; may be NULL; bytes
 *         that are not plain ASCII are escaped
 */
void http_fault_error(
    enum http_fault, const char *detail, struct apierr *error);

#endif
