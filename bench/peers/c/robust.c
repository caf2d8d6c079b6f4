/*
 * The floor of Value.Update: a robust, process-shared pthread mutex around one increment.
 *
 *   robust N PROCESSES        N increments altogether
 */
#define _GNU_SOURCE
#include "measure.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

struct value {
	pthread_mutex_t lock;
	volatile long n;
	_Alignas(64) _Atomic int ready;
	_Alignas(64) _Atomic int go;
	_Alignas(64) _Atomic int done;
};

static struct value *v;

static void add(long n)
{
	for (long i = 0; i < n; i++) {
		int err = pthread_mutex_lock(&v->lock);
		if (err == EOWNERDEAD)
			err = pthread_mutex_consistent(&v->lock);
		if (err != 0)
			refuse("robust: lock");
		v->n++;
		pthread_mutex_unlock(&v->lock);
	}
}

int main(int argc, char **argv)
{
	if (argc != 3)
		refuse("usage: robust N PROCESSES");
	long processes = number(argv[2]), n = number(argv[1]) / processes;
	pthread_mutexattr_t attr;

	v = shared(sizeof *v);
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	if (pthread_mutex_init(&v->lock, &attr) != 0)
		refuse("robust: init");

	for (long p = 1; p < processes; p++) {
		pid_t child = fork_tied();
		if (child == 0) {
			place(p);
			atomic_fetch_add(&v->ready, 1);
			while (!atomic_load(&v->go))
				sched_yield();
			add(n);
			atomic_fetch_add(&v->done, 1);
			_exit(0);
		}
	}
	place(0);
	while (atomic_load(&v->ready) != processes - 1)
		sched_yield();
	add(n / 10);
	v->n = 0;

	double start = now();
	atomic_store(&v->go, 1);
	add(n);
	while (atomic_load(&v->done) != processes - 1)
		sched_yield();
	double took = now() - start;
	while (wait(NULL) > 0)
		;
	if (v->n != n * processes)
		refuse("robust: wrong count");
	report(took / (double)(n * processes));
	return 0;
}
