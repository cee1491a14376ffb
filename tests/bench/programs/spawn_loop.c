/* posix_spawn and waitpid of PROGRAM, COUNT times, one after the other; prints nanoseconds a round:
 *   spawn_loop COUNT PROGRAM
 */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    long count = atol(argv[1]);
    char *words[] = {argv[2], NULL};
    double began = seconds();
    for (long i = 0; i < count; i++) {
        pid_t pid;
        int status;
        if (posix_spawn(&pid, argv[2], NULL, NULL, words, environ) != 0 || waitpid(pid, &status, 0) != pid)
            return 3;
    }
    printf("%.0f\n", (seconds() - began) / (double)count * 1e9);
    return 0;
}
