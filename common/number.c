/* Placeholder: replaced by its owner. */
#include "common/compat.h"
