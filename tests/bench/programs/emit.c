/* Write COUNT lines of SIZE bytes, PER_WRITE of them with each write(2), pausing PAUSE_US microseconds behind each:
 *   emit COUNT SIZE PER_WRITE [PAUSE_US]
 * A line is {"seq":N,"ts":NANOSECONDS,"pad":"xxx"}; ts is CLOCK_MONOTONIC just before the line was made.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int write_all(const char *data, size_t size)
{
    while (size > 0) {
        ssize_t count = write(1, data, size);
        if (count < 0) {
            if (errno == EINTR)
                continue;
            return -1;
        }
        data += count;
        size -= (size_t)count;
    }
    return 0;
}

static void make_line(char *line, int size, long seq)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int head = snprintf(line, (size_t)size, "{\"seq\":%ld,\"ts\":%lld,\"pad\":\"", seq,
                        now.tv_sec * 1000000000LL + now.tv_nsec);
    memset(line + head, 'x', (size_t)(size - head - 3));
    memcpy(line + size - 3, "\"}\n", 3);
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 2;
    long count = atol(argv[1]), pause_us = argc > 4 ? atol(argv[4]) : 0;
    int size = atoi(argv[2]), per_write = atoi(argv[3]);
    if (size < 80 || per_write < 1)
        return 2;
    char *buffer = malloc((size_t)size * (size_t)per_write);
    if (buffer == NULL)
        return 3;
    struct timespec pause = {pause_us / 1000000, pause_us % 1000000 * 1000};
    for (long done = 0; done < count;) {
        int lines = 0;
        for (; lines < per_write && done < count; lines++, done++)
            make_line(buffer + (size_t)lines * (size_t)size, size, done);
        if (write_all(buffer, (size_t)lines * (size_t)size) < 0)
            return 4;
        if (pause_us > 0)
            nanosleep(&pause, NULL);
    }
    return 0;
}
