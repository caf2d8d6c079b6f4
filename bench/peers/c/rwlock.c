/*
 * The floor of RWMutex: a process-shared pthread_rwlock. It is not robust: who dies with it leaves it locked for ever.
 *
 *   rwlock N PROCESSES WRITES      N times taken and given back altogether, for reading or, if WRITES is 1, for writing
 */
#define _GNU_SOURCE
#include "measure.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

struct table {
	pthread_rwlock_t lock;
	_Alignas(64) _Atomic int ready;
	_Alignas(64) _Atomic int go;
	_Alignas(64) _Atomic int done;
};

static struct table *v;
static long writes;

static void visit(long n)
{
	for (long i = 0; i < n; i++) {
		if ((writes ? pthread_rwlock_wrlock(&v->lock) : pthread_rwlock_rdlock(&v->lock)) != 0)
			refuse("rwlock: lock");
		pthread_rwlock_unlock(&v->lock);
	}
}

int main(int argc, char **argv)
{
	if (argc != 4)
		refuse("usage: rwlock N PROCESSES WRITES");
	long processes = number(argv[2]), n = number(argv[1]) / processes;
	pthread_rwlockattr_t attr;

	writes = argv[3][0] == '1';
	v = shared(sizeof *v);
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	if (pthread_rwlock_init(&v->lock, &attr) != 0)
		refuse("rwlock: init");

	for (long p = 1; p < processes; p++) {
		pid_t child = fork_tied();
		if (child == 0) {
			place(p);
			atomic_fetch_add(&v->ready, 1);
			while (!atomic_load(&v->go))
				sched_yield();
			visit(n);
			atomic_fetch_add(&v->done, 1);
			_exit(0);
		}
	}
	place(0);
	while (atomic_load(&v->ready) != processes - 1)
		sched_yield();
	visit(n / 10);

	double start = now();
	atomic_store(&v->go, 1);
	visit(n);
	while (atomic_load(&v->done) != processes - 1)
		sched_yield();
	double took = now() - start;
	while (wait(NULL) > 0)
		;
	report(took / (double)(n * processes));
	return 0;
}
