/* server/step.h: where a test ends the process, as kill -9 would. Nothing but in build/helenus-switches.
 *
 *     HELENUS_TEST_KILL="built"      when it comes to that step
 *     HELENUS_TEST_KILL="built 2"    when it comes there for the second time
 *
 * Thread: any.
 */
#ifndef SERVER_STEP_H
#define SERVER_STEP_H

void step_reached(void *context, const char *step);

#endif
