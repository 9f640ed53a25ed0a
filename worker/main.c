/* Placeholder: replaced by its owner. */
#include "common/compat.h"

int
main(void)
{
	return 1;
}
