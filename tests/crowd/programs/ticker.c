/* Write a line every second until SIGINT or SIGTERM, then the number of lines into BOOK:
 *   ticker BOOK
 * A line is `N NANOSECONDS`; the time is CLOCK_REALTIME just before the line was written.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t told;

static void tell(int number)
{
    (void)number;
    told = 1;
}

static int write_line(long line)
{
    char text[64];
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int size = snprintf(text, sizeof text, "%ld %lld\n", line, now.tv_sec * 1000000000LL + now.tv_nsec);
    return write(1, text, (size_t)size) == size ? 0 : -1;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    struct sigaction action = {.sa_handler = tell};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    long line = 0;
    struct timespec next;
    clock_gettime(CLOCK_MONOTONIC, &next);
    while (!told) {
        if (write_line(++line) < 0)
            return 3;
        next.tv_sec++;
        while (!told && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL) == EINTR)
            ;
    }
    FILE *book = fopen(argv[1], "w");
    if (book == NULL || fprintf(book, "%ld\n", line) < 0 || fclose(book) != 0)
        return 4;
    return 130;
}
