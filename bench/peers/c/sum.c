/*
 * What this machine's memory allows: 64 MiB of int64 summed by 1 or 2 processes in place.
 *
 *   sum N PROCESSES           N passes over the array
 */
#define _GNU_SOURCE
#include "measure.h"

#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LEN = (64 << 20) / 8, MAX = 16 };

struct worker {
	int go[2], done[2];
};

static int64_t *array;

static void serve(struct worker *w, long i, long processes)
{
	int64_t from = LEN / processes * i, to = i == processes - 1 ? LEN : LEN / processes * (i + 1);
	char c;
	while (read(w->go[0], &c, 1) == 1) {
		int64_t sum = 0;
		for (int64_t k = from; k < to; k++)
			sum += array[k];
		if (write(w->done[1], &sum, sizeof sum) != sizeof sum)
			die("write");
	}
	_exit(0);
}

static void pass(struct worker *w, long processes)
{
	int64_t total = 0, part;
	for (long p = 0; p < processes; p++)
		if (write(w[p].go[1], "g", 1) != 1)
			die("write");
	for (long p = 0; p < processes; p++) {
		if (read(w[p].done[0], &part, sizeof part) != sizeof part)
			die("read");
		total += part;
	}
	if (total != (int64_t)LEN * (LEN - 1) / 2)
		refuse("sum: wrong sum");
}

int main(int argc, char **argv)
{
	struct worker w[MAX];

	if (argc != 3)
		refuse("usage: sum N PROCESSES");
	long n = number(argv[1]), processes = number(argv[2]);
	if (processes < 1 || processes > MAX)
		refuse("sum: between 1 and 16 processes");
	array = shared(LEN * sizeof *array);
	for (int64_t i = 0; i < LEN; i++)
		array[i] = i;
	for (long p = 0; p < processes; p++) {
		if (pipe(w[p].go) != 0 || pipe(w[p].done) != 0)
			die("pipe");
		pid_t child = fork_tied();
		if (child == 0) {
			place(p);
			for (long q = 0; q <= p; q++)
				close(w[q].go[1]);
			serve(&w[p], p, processes);
		}
	}
	pass(w, processes);
	double start = now();
	for (long i = 0; i < n; i++)
		pass(w, processes);
	report((now() - start) / (double)n);
	for (long p = 0; p < processes; p++)
		close(w[p].go[1]);
	while (wait(NULL) > 0)
		;
	return 0;
}
