/*
 * The floor of a queue: one putter, one getter, no lock, nothing survives a death.
 *
 *   ring N SIZE CAPACITY      SIZE 8 moves int64, a larger one moves blocks of bytes
 *
 * Fixed slots in shared memory; each side keeps a copy of the other's index and looks at the real
 * one only when the copy says full or empty. A block is copied in from and out to a private
 * buffer, as a queue that hands out values must; one byte of every cache line is written before
 * and checked after.
 */
#define _GNU_SOURCE
#include "measure.h"

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>

enum { LINE = 64, SPINS = 2000 };

struct ring {
	_Alignas(LINE) _Atomic uint64_t tail; /* written by the putter only */
	_Alignas(LINE) _Atomic uint64_t head; /* written by the getter only */
	_Alignas(LINE) _Atomic uint64_t phase;
	_Alignas(LINE) unsigned char slots[];
};

static struct ring *ring;
static uint64_t capacity, size;

static inline void rest(unsigned *spins)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
	if (++*spins % SPINS == 0)
		sched_yield();
}

static inline unsigned char *slot(uint64_t i)
{
	return ring->slots + (i & (capacity - 1)) * size;
}

static void put_all(uint64_t from, uint64_t n)
{
	unsigned char *block = malloc(size);
	uint64_t tail = from, head = from;

	memset(block, 0, size);
	for (uint64_t i = 0; i < n; i++, tail++) {
		for (unsigned spins = 0; tail - head == capacity; rest(&spins))
			if ((head = atomic_load_explicit(&ring->head, memory_order_acquire)) + capacity != tail)
				break;
		if (size == 8) {
			memcpy(slot(tail), &i, 8);
		} else {
			for (uint64_t k = 0; k < size; k += LINE)
				block[k] = (unsigned char)i;
			memcpy(slot(tail), block, size);
		}
		atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
	}
	free(block);
}

static void get_all(uint64_t from, uint64_t n)
{
	unsigned char *block = malloc(size);
	uint64_t head = from, tail = from, sum = 0;

	for (uint64_t i = 0; i < n; i++, head++) {
		for (unsigned spins = 0; head == tail; rest(&spins))
			if ((tail = atomic_load_explicit(&ring->tail, memory_order_acquire)) != head)
				break;
		if (size == 8) {
			uint64_t v;
			memcpy(&v, slot(head), 8);
			sum += v;
		} else {
			memcpy(block, slot(head), size);
			for (uint64_t k = 0; k < size; k += LINE)
				sum += block[k] != (unsigned char)i;
		}
		atomic_store_explicit(&ring->head, head + 1, memory_order_release);
	}
	if (sum != (size == 8 ? n * (n - 1) / 2 : 0))
		refuse("ring: wrong content");
	free(block);
}

int main(int argc, char **argv)
{
	if (argc != 4)
		refuse("usage: ring N SIZE CAPACITY");
	uint64_t n = (uint64_t)number(argv[1]), warm = n / 10 + 1;
	size = (uint64_t)number(argv[2]);
	capacity = (uint64_t)number(argv[3]);
	if (capacity == 0 || (capacity & (capacity - 1)) != 0)
		refuse("ring: the capacity must be a power of two");
	ring = shared(sizeof *ring + capacity * size);

	pid_t child = fork_tied();
	if (child == 0) {
		unsigned spins = 0;
		place(1);
		put_all(0, warm);
		while (atomic_load(&ring->phase) == 0)
			rest(&spins);
		put_all(warm, n);
		_exit(0);
	}
	place(0);
	get_all(0, warm);
	double start = now();
	atomic_store(&ring->phase, 1);
	get_all(warm, n);
	double took = now() - start;
	if (waitpid(child, NULL, 0) < 0)
		die("waitpid");
	report(took / (double)n);
	return 0;
}
