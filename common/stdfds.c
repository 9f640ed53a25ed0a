/* Owns that the standard descriptors are open. */
#include "common/compat.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/stdfds.h"

void
stdfds_fill(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) == -1 &&
		    open("/dev/null", O_RDWR | O_NOCTTY) != fd)
			exit(1);
}
