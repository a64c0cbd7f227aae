/* Process 1 of a pod: reaps children that lost their parent, ends at SIGTERM and SIGINT. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static void stop(int signal) {
    (void)signal;
    _exit(0);
}

static void reap(int signal) {
    (void)signal;
    while (waitpid(-1, 0, WNOHANG) > 0) {
    }
}

int main(void) {
    struct sigaction stopping = {.sa_handler = stop};
    struct sigaction reaping = {.sa_handler = reap, .sa_flags = SA_NOCLDSTOP};
    if (sigaction(SIGTERM, &stopping, 0) || sigaction(SIGINT, &stopping, 0) || sigaction(SIGCHLD, &reaping, 0))
        return 1;
    for (;;)
        pause();
}
