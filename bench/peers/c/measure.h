/* What every floor shares: a clock, the way of reporting, and the way of giving up. */
#ifndef MEASURE_H
#define MEASURE_H

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

static inline double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static inline void report(double seconds_per_op)
{
	printf("{\"per_op\": %.12g}\n", seconds_per_op);
	fflush(stdout);
}

static inline void die(const char *what)
{
	perror(what);
	exit(1);
}

static inline void refuse(const char *what)
{
	fprintf(stderr, "%s\n", what);
	exit(1);
}

/* Memory that parent and child share after fork, zeroed and already backed by pages. */
static inline void *shared(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (p == MAP_FAILED)
		die("mmap");
	return p;
}

/*
 * Puts this process on the rank-th processor it may use, and lets the kernel move it from there.
 * Without this both sides often begin on one core, and a ring is then faster (no cache line
 * travels) or slower (nobody runs while the other spins) by a factor of five from run to run. Tied
 * down for good they would stand still whenever something else runs on that core.
 */
static inline void place(long rank)
{
	cpu_set_t may, one;
	if (sched_getaffinity(0, sizeof may, &may) != 0)
		die("sched_getaffinity");
	rank %= CPU_COUNT(&may);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &may) || rank-- != 0)
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		if (sched_setaffinity(0, sizeof one, &one) != 0)
			die("sched_setaffinity");
		break;
	}
	if (sched_setaffinity(0, sizeof may, &may) != 0)
		die("sched_setaffinity");
}

/* fork, with a child that does not outlive its parent: it might be spinning for an answer. */
static inline pid_t fork_tied(void)
{
	pid_t child = fork();
	if (child < 0)
		die("fork");
	if (child == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return child;
}

static inline long number(const char *s)
{
	char *end;
	long v = strtol(s, &end, 10);
	if (*s == 0 || *end != 0 || v < 0)
		refuse("not a number");
	return v;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static inline double median(double *v, long n)
{
	qsort(v, (size_t)n, sizeof *v, by_value);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

#endif
