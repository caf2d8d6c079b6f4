package pymp

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"multiproc/internal/mperr"
)

// sharedName is a name that no other test has. Nothing may be left of it when the
// test ends.
func sharedName(t *testing.T) string {
	t.Helper()
	name := fmt.Sprintf("mptest.%d.%s", os.Getpid(), strings.NewReplacer("/", ".", " ", ".").Replace(t.Name()))
	t.Cleanup(func() {
		if err := unix.Unlink(filepath.Join(sharedDir, name)); err == nil {
			t.Errorf("%s was left in %s", name, sharedDir)
		}
	})
	return name
}

// What one handle stores another loads, until it is closed; the name goes with
// Unlink and not before.
func TestSharedMemory(t *testing.T) {
	for _, named := range []bool{false, true} {
		t.Run(fmt.Sprintf("name first %v", named), func(t *testing.T) {
			noNameless = named
			defer func() { noNameless = false }()
			name := sharedName(t)
			m, err := CreateSharedMemory(name, 5000)
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			if m.Size() != 5000 || len(m.Bytes()) != 5000 || m.Name() != name {
				t.Errorf("%v has %d bytes", m, m.Size())
			}
			if st, err := os.Stat(filepath.Join(sharedDir, name)); err != nil || st.Mode() != 0o600 || st.Size() != 5000 {
				t.Errorf("%v, %v", st, err)
			}
			if _, err := CreateSharedMemory(name, 1); !errors.Is(err, fs.ErrExist) || !strings.Contains(err.Error(), name) {
				t.Errorf("a second one: %v", err)
			}
			o, err := OpenSharedMemory(name)
			if err != nil {
				t.Fatal(err)
			}
			copy(o.Bytes()[4990:], "0123456789")
			if got := string(m.Bytes()[4990:]); got != "0123456789" {
				t.Errorf("the other handle has %q", got)
			}
			if err := o.Close(); err != nil || o.Close() != nil || o.Bytes() != nil || o.Size() != 0 {
				t.Errorf("closed: %v, %d bytes", err, o.Size())
			}
			if err := m.Unlink(); err != nil {
				t.Error(err)
			}
			for what, f := range map[string]func() error{
				"open":        func() error { _, err := OpenSharedMemory(name); return err },
				"unlink":      func() error { return UnlinkSharedMemory(name) },
				"unlink of m": m.Unlink,
			} {
				if err := f(); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), name) {
					t.Errorf("%s: %v", what, err)
				}
			}
			m.Bytes()[0] = 1 // still there
		})
	}
}

// Of many who create one name at the same time one succeeds.
func TestSharedMemoryRace(t *testing.T) {
	for _, named := range []bool{false, true} {
		noNameless = named
		name := sharedName(t)
		var wg sync.WaitGroup
		var mu sync.Mutex
		made := 0
		for range 8 {
			wg.Go(func() {
				m, err := CreateSharedMemory(name, 1<<16)
				if err != nil {
					if !errors.Is(err, fs.ErrExist) {
						t.Error(err)
					}
					return
				}
				mu.Lock()
				made++
				mu.Unlock()
				_ = m.Close()
			})
		}
		wg.Wait()
		noNameless = false
		if err := UnlinkSharedMemory(name); err != nil || made != 1 {
			t.Errorf("%d were made, %v", made, err)
		}
	}
}

// A fresh name is one that Python would have given.
func TestNewSharedMemory(t *testing.T) {
	m, err := NewSharedMemory(1)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := m.Unlink(); err != nil {
		t.Error(err)
	}
	if ok, _ := filepath.Match("psm_[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]", m.Name()); !ok {
		t.Errorf("the name is %q", m.Name())
	}
}

func TestSharedMemoryRefuses(t *testing.T) {
	for _, name := range []string{"", ".", "..", "../x", "/x", "x/", "a/b", "x\x00", "a:b", "a\nb", "ä", strings.Repeat("x", 255)} {
		for what, f := range map[string]func() error{
			"create": func() error { _, err := CreateSharedMemory(name, 1); return err },
			"open":   func() error { _, err := OpenSharedMemory(name); return err },
			"unlink": func() error { return UnlinkSharedMemory(name) },
		} {
			if err := f(); !errors.Is(err, mperr.ErrValue) {
				t.Errorf("%s %q: %v", what, name, err)
			}
		}
	}
	for _, size := range []int{0, -1} {
		if _, err := NewSharedMemory(size); !errors.Is(err, mperr.ErrValue) {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	long := strings.Repeat("x", longestSharedName)
	if _, err := OpenSharedMemory(long); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the longest name: %v", err)
	}
	var zero SharedMemory
	if zero.Bytes() != nil || zero.Size() != 0 || zero.Close() != nil || !errors.Is(zero.Unlink(), mperr.ErrClosed) {
		t.Error("the zero SharedMemory is not closed")
	}
}

// What is in the directory and is no memory is refused: a name without a size, as
// a creator leaves it that dies between its two calls, a link, a pipe, a directory.
func TestSharedMemoryStrange(t *testing.T) {
	name := sharedName(t)
	path := filepath.Join(sharedDir, name)
	for what, c := range map[string]struct {
		make func() error
		want error
		says string
	}{
		"empty":     {func() error { return os.WriteFile(path, nil, 0o600) }, fs.ErrInvalid, "its creator has died"},
		"link":      {func() error { return os.Symlink("/etc/passwd", path) }, syscall.ELOOP, name},
		"dangling":  {func() error { return os.Symlink("/nonsense", path) }, syscall.ELOOP, name},
		"pipe":      {func() error { return unix.Mkfifo(path, 0o600) }, fs.ErrInvalid, "no memory"},
		"directory": {func() error { return os.Mkdir(path, 0o700) }, syscall.EISDIR, name},
	} {
		if err := c.make(); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenSharedMemory(name); !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("open of what is %s: %v", what, err)
		}
		if _, err := CreateSharedMemory(name, 1); !errors.Is(err, fs.ErrExist) {
			t.Errorf("create where there is %s: %v", what, err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

// More than there is fails when it is asked for, and takes nothing.
func TestSharedMemoryTooLarge(t *testing.T) {
	name := sharedName(t)
	var dir unix.Statfs_t
	if err := unix.Statfs(sharedDir, &dir); err != nil {
		t.Fatal(err)
	}
	if dir.Blocks == 0 {
		t.Skip("the directory has no limit")
	}
	for _, named := range []bool{false, true} {
		noNameless = named
		_, err := CreateSharedMemory(name, int(dir.Blocks+1)*int(dir.Bsize))
		if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "bytes left") {
			t.Errorf("name first %v: %v", named, err)
		}
	}
	noNameless = false
}

// In a directory that is nearly full, ftruncate alone succeeds and a store is a
// SIGBUS. Create and Open fail instead. The test is its own child, which has a
// small directory to itself.
func TestSharedMemoryFull(t *testing.T) {
	const mark = "PYMP_TEST_FULL"
	if os.Getenv(mark) != "" {
		fullDirectory(t)
		return
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestSharedMemoryFull$", "-test.v")
	cmd.Env = append(os.Environ(), mark+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch denied := err != nil && !errors.As(err, &exit) || strings.Contains(string(out), "cannot mount"); {
	case denied && strings.Contains(os.Getenv("MP_REQUIRE"), "netns"):
		t.Errorf("MP_REQUIRE wants namespaces: %v\n%s", err, out)
	case denied:
		t.Skipf("needs a user namespace: %v\n%s", err, out)
	case err != nil:
		t.Errorf("%v\n%s", err, out)
	}
}

func fullDirectory(t *testing.T) {
	if err := unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		t.Fatal("cannot mount", err)
	}
	if err := unix.Mount("none", sharedDir, "tmpfs", 0, "size=64k"); err != nil {
		t.Fatal("cannot mount", err)
	}
	if _, err := CreateSharedMemory("a", 1<<20); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("create: %v", err)
	}
	path := filepath.Join(sharedDir, "b")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(path)
	if err := os.Truncate(path, 1<<20); err != nil {
		t.Fatalf("truncate fails, too: %v", err)
	}
	if _, err := OpenSharedMemory("b"); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("open: %v", err)
	}
	fd, err := openAgain(path, unix.O_RDWR)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	mem, err := unix.Mmap(fd, 0, 1<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unmapShared(mem) }()
	debug.SetPanicOnFault(true)
	defer func() {
		if recover() == nil {
			t.Error("stores behind the end of the memory went well")
		}
	}()
	for i := range mem {
		mem[i] = 1
	}
}

// A limit on files is an error, and not the end of the program.
func TestSharedMemoryFileLimit(t *testing.T) {
	name := sharedName(t)
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	low := old
	low.Cur = 1 << 20
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &low); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Setrlimit(unix.RLIMIT_FSIZE, &old) }()
	if _, err := CreateSharedMemory(name, 1<<20+1); !errors.Is(err, syscall.EFBIG) {
		t.Errorf("it said %v", err)
	}
}

func BenchmarkSharedMemory(b *testing.B) {
	for _, size := range []int{1 << 12, 1 << 20, 1 << 30} {
		b.Run(fmt.Sprintf("create/%d", size), func(b *testing.B) {
			for b.Loop() {
				m, err := NewSharedMemory(size)
				if err != nil {
					b.Fatal(err)
				}
				_ = m.Unlink()
				_ = m.Close()
			}
		})
	}
	m, err := NewSharedMemory(1 << 20)
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	defer func() { _ = m.Unlink() }()
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			o, err := OpenSharedMemory(m.Name())
			if err != nil {
				b.Fatal(err)
			}
			_ = o.Close()
		}
	})
	b.Run("view", func(b *testing.B) {
		for b.Loop() {
			_, _ = View[float64](m, 8, 1000)
		}
	})
	b.Run("touch", func(b *testing.B) {
		for b.Loop() {
			o, _ := OpenSharedMemory(m.Name())
			for i := 0; i < 1<<20; i += 4096 {
				o.Bytes()[i]++
			}
			_ = o.Close()
		}
	})
}
