/* Shared by the parts of the recorder; what it is: recorder.c. */
#ifndef POWERLOSS_RECORDER_H
#define POWERLOSS_RECORDER_H

#include <dlfcn.h>
#include <stdint.h>

extern uint8_t *ring; /* NULL: nothing is recorded */

/* The next definition of a function: the real one. */
#define REAL(name, type, ...)                                                  \
	static type (*real_##name)(__VA_ARGS__);                               \
	if (real_##name == NULL)                                               \
	*(void **)&real_##name = dlsym(RTLD_NEXT, #name)

/* A call that cannot be noted: say so, and end. */
_Noreturn void hole(const char *name);

/* What is done to this file is recorded. */
int is_noted(int fd);

#endif
