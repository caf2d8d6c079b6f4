/*
 * The C peer of Dict: LMDB, a map in memory that several processes share and that a death does not harm. The file is on
 * /dev/shm and never synced. A read renews one transaction, a write is one of its own.
 *
 *   lmdb N KEYS SETS FORM      N calls on random ones of KEYS keys, SETS of a hundred of them writes; FORM is int, for
 *                              numbers to numbers, or text, for texts to 100 bytes
 */
#define _GNU_SOURCE
#include "measure.h"

#include <lmdb.h>
#include <stdint.h>
#include <string.h>

enum { draws = 1 << 16 };

static int text;
static char names[draws][32];
static long numbers[draws];

static void check(int rc, const char *what)
{
	if (rc != 0) {
		fprintf(stderr, "lmdb: %s: %s\n", what, mdb_strerror(rc));
		exit(1);
	}
}

static MDB_val key_of(long number, char *name)
{
	static long n;
	MDB_val k;

	if (text) {
		k.mv_size = (size_t)snprintf(name, 32, "key number %ld", number);
		k.mv_data = name;
	} else {
		n = number;
		k.mv_size = sizeof n;
		k.mv_data = &n;
	}
	return k;
}

int main(int argc, char **argv)
{
	if (argc != 5)
		refuse("usage: lmdb N KEYS SETS FORM");
	long n = number(argv[1]), keys = number(argv[2]), sets = number(argv[3]);
	char path[] = "/dev/shm/bench-lmdb-XXXXXX", name[32], hundred[100];
	uint64_t state = 88172645463325252u;
	long value = 7, sum = 0;
	MDB_env *env;
	MDB_txn *read, *txn;
	MDB_dbi db;

	text = strcmp(argv[4], "text") == 0;
	memset(hundred, 'x', sizeof hundred);
	int fd = mkstemp(path);
	if (fd < 0)
		die("mkstemp");
	check(mdb_env_create(&env), "create");
	check(mdb_env_set_mapsize(env, (size_t)1 << 30), "map size");
	check(mdb_env_open(env, path, MDB_NOSUBDIR | MDB_NOSYNC | MDB_WRITEMAP, 0600), "open");
	/* Nobody else opens it, and nothing is to be left behind. */
	char lock[sizeof path + 8];
	snprintf(lock, sizeof lock, "%s-lock", path);
	unlink(path);
	unlink(lock);

	MDB_val v = {text ? sizeof hundred : sizeof value, text ? (void *)hundred : (void *)&value};
	check(mdb_txn_begin(env, NULL, 0, &txn), "begin");
	check(mdb_dbi_open(txn, NULL, text ? 0 : MDB_INTEGERKEY, &db), "database");
	for (long i = 0; i < keys; i++) {
		MDB_val k = key_of(i, name);
		check(mdb_put(txn, db, &k, &v, 0), "put");
	}
	check(mdb_txn_commit(txn), "commit");
	for (long i = 0; i < draws; i++) {
		state ^= state << 13, state ^= state >> 7, state ^= state << 17;
		numbers[i] = (long)(state % (uint64_t)keys);
		snprintf(names[i], sizeof names[i], "key number %ld", numbers[i]);
	}
	check(mdb_txn_begin(env, NULL, MDB_RDONLY, &read), "begin reading");
	mdb_txn_reset(read);

	double start = 0;
	for (long i = -n / 10 - 1; i < n; i++) {
		long at = (i + n / 10 + 1) % draws;
		MDB_val k = {text ? strlen(names[at]) : sizeof(long), text ? (void *)names[at] : (void *)&numbers[at]};
		if (i == 0)
			start = now();
		if ((i + n / 10 + 1) % 100 < sets) {
			check(mdb_txn_begin(env, NULL, 0, &txn), "begin");
			check(mdb_put(txn, db, &k, &v, 0), "put");
			check(mdb_txn_commit(txn), "commit");
		} else {
			MDB_val got;
			check(mdb_txn_renew(read), "renew");
			check(mdb_get(read, db, &k, &got), "get");
			sum += *(char *)got.mv_data;
			mdb_txn_reset(read);
		}
	}
	double per = (now() - start) / (double)n;
	if (sum == 1)
		refuse("nothing was read");
	report(per);
	mdb_txn_abort(read);
	mdb_env_close(env);
	return 0;
}
