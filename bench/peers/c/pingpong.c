/*
 * The floor of a round trip through the kernel: 8 bytes there and back over an AF_UNIX socketpair.
 *
 *   pingpong N PAUSE_US       PAUSE_US 0: the mean of N trips in a row; else the median of single
 *                             trips, both sides asleep between them
 */
#define _GNU_SOURCE
#include "measure.h"

#include <stdint.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void echo(int fd)
{
	uint64_t v;
	while (read(fd, &v, sizeof v) == sizeof v) {
		v++;
		if (write(fd, &v, sizeof v) != sizeof v)
			die("write");
	}
	_exit(0);
}

static void trip(int fd, uint64_t i)
{
	uint64_t v = i;
	if (write(fd, &v, sizeof v) != sizeof v || read(fd, &v, sizeof v) != sizeof v)
		die("round trip");
	if (v != i + 1)
		refuse("pingpong: wrong answer");
}

int main(int argc, char **argv)
{
	int fds[2];

	if (argc != 3)
		refuse("usage: pingpong N PAUSE_US");
	long n = number(argv[1]), pause_us = number(argv[2]);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0)
		die("socketpair");
	pid_t child = fork_tied();
	if (child == 0) {
		close(fds[0]);
		echo(fds[1]);
	}
	close(fds[1]);
	for (long i = 0; i < n / 10 + 1; i++)
		trip(fds[0], (uint64_t)i);

	if (pause_us == 0) {
		double start = now();
		for (long i = 0; i < n; i++)
			trip(fds[0], (uint64_t)i);
		report((now() - start) / (double)n);
	} else {
		double *took = malloc((size_t)n * sizeof *took);
		struct timespec pause = {.tv_nsec = pause_us * 1000};
		for (long i = 0; i < n; i++) {
			nanosleep(&pause, NULL);
			double start = now();
			trip(fds[0], (uint64_t)i);
			took[i] = now() - start;
		}
		report(median(took, n));
	}
	close(fds[0]);
	waitpid(child, NULL, 0);
	return 0;
}
