/* Standard input, output and error, which the parent may have closed. */
#ifndef COMMON_STDFDS_H
#define COMMON_STDFDS_H

/*
 * Open /dev/null in the place of each that is closed, before any other file is
 * opened: one of 0, 1 and 2 that is free would be given to the next file or
 * socket, into which messages would then be written. Ends the program with
 * status 1 when that fails: there is nowhere to say so.
 */
void stdfds_fill(void);

#endif
